//! What the pictures' own times and sizes show: rates, missing pictures, keyframes.

use std::time::Duration;

use zongzi_media::{Frame, MediaTime};

use super::Advisory;
use super::ring::Ring;
use super::stamps::{Stamps, Step};
use super::verdict::Verdict;

/// The pictures of one host, as its encoder stamped them.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    stamps: Stamps,
    /// The second that fills.
    second: Second,
    /// Where it began.
    began: Option<MediaTime>,
    seconds: Ring<Second, SECONDS>,
    /// Steps between pictures, in microseconds.
    steps: Ring<u32, STEPS>,
    /// The usual step; 0: not known yet.
    usual: u32,
    keyframe: Option<MediaTime>,
    /// The newest distances between keyframes.
    groups: Ring<Duration, GROUPS>,
}

/// What came in one second of the host's time.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    bytes: u64,
    pictures: u32,
    missing: u32,
}

impl Pictures {
    pub(super) fn push(&mut self, frame: &Frame) {
        match self.stamps.push(frame.dts) {
            Step::First => {}
            Step::On(step) => self.step(step),
            Step::Jump => {
                self.began = None;
                self.keyframe = None;
            }
        }
        let began = *self.began.get_or_insert_with(|| {
            self.second = Second::default();
            frame.dts
        });
        let passed = frame.dts.micros_since(began);
        if passed >= SECOND {
            self.seconds.push(std::mem::take(&mut self.second));
            self.began = Some(began.shifted(passed - passed % SECOND));
        }
        self.second.bytes += frame.payload.len() as u64;
        self.second.pictures += 1;
        if frame.keyframe {
            if let Some(before) = self.keyframe {
                self.groups.push(frame.dts.saturating_since(before));
            }
            self.keyframe = Some(frame.dts);
        }
    }

    /// Sound's bytes count for the bit rate.
    pub(super) fn sound(&mut self, bytes: usize) {
        self.second.bytes += bytes as u64;
    }

    /// To be called about once a second, before the verdicts are asked.
    pub(super) fn settle(&mut self) {
        if self.steps.len() < STEPS {
            return;
        }
        let mut steps: [u32; STEPS] = [0; STEPS];
        for (place, step) in steps.iter_mut().zip(self.steps.newest_first()) {
            *place = step;
        }
        let (_, median, _) = steps.select_nth_unstable(STEPS / 2);
        self.usual = *median;
    }

    pub(super) fn long_groups(&self) -> Verdict {
        let open = match (self.keyframe, self.stamps.last()) {
            (Some(keyframe), Some(last)) => last.saturating_since(keyframe),
            _ => Duration::ZERO,
        };
        let longest = self.groups.newest_first().fold(open, Duration::max);
        if longest > GROUP_MAX {
            let seconds = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
            return Verdict::Found(Advisory::LongGroups { seconds });
        }
        known(self.groups.len() >= GROUPS)
    }

    pub(super) fn bitrate(&self) -> Verdict {
        let (mean, _) = self.kilobits();
        if !self.knows_rates() {
            return Verdict::Unknown;
        }
        if mean > KILOBITS_MAX {
            return Verdict::Found(Advisory::HighBitrate { kilobits: mean });
        }
        Verdict::Fine
    }

    pub(super) fn swing(&self) -> Verdict {
        if self.seconds.len() < SECONDS {
            return Verdict::Unknown;
        }
        let (mean, peak) = self.kilobits();
        let far = u64::from(peak) * 10 >= u64::from(mean) * SWING_TENTHS;
        if far && peak - mean >= SWING_KILOBITS_MIN {
            return Verdict::Found(Advisory::BitrateSwing { mean, peak });
        }
        Verdict::Fine
    }

    pub(super) fn dropped(&self) -> Verdict {
        let (pictures, missing) = self.counted();
        if !self.knows_rates() || self.usual == 0 {
            return Verdict::Unknown;
        }
        let percent = missing * 100 / (pictures + missing).max(1);
        if percent >= MISSING_PERCENT {
            return Verdict::Found(Advisory::DroppedFrames { percent });
        }
        Verdict::Fine
    }

    pub(super) fn low_rate(&self) -> Verdict {
        match (self.rate(), self.dropped()) {
            (None, _) => Verdict::Unknown,
            // That is the cause, then.
            (Some(_), Verdict::Found(_)) => Verdict::Fine,
            (Some(rate), _) if rate < RATE_MIN => Verdict::Found(Advisory::LowFrameRate { rate }),
            (Some(_), _) => Verdict::Fine,
        }
    }

    pub(super) fn high_rate(&self) -> Verdict {
        match self.rate() {
            None => Verdict::Unknown,
            Some(rate) if rate > RATE_MAX => Verdict::Found(Advisory::HighFrameRate { rate }),
            Some(_) => Verdict::Fine,
        }
    }

    fn step(&mut self, step: u32) {
        self.steps.push(step);
        // Timestamps of whole milliseconds and an encoder's own rounding stay well below half a step.
        if self.usual > 0 && u64::from(step) * 2 > u64::from(self.usual) * 3 {
            self.second.missing += (step + self.usual / 2) / self.usual - 1;
        }
    }

    /// Pictures a second.
    fn rate(&self) -> Option<u32> {
        (self.knows_rates()).then(|| {
            let (pictures, _) = self.counted();
            (pictures + RATE_SECONDS / 2) / RATE_SECONDS
        })
    }

    fn knows_rates(&self) -> bool {
        self.seconds.len() >= RATE_SECONDS as usize
    }

    /// Pictures that came and that are missing in the last [`RATE_SECONDS`].
    fn counted(&self) -> (u32, u32) {
        let newest = self.seconds.newest_first().take(RATE_SECONDS as usize);
        newest.fold((0, 0), |(pictures, missing), second| {
            (pictures + second.pictures, missing + second.missing)
        })
    }

    /// Mean and most of the seconds there are, in kb/s.
    fn kilobits(&self) -> (u32, u32) {
        let kilobits = |bytes: u64| u32::try_from(bytes / 125).unwrap_or(u32::MAX);
        let (sum, peak) = self.seconds.newest_first().fold((0, 0), |(sum, peak), s| {
            (sum + s.bytes, u64::max(peak, s.bytes))
        });
        let count = self.seconds.len().max(1) as u64;
        (kilobits(sum / count), kilobits(peak))
    }
}

fn known(fine: bool) -> Verdict {
    if fine {
        Verdict::Fine
    } else {
        Verdict::Unknown
    }
}

/// In microseconds.
const SECOND: i64 = 1_000_000;
/// What is remembered of rates.
const SECONDS: usize = 30;
/// Rates of pictures are taken over so many seconds.
const RATE_SECONDS: u32 = 10;
/// Steps between pictures of which the median is the usual one: 2 s at 30 pictures a second.
const STEPS: usize = 63;
/// Keyframes' distances that are remembered: scene cuts put short ones between long ones.
const GROUPS: usize = 4;
/// Keyframes further apart than this are far apart: the usual advice is 2 s, and 4 s is common.
const GROUP_MAX: Duration = Duration::from_millis(4_500);
/// Many links of phones and old DSL take no more.
const KILOBITS_MAX: u32 = 8_000;
/// Two and a half times the mean.
const SWING_TENTHS: u64 = 25;
/// A swing of less hurts no link that takes the mean.
const SWING_KILOBITS_MIN: u32 = 2_000;
/// One picture in twenty: seen as judder.
const MISSING_PERCENT: u32 = 5;
/// Below it movement is seen as a row of pictures; cinema has 24.
const RATE_MIN: u32 = 20;
/// Most screens show 60 a second.
const RATE_MAX: u32 = 61;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zongzi_media::TrackId;

    use super::*;

    /// Pictures of `bytes` at `times` (milliseconds), each `group`th a keyframe.
    fn of(
        times: impl Iterator<Item = i64>,
        group: usize,
        bytes: impl Fn(i64) -> usize,
    ) -> Pictures {
        let mut pictures = Pictures::default();
        for (number, millis) in times.enumerate() {
            let time = MediaTime::from_millis(millis);
            let keyframe = number % group == 0;
            let frame = Frame {
                track: TrackId::VIDEO,
                dts: time,
                pts: time,
                keyframe,
                payload: Bytes::from(vec![0; bytes(millis)]),
            };
            pictures.push(&frame);
            if number % 30 == 0 {
                pictures.settle();
            }
        }
        pictures
    }

    fn all(pictures: &Pictures) -> [Verdict; 6] {
        [
            pictures.long_groups(),
            pictures.bitrate(),
            pictures.swing(),
            pictures.dropped(),
            pictures.low_rate(),
            pictures.high_rate(),
        ]
    }

    /// Thirty pictures a second, stamped in whole milliseconds.
    fn even(count: i64) -> impl Iterator<Item = i64> {
        (0..count).map(|number| number * 1_000 / 30)
    }

    #[test]
    fn nothing_is_said_of_a_good_stream_or_of_its_first_seconds() {
        let good = of(even(1_200), 60, |_| 10_000);
        assert_eq!(all(&good), [Verdict::Fine; 6]);
        let short = of(even(100), 60, |_| 50_000);
        assert_eq!(all(&short), [Verdict::Unknown; 6]);
    }

    #[test]
    fn keyframes_of_untouched_obs_are_far_apart_at_once_and_stay_so_between_scene_cuts() {
        let obs = of(even(200), 250, |_| 10_000);
        let found = |seconds| Verdict::Found(Advisory::LongGroups { seconds });
        assert_eq!(obs.long_groups(), found(6));
        let mut obs = of(even(252), 250, |_| 10_000);
        assert_eq!(obs.long_groups(), found(8));
        let next = |pictures: &mut Pictures, millis| {
            let time = MediaTime::from_millis(millis);
            let payload = Bytes::new();
            let frame = Frame {
                track: TrackId::VIDEO,
                dts: time,
                pts: time,
                keyframe: true,
                payload,
            };
            pictures.push(&frame);
            pictures.long_groups()
        };
        assert_eq!(next(&mut obs, 10_000), found(8));
        assert_eq!(next(&mut obs, 12_000), found(8));
        assert_eq!(next(&mut obs, 14_000), found(8));
        assert_eq!(next(&mut obs, 16_000), Verdict::Fine);
    }

    #[test]
    fn a_jump_of_the_clock_is_no_long_group_and_no_gap() {
        for jump in [4_000_000, -3_000] {
            // Long after it, and while what came before it still counts.
            for after in [900, 60] {
                let times = even(1_200).chain(even(after).map(|millis| 40_000 + jump + millis));
                let judged = all(&of(times, 60, |_| 10_000));
                assert_eq!(
                    judged,
                    [Verdict::Fine; 6],
                    "{jump}, {after} pictures after it"
                );
            }
        }
    }

    #[test]
    fn bits_too_many_and_bits_in_heaps() {
        let heavy = of(even(1_200), 60, |_| 50_000);
        let kilobits = 12_000;
        assert_eq!(
            heavy.bitrate(),
            Verdict::Found(Advisory::HighBitrate { kilobits })
        );
        assert_eq!(heavy.swing(), Verdict::Fine);
        // One second in ten has ten times as many.
        let heaps = of(even(1_200), 60, |millis| {
            if millis / 1_000 % 10 == 0 {
                40_000
            } else {
                4_000
            }
        });
        let (mean, peak) = (1_824, 9_600);
        assert_eq!(
            heaps.swing(),
            Verdict::Found(Advisory::BitrateSwing { mean, peak })
        );
        assert_eq!(heaps.bitrate(), Verdict::Fine);
        // The same of so few bits that they hurt no link.
        let small = of(even(1_200), 60, |millis| {
            if millis / 1_000 % 10 == 0 { 8_000 } else { 800 }
        });
        assert_eq!(small.swing(), Verdict::Fine);
        // A keyframe every 8 s that is as large as a second of pictures is none.
        let keyframes = of(even(1_200), 250, |millis| {
            if millis % 8_333 < 30 { 300_000 } else { 10_000 }
        });
        assert_eq!(keyframes.swing(), Verdict::Fine);
    }

    #[test]
    fn sound_counts_for_the_bit_rate() {
        let mut pictures = Pictures::default();
        for millis in even(1_200) {
            let time = MediaTime::from_millis(millis);
            let frame = Frame {
                track: TrackId::VIDEO,
                dts: time,
                pts: time,
                keyframe: false,
                payload: Bytes::from_static(&[0; 30_000]),
            };
            pictures.push(&frame);
            pictures.sound(10_000);
        }
        let kilobits = 9_600;
        assert_eq!(
            pictures.bitrate(),
            Verdict::Found(Advisory::HighBitrate { kilobits })
        );
    }

    #[test]
    fn missing_pictures_are_told_from_a_low_rate() {
        let gaps = of(
            even(1_200).filter(|millis| millis / 33 % 10 > 0),
            60,
            |_| 10_000,
        );
        assert!(matches!(
            gaps.dropped(),
            Verdict::Found(Advisory::DroppedFrames { percent: 8..=11 })
        ));
        assert_eq!(gaps.low_rate(), Verdict::Fine);
        // Four of ten in a row: so few are left that movement is jerky, but for another reason.
        let holes = of(
            even(1_200).filter(|millis| millis / 33 % 10 > 3),
            60,
            |_| 10_000,
        );
        assert!(matches!(
            holes.dropped(),
            Verdict::Found(Advisory::DroppedFrames { percent: 38..=42 })
        ));
        assert_eq!(holes.low_rate(), Verdict::Fine);
        let slow = of((0..400).map(|number| number * 100), 60, |_| 10_000);
        assert_eq!(slow.dropped(), Verdict::Fine);
        assert_eq!(
            slow.low_rate(),
            Verdict::Found(Advisory::LowFrameRate { rate: 10 })
        );
        let fast = of((0..4_000).map(|number| number * 10), 60, |_| 2_000);
        assert_eq!(
            fast.high_rate(),
            Verdict::Found(Advisory::HighFrameRate { rate: 100 })
        );
    }
}
