/// Whether a viewer's link carries the stream, told by his receiver reports, and how many whole groups he does without
/// when it doesn't.
///
/// He never loses single packets of a group by our doing: at a keyframe it is decided whether he gets the group. After
/// a skipped group one is sent to see whether the link has recovered; each time it has not, more are skipped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Link {
    /// Bad reports in a row.
    strikes: u8,
    /// Groups still to be skipped.
    to_skip: u8,
    /// How many were skipped the last time.
    skipped: u8,
}

impl Link {
    /// A report on the video came: `fraction_lost` in 1/256 of the packets since the report before.
    pub(crate) fn report(&mut self, fraction_lost: u8) {
        if fraction_lost >= BAD_FRACTION {
            self.strikes = self.strikes.saturating_add(1);
        } else {
            self.strikes = 0;
            if fraction_lost <= GOOD_FRACTION && self.to_skip == 0 {
                self.skipped = 0;
            }
        }
    }

    /// A group begins: whether this viewer does without it.
    pub(crate) fn skips_group(&mut self) -> bool {
        if self.to_skip == 0 && self.strikes >= STRIKES {
            self.skipped = (self.skipped * 2).clamp(1, SKIP_MAX);
            self.to_skip = self.skipped;
            self.strikes = 0;
        }
        let skips = self.to_skip > 0;
        self.to_skip = self.to_skip.saturating_sub(1);
        skips
    }
}

/// An eighth of the packets: more than retransmission within its budget can mend.
const BAD_FRACTION: u8 = 32;
/// Reports with as much loss, one after the other (browsers report once a second).
const STRIKES: u8 = 2;
/// Under 2 %: as it should be.
const GOOD_FRACTION: u8 = 5;
/// Groups skipped at once: with groups of 2 s a viewer whose link is bad for long has a picture every 18 s.
const SKIP_MAX: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_link_skips_ever_more_groups_and_a_good_one_none() {
        let mut link = Link::default();
        let mut groups = |reports: [u8; 2]| {
            reports.into_iter().for_each(|lost| link.report(lost));
            let mut skipped = 0;
            while link.skips_group() {
                skipped += 1;
            }
            skipped
        };
        assert_eq!(groups([0, 3]), 0);
        assert_eq!(groups([90, 0]), 0, "one bad report is an accident");
        assert_eq!(groups([90, 90]), 1);
        assert_eq!(groups([200, 90]), 2);
        assert_eq!(groups([200, 90]), 4);
        assert_eq!(groups([0, 0]), 0);
        assert_eq!(groups([90, 90]), 1);
    }
}
