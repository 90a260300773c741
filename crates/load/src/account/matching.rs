use std::collections::VecDeque;

use crate::clock::Stamp;
use crate::host::log::Sent;

/// How far a frame's timestamp may be from the host's and still mean the same frame: less than half a frame at 60 per
/// second, and more than the rounding of milliseconds to ticks.
const TOLERANCE_TICKS: i32 = 630;
/// How far ahead of the last matched frame the search goes: 17 s at 30 frames per second.
const AHEAD_MAX: u64 = 512;
/// How far behind: a server may send a group again.
const BEHIND_MAX: u64 = 512;
/// A frame that is this far behind the newest will not come any more: 2 s at 30 frames per second.
const SETTLE_FRAMES: u64 = 60;
/// Frames in a row with one offset that make sure of it: a second. A backlog's keep none that long, since they are sent
/// faster than the host sent them.
pub(crate) const AGREED_MIN: u32 = 30;
/// Frames found by their timestamp alone, after which one is looked into again: ten seconds. A viewer who was late by the
/// same time for longer than [`AGREED_MIN`] would be taken to see older frames than he does.
const UNCHECKED_MAX: u32 = 300;

/// Finds for each frame that a viewer got the frame that the host sent.
///
/// A viewer's RTP timestamps are the host's times plus an offset that only the server knows, save for the backlog of a
/// join, which a server may stamp with the times of its sending. So frames are decrypted and recognised by their content
/// until [`AGREED_MIN`] in a row give the same offset; from then on the timestamp alone, which is in the clear, says which
/// frame it is. Fewer agree by chance in a backlog.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matcher {
    offset: Option<u32>,
    /// Frames in a row that gave the offset.
    agreed: u32,
    /// Frames found by their timestamp since one was recognised.
    unchecked: u32,
    last: u64,
    /// Frames without a match since the newest that had one.
    unknown: u32,
    /// Bit `n % 512` is set when frame `n` was counted, for frames behind [`Matcher::newest`] by less than 512.
    seen: [u64; 8],
    /// The same for keyframes among them.
    keys: [u64; 8],
    /// Index of the first frame matched.
    pub(crate) first: Option<u64>,
    /// Index of the newest frame matched.
    pub(crate) newest: Option<u64>,
    /// Index of the first frame that the host sent after the viewer's first packet; those before are backlog.
    live_from: u64,
    /// Different frames of the backlog that arrived whole.
    backlog_whole: u64,
    /// Different frames after it that did.
    live_whole: u64,
    /// Frames that came whole though the one before, which they refer to, never did: a decoder smears them.
    pub(crate) unreferenced: u64,
    /// The first frame that was left out, and how many were in a row.
    pub(crate) first_hole: Option<(u64, u64)>,
    /// Whole frames whose timestamp fits none of the host's.
    pub(crate) unmatched: u64,
}

impl Matcher {
    /// Whether timestamps alone are enough.
    pub(crate) fn is_aligned(&self) -> bool {
        self.agreed >= AGREED_MIN && self.unchecked < UNCHECKED_MAX
    }

    /// Whether the timestamp alone says rightly that this is the frame with that content.
    pub(crate) fn knows(&self, log: &VecDeque<Sent>, rtp_time: u32, digest: u64) -> bool {
        let found = self.find(log, rtp_time);
        self.is_aligned() && found.is_some_and(|sent| sent.digest == digest)
    }

    /// Recognises a decrypted frame by its content: the newest that the host sent with the same one. `None` if the
    /// host sent no such frame.
    pub(crate) fn align(
        &mut self,
        log: &VecDeque<Sent>,
        rtp_time: u32,
        digest: u64,
    ) -> Option<Sent> {
        let sent = log.iter().rev().find(|sent| sent.digest == digest)?;
        let offset = rtp_time.wrapping_sub(ticks(sent.pts_ms));
        let same = self.offset.is_some_and(|before| {
            let distance = offset.wrapping_sub(before).cast_signed();
            distance.unsigned_abs() <= TOLERANCE_TICKS.unsigned_abs()
        });
        self.agreed = if same {
            self.agreed.saturating_add(1)
        } else {
            1
        };
        self.offset = Some(offset);
        self.unchecked = 0;
        self.last = sent.index;
        Some(*sent)
    }

    /// The frame that `rtp_time` stands for, counted as arrived whole. Only the first time gives `true`.
    ///
    /// `came` is when the viewer's first packet arrived.
    pub(crate) fn whole(
        &mut self,
        log: &VecDeque<Sent>,
        rtp_time: u32,
        came: Stamp,
    ) -> Option<(Sent, bool)> {
        let Some(sent) = self.find(log, rtp_time) else {
            self.unmatched += 1;
            self.unknown += 1;
            // The server's clock has moved. Who was late by a frame would be taken for one who sees the frame before.
            self.offset = None;
            self.agreed = 0;
            return None;
        };
        self.unchecked = self.unchecked.saturating_add(1);
        self.last = sent.index;
        if self.first.is_none() {
            let before = log.iter().rev().find(|sent| sent.at < came);
            self.live_from = before.map_or(sent.index, |before| before.index + 1);
        }
        self.recover(log, sent.index);
        let fresh = self.note(sent.index, sent.keyframe);
        Some((sent, fresh))
    }

    /// As many frames without a match as there are places between the newest that had one and `next` are those: they came
    /// whole, and only their timestamps were of a timeline that is no more.
    fn recover(&mut self, log: &VecDeque<Sent>, next: u64) {
        let unknown = std::mem::take(&mut self.unknown);
        let Some(newest) = self.newest.filter(|_| unknown > 0) else {
            return;
        };
        if newest + u64::from(unknown) + 1 != next {
            return;
        }
        for sent in log
            .iter()
            .filter(|sent| (newest + 1..next).contains(&sent.index))
        {
            self.note(sent.index, sent.keyframe);
            self.unmatched = self.unmatched.saturating_sub(1);
        }
    }

    /// Frames that the host sent from when this viewer came to `last`, minus those that arrived whole. Who left before
    /// the frames that came last had a match is taken to have got as many as came.
    pub(crate) fn lost(&self, last: u64) -> u64 {
        let behind = self.newest.map_or(0, |newest| last.saturating_sub(newest));
        let unknown = u64::from(self.unknown).min(behind);
        self.expected(last)
            .saturating_sub(self.live_whole)
            .saturating_sub(unknown)
    }

    /// Frames that the host sent from when this viewer came to `last` (or to the newest that he got, if later).
    pub(crate) fn expected(&self, last: u64) -> u64 {
        self.newest.map_or(0, |newest| {
            (last.max(newest) + 1).saturating_sub(self.live_from)
        })
    }

    /// Frames of the backlog, from the first that he got, that were left out.
    pub(crate) fn backlog_skipped(&self) -> u64 {
        self.first.map_or(0, |first| {
            self.live_from
                .saturating_sub(first)
                .saturating_sub(self.backlog_whole)
        })
    }

    fn find(&self, log: &VecDeque<Sent>, rtp_time: u32) -> Option<Sent> {
        let offset = self.offset?;
        let oldest = log.front()?.index;
        let from = self.last.saturating_sub(BEHIND_MAX).max(oldest);
        let position = |index: u64| usize::try_from(index - oldest).ok();
        let fits = |sent: &&Sent| {
            let expected = offset.wrapping_add(ticks(sent.pts_ms));
            let distance = rtp_time.wrapping_sub(expected).cast_signed();
            distance.unsigned_abs() <= TOLERANCE_TICKS.unsigned_abs()
        };
        let ahead = log
            .range(position(self.last.max(oldest))?.min(log.len())..)
            .take(usize::try_from(AHEAD_MAX).unwrap_or(0))
            .find(fits);
        if ahead.is_some() {
            return ahead.copied();
        }
        let end = position(self.last.max(oldest))?.min(log.len());
        log.range(position(from)?.min(end)..end)
            .rev()
            .find(fits)
            .copied()
    }

    fn note(&mut self, index: u64, keyframe: bool) -> bool {
        let newest = self.newest.unwrap_or(index);
        if self.newest.is_none() {
            self.first = Some(index);
            self.newest = Some(index);
        } else if index > newest {
            if index > newest + 1 {
                self.first_hole
                    .get_or_insert((newest + 1, index - newest - 1));
            }
            for passed in (newest + 1..=index).take(512) {
                put(&mut self.seen, passed, false);
                self.settle(passed.saturating_sub(SETTLE_FRAMES));
            }
            self.newest = Some(index);
        } else if newest - index >= 512 || is_set(&self.seen, index) {
            return false;
        } else {
            self.first = self.first.map(|first| first.min(index));
        }
        put(&mut self.seen, index, true);
        put(&mut self.keys, index, keyframe);
        if index < self.live_from {
            self.backlog_whole += 1;
        } else {
            self.live_whole += 1;
        }
        true
    }

    /// Judges a frame whose predecessor will not come any more.
    fn settle(&mut self, index: u64) {
        let before = index
            .checked_sub(1)
            .filter(|before| Some(*before) >= self.first);
        if let Some(before) = before
            && is_set(&self.seen, index)
            && !is_set(&self.keys, index)
            && !is_set(&self.seen, before)
        {
            self.unreferenced += 1;
        }
    }
}

fn put(bits: &mut [u64; 8], index: u64, value: bool) {
    let (word, bit) = place(index);
    if value {
        bits[word] |= bit;
    } else {
        bits[word] &= !bit;
    }
}

fn is_set(bits: &[u64; 8], index: u64) -> bool {
    let (word, bit) = place(index);
    bits[word] & bit != 0
}

fn place(index: u64) -> (usize, u64) {
    let within = index % 512;
    (
        usize::try_from(within / 64).unwrap_or(0),
        1 << (within % 64),
    )
}

fn ticks(pts_ms: i64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "RTP timestamps wrap at 32 bits"
    )]
    let wrapped = pts_ms.wrapping_mul(90) as u32;
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 frames per second as RTMP rounds them; the content repeats every 150 frames, as a looped file does.
    fn log(frames: u64) -> VecDeque<Sent> {
        (0..frames)
            .map(|index| Sent {
                index,
                pts_ms: i64::try_from(index * 1000 / 30).expect("small"),
                at: Stamp(index),
                digest: index % 150,
                keyframe: index % 30 == 0,
            })
            .collect()
    }

    const OFFSET: u32 = u32::MAX - 100_000;

    fn time(index: u64) -> u32 {
        OFFSET.wrapping_add(u32::try_from(index * 3000).expect("small"))
    }

    /// A viewer who came before all of these frames were sent.
    fn watched(indexes: impl IntoIterator<Item = u64>) -> Matcher {
        came(Stamp(0), indexes)
    }

    fn came(at: Stamp, indexes: impl IntoIterator<Item = u64>) -> Matcher {
        let log = log(300);
        let mut matcher = Matcher::default();
        for index in indexes {
            if !matcher.is_aligned() {
                matcher.align(&log, time(index), index % 150);
            }
            matcher.whole(&log, time(index), at);
        }
        matcher
    }

    #[test]
    fn a_viewer_who_was_late_by_a_frame_and_comes_to_live_has_lost_none() {
        let log = log(300);
        let mut matcher = Matcher::default();
        for index in 100..300_u64 {
            // A leap of 18 ms, and then more than a second that is a little slow.
            let late = match index {
                ..140 => 3_000,
                140..186 => 1_380 - 30 * (index - 140),
                _ => 0,
            };
            let time = time(index).wrapping_add(u32::try_from(late).expect("small"));
            if !matcher.is_aligned() {
                matcher.align(&log, time, index % 150);
            }
            matcher.whole(&log, time, Stamp(0));
        }
        assert_eq!((matcher.lost(299), matcher.unmatched), (0, 0));
        assert_eq!(matcher.first_hole, None);
    }

    #[test]
    fn what_the_host_sent_minus_what_came_is_lost() {
        let all = watched(240..300);
        assert_eq!(
            (all.first, all.newest, all.lost(299)),
            (Some(240), Some(299), 0)
        );
        assert_eq!(
            watched((240..300).filter(|index| index % 10 != 5)).lost(299),
            6
        );
        assert_eq!(watched(240..290).lost(299), 10, "the tail counts too");
        let skipped = watched((240..300).filter(|index| !(250..270).contains(index)));
        assert_eq!(
            (skipped.lost(299), skipped.first_hole),
            (20, Some((250, 20)))
        );
    }

    #[test]
    fn backlog_that_is_left_out_is_no_loss_but_is_told() {
        let matcher = came(Stamp(260), (240..250).chain(270..300));
        assert_eq!((matcher.backlog_skipped(), matcher.lost(299)), (10, 10));
        let all = came(Stamp(260), 240..300);
        assert_eq!((all.backlog_skipped(), all.lost(299)), (0, 0));
        assert_eq!(all.expected(299), 40);
    }

    #[test]
    fn a_group_sent_again_is_counted_once() {
        let matcher = watched((240..280).chain(240..300));
        assert_eq!((matcher.live_whole, matcher.lost(299)), (60, 0));
    }

    #[test]
    fn a_frame_whose_predecessor_never_came_is_told_but_a_group_skipped_whole_is_not() {
        assert_eq!(
            watched((150..300).filter(|index| *index != 200)).unreferenced,
            1
        );
        assert_eq!(
            watched((150..300).filter(|index| !(190..210).contains(index))).unreferenced,
            0
        );
        let late = (150..200).chain(201..205).chain([200]).chain(205..300);
        assert_eq!(watched(late).unreferenced, 0, "it came after all");
    }

    #[test]
    fn content_that_was_sent_more_than_once_means_its_newest_copy() {
        let log = log(300);
        let mut matcher = Matcher::default();
        let sent = matcher.align(&log, time(240), 90).expect("known content");
        assert_eq!(sent.index, 240);
        assert_eq!(matcher.align(&log, 0, 999), None);
    }

    #[test]
    fn a_backlog_stamped_as_it_is_sent_is_recognised_by_its_content() {
        let log = log(330);
        let mut matcher = Matcher::default();
        for index in 240..330_u64 {
            // 50 of the backlog 1 ms apart, then live.
            let behind = u32::try_from(290_u64.saturating_sub(index)).expect("small");
            let rtp_time = match behind {
                0 => time(index),
                _ => time(290).wrapping_sub(behind * 90),
            };
            if !matcher.is_aligned() {
                matcher.align(&log, rtp_time, index % 150);
            }
            let (sent, _) = matcher
                .whole(&log, rtp_time, Stamp(290))
                .expect("it is known");
            assert_eq!(sent.index, index);
        }
        assert!(matcher.is_aligned());
        assert_eq!((matcher.unmatched, matcher.unreferenced), (0, 0));
        assert_eq!((matcher.backlog_skipped(), matcher.lost(329)), (0, 0));
    }

    #[test]
    fn a_backlog_in_which_some_stamps_agree_by_chance_is_still_recognised() {
        let log = log(300);
        let mut matcher = Matcher::default();
        for index in 240..300_u64 {
            // Sent 20 ms apart but for three that keep the host's own step, a second away from where live will be.
            let behind = u32::try_from(290_u64.saturating_sub(index)).expect("small");
            let rtp_time = match behind {
                0 => time(index),
                20..=22 => time(290).wrapping_sub(90_000 + behind * 3_000),
                _ => time(290).wrapping_sub(behind * 1_800),
            };
            if !matcher.is_aligned() {
                matcher.align(&log, rtp_time, index % 150);
            }
            let (sent, _) = matcher
                .whole(&log, rtp_time, Stamp(290))
                .expect("it is known");
            assert_eq!(sent.index, index);
        }
        assert_eq!((matcher.unmatched, matcher.lost(299)), (0, 0));
    }

    #[test]
    fn a_viewer_who_is_one_picture_late_for_a_while_is_not_taken_to_be_at_live() {
        let log = log(330);
        let mut matcher = Matcher::default();
        for index in 240..330_u64 {
            // A server stamps late pictures with what one would have that comes now.
            let late = index < 262;
            let rtp_time = time(index + u64::from(late));
            if !matcher.is_aligned() {
                matcher.align(&log, rtp_time, index % 150);
            }
            let found = matcher.whole(&log, rtp_time, Stamp(240));
            assert_eq!(found.map(|(sent, _)| sent.index), Some(index));
        }
        assert!(matcher.is_aligned());
        assert_eq!((matcher.unmatched, matcher.lost(329)), (0, 0));
    }

    #[test]
    fn who_decrypts_everything_finds_out_that_timestamps_mean_other_frames_by_now() {
        let log = log(300);
        let mut matcher = Matcher::default();
        let mut met = |index: u64, rtp_time: u32| {
            if !matcher.knows(&log, rtp_time, index % 150) {
                matcher.align(&log, rtp_time, index % 150);
            }
            let found = matcher.whole(&log, rtp_time, Stamp(200));
            found.map(|(sent, _)| sent.index)
        };
        for index in 200..260 {
            assert_eq!(met(index, time(index)), Some(index));
        }
        for index in 260..300 {
            assert_eq!(met(index, time(index + 3)), Some(index));
        }
        assert!(
            !matcher.knows(&log, time(299 + 3), 999),
            "content that no host sent"
        );
    }

    #[test]
    fn who_goes_by_timestamps_looks_into_a_frame_now_and_then() {
        let mut log = log(600);
        for sent in &mut log {
            sent.digest = sent.index;
        }
        let mut matcher = Matcher::default();
        let mut wrong = 0;
        for index in 0..600_u64 {
            // For longer than is taken for a late viewer's time his pictures are eight late.
            let late = if index < 40 { 8 } else { 0 };
            let rtp_time = time(index + late);
            if !matcher.is_aligned() {
                matcher.align(&log, rtp_time, index);
            }
            let found = matcher.whole(&log, rtp_time, Stamp(0));
            wrong += u32::from(found.is_none_or(|(sent, _)| sent.index != index));
        }
        assert!(
            (1..UNCHECKED_MAX).contains(&wrong),
            "{wrong} were taken for others"
        );
        assert!(matcher.is_aligned());
    }

    #[test]
    fn who_leaves_just_when_the_timeline_has_changed_has_lost_no_more_than_did_not_come() {
        // Forty pictures are known by their stamps; the server puts all later ones 18 ms further on, and of 14 of those
        // some do not come. He leaves before they could be recognised.
        let lost = |came: &dyn Fn(u64) -> bool| {
            let log = log(300);
            let mut matcher = watched(240..280);
            for index in (280..294).filter(|index| came(*index)) {
                let shifted = time(index).wrapping_add(1_620);
                assert!(matcher.whole(&log, shifted, Stamp(0)).is_none());
            }
            matcher.lost(293)
        };
        assert_eq!(lost(&|_| true), 0);
        assert_eq!(lost(&|index| index % 5 != 0), 3);
    }

    #[test]
    fn a_server_that_changes_its_timeline_is_aligned_anew() {
        let log = log(300);
        let mut matcher = Matcher::default();
        matcher.align(&log, time(240), 90);
        for index in 240..250 {
            assert!(matcher.whole(&log, time(index), Stamp(0)).is_some());
        }
        let next = 265;
        for index in 250..next {
            assert!(
                matcher
                    .whole(&log, time(index).wrapping_add(900_000_000), Stamp(0))
                    .is_none()
            );
        }
        assert!(!matcher.is_aligned());
        assert_eq!(matcher.unmatched, 15);
        // Those that came meanwhile were the ones between: none is missing.
        let mut skipped = matcher.clone();
        let elsewhere = |index| time(index).wrapping_add(900_000_000);
        matcher.align(&log, elsewhere(next), next % 150);
        assert!(matcher.whole(&log, elsewhere(next), Stamp(0)).is_some());
        assert_eq!((matcher.unmatched, matcher.lost(next)), (0, 0));
        // Another one between was left out: which one, nobody can tell.
        skipped.align(&log, elsewhere(next + 1), (next + 1) % 150);
        assert!(skipped.whole(&log, elsewhere(next + 1), Stamp(0)).is_some());
        assert_eq!(skipped.unmatched, 15);
        assert_eq!(skipped.lost(next + 1), 16);
    }
}
