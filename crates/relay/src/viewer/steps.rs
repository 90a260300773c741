use crate::viewer::stamps::distance;

/// How far a viewer's pictures are apart by their own times, and where there is a gap between two.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Number and time of the picture before, where no group was begun since.
    last: Option<(u64, u32)>,
    /// From the one before that to it; not over a gap, nor over what he was not sent.
    apart: Option<i32>,
    /// So many in a row came evenly.
    even: u32,
}

/// From one picture to the next, in ticks of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// For how long a picture stands, up to 100 ms.
    pub(crate) span: i32,
    /// The same of it or of the one before it, whichever stands for less.
    pub(crate) least: i32,
    /// Before it pictures are missing that would have come evenly: the host comes again, or has left some out.
    pub(crate) gap: bool,
    /// Those before it came evenly, and more than ten a second.
    pub(crate) even: bool,
    /// A group begins with it.
    pub(crate) first: bool,
}

impl Steps {
    /// A group begins that does not follow the picture before.
    pub(crate) fn begin(&mut self) {
        self.last = None;
    }

    /// The next picture is number `sequence`, and its own time is `own`.
    pub(crate) fn next(&mut self, sequence: u64, own: u32) -> Step {
        let last = self.last.replace((sequence, own));
        // What one viewer is not sent is no gap: a busy shard leaves it out again and again, and of a narrow link
        // `Stamps::come_back` tells when that is over.
        let follows = last.filter(|(before, _)| before.checked_add(1) == Some(sequence));
        let apart = follows.map(|(_, before)| distance(before, own));
        let even = self.even >= EVEN_MIN && self.apart.is_some_and(|apart| apart < SPAN_MAX);
        let (Some(apart), Some(before)) = (apart, self.apart) else {
            let first = last.is_none();
            self.apart = apart.or(self.apart);
            let span = self.apart.unwrap_or(FRAME).clamp(0, SPAN_MAX);
            return Step {
                span,
                least: span,
                gap: false,
                even,
                first,
            };
        };
        let longer = apart.saturating_sub(before);
        let gap = longer > GAP_MIN && even;
        if gap {
            self.even = 0;
        } else {
            let even = longer.saturating_abs() <= before / UNEVEN_SHARE;
            self.even = if even { self.even.saturating_add(1) } else { 0 };
            self.apart = Some(apart);
        }
        Step {
            span: if gap { before } else { apart }.clamp(0, SPAN_MAX),
            least: apart.min(before).clamp(0, SPAN_MAX),
            gap,
            even,
            first: false,
        }
    }
}

/// A picture at 30 a second, in ticks.
pub(crate) const FRAME: i32 = 3_000;
/// The most that one picture stands for, 100 ms: the next one of a slower host need not wait for longer.
pub(crate) const SPAN_MAX: i32 = 9_000;
/// Where two pictures are further apart than the two before by this, 60 ms, there is a gap: a 32nd of it moves the mean by as
/// much as makes a browser look, or nearly (`stamps`).
const GAP_MIN: i32 = 5_400;
/// Only of pictures that come evenly the mean is one that a browser looks for, and only of those some are missing.
const EVEN_MIN: u32 = 4;
/// Even is what differs by no more than this share: 8 ms at 30 a second.
const UNEVEN_SHARE: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each picture's step, by how far it is from the one before.
    fn steps(aparts: &[u32]) -> Vec<Step> {
        let (mut steps, mut own) = (Steps::default(), u32::MAX - 10_000);
        let next = (0..).zip(aparts).map(|(sequence, apart)| {
            own = own.wrapping_add(*apart);
            steps.next(sequence, own)
        });
        next.collect()
    }

    fn gaps(aparts: &[u32]) -> Vec<usize> {
        let steps = steps(aparts);
        let gap = |place: &usize| steps.get(*place).is_some_and(|step| step.gap);
        (0..steps.len()).filter(gap).collect()
    }

    #[test]
    fn a_gap_is_a_step_that_is_longer_by_more_than_60_ms_than_even_ones() {
        for even in [1_500, 3_000, 3_600, 7_500] {
            let mut aparts = vec![even; 6];
            aparts.extend([even + 5_400, even, even, even, even, even]);
            assert_eq!(gaps(&aparts), [0; 0], "{even}");
            aparts.extend([even + 5_401, even, even, even, even, even]);
            // He comes again after a minute.
            aparts.extend([60 * 90_000, even]);
            assert_eq!(gaps(&aparts), [12, 18], "{even}");
            let spans: Vec<i32> = steps(&aparts).iter().map(|step| step.span).collect();
            let even = i32::try_from(even).unwrap();
            assert_eq!((spans[12], spans[18], spans[19]), (even, even, even));
        }
    }

    #[test]
    fn what_is_uneven_or_slow_has_no_gaps() {
        // Picked from those of a host with B-frames; a phone that gives as many as there is light for; five a second.
        let picked = [
            9_000, 9_000, 9_000, 3_000, 9_000, 9_000, 9_000, 9_000, 3_000, 12_000,
        ];
        let phone = [
            3_000, 4_200, 3_000, 9_000, 3_000, 3_000, 3_000, 9_000, 4_000, 30_000,
        ];
        let slow = [
            18_000, 18_000, 18_000, 18_000, 18_000, 18_000, 18_000, 40_000, 18_000,
        ];
        for aparts in [&picked[..], &phone, &slow] {
            assert_eq!(gaps(aparts), [0; 0], "{aparts:?}");
        }
    }

    #[test]
    fn a_host_whose_rate_changes_has_one_gap_and_then_another_step() {
        let aparts = [&[1_500; 8][..], &[9_000; 8]].concat();
        assert_eq!(gaps(&aparts), [8]);
        let spans: Vec<i32> = steps(&aparts).iter().map(|step| step.span).collect();
        assert_eq!(
            spans[8..],
            [1_500, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000]
        );
    }

    #[test]
    fn a_group_that_begins_elsewhere_has_the_steps_of_those_before() {
        let mut steps = Steps::default();
        for sequence in 0..10 {
            steps.next(sequence, u32::try_from(sequence).unwrap() * 1_500);
        }
        // He is not sent the rest of a group.
        let skipped = steps.next(30, 45_000);
        assert_eq!(
            (skipped.span, skipped.gap, skipped.first),
            (1_500, false, false)
        );
        steps.begin();
        let step = |span, even, first| Step {
            span,
            least: span,
            gap: false,
            even,
            first,
        };
        assert_eq!(steps.next(2, 3_000), step(1_500, true, true));
        assert_eq!(steps.next(3, 4_500), step(1_500, true, false));
        assert_eq!(Steps::default().next(0, 7), step(FRAME, false, true));
    }
}
