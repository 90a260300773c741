//! How the host's frames come in against the times it stamped on them: stalls of the upload, and a clock that drifts.

use std::time::{Duration, Instant};

use zongzi_media::MediaTime;

use super::Advisory;
use super::ring::Ring;
use super::stamps::{Stamps, Step};
use super::verdict::Verdict;

/// The arrival of one track's frames, and the silence of all.
///
/// *Lateness* is how much later than its stamp says a frame comes, compared with the first one. Its least value in 10 s
/// is free of what a network adds for a moment, so a clock that drifts shows in it as a straight line.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    first: Option<(Instant, MediaTime)>,
    stamps: Stamps,
    /// When the newest frame of the measured track came.
    came: Option<Instant>,
    /// When a frame of any track came last.
    heard: Option<Instant>,
    /// Least lateness in the window that fills, in microseconds.
    least: Option<i64>,
    windows: Ring<i64, WINDOWS>,
    /// The second that fills has had a stall.
    stalled: bool,
    /// One bit for each second, the newest lowest: it has had a stall.
    stalls: u64,
    seconds: u32,
}

impl Arrival {
    /// A frame of any track has come.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// A frame of the track that is measured.
    pub(super) fn push(&mut self, now: Instant, time: MediaTime) {
        let before = self.came.replace(now);
        let step = self.stamps.push(time);
        if step == Step::Jump {
            self.first = None;
            self.least = None;
            self.windows = Ring::default();
        }
        let (began, zero) = *self.first.get_or_insert((now, time));
        let lateness = micros(now.saturating_duration_since(began)) - time.micros_since(zero);
        let least = self.least.get_or_insert(lateness);
        *least = lateness.min(*least);
        let usual = self
            .windows
            .newest_first()
            .take(USUAL_WINDOWS)
            .fold(*least, i64::min);
        let gap = match (before, step) {
            (Some(before), Step::On(step)) => {
                micros(now.saturating_duration_since(before)) - i64::from(step)
            }
            _ => 0,
        };
        self.stalled |= gap > GAP_MAX || lateness - usual > LATE_MAX;
    }

    /// To be called once a second. `ours`: it was this server that was late, not the host.
    pub(super) fn second(&mut self, now: Instant, ours: bool) {
        let silent = self
            .heard
            .is_some_and(|heard| now.saturating_duration_since(heard) > SILENCE_MAX);
        let stalled = std::mem::take(&mut self.stalled) || silent;
        self.stalls = self.stalls << 1 | u64::from(stalled && !ours);
        self.seconds = self.seconds.saturating_add(1);
        if self.seconds.is_multiple_of(WINDOW)
            && let Some(least) = self.least.take()
        {
            self.windows.push(least);
        }
    }

    pub(super) fn stalls(&self) -> Verdict {
        let within = |seconds: u32| (self.stalls & ((1 << seconds) - 1)).count_ones();
        if within(STALLS_WITHIN) >= STALLS_MIN {
            return Verdict::Found(Advisory::UploadStalls);
        }
        if self.seconds >= CALM_FIRST && within(CALM) == 0 {
            return Verdict::Fine;
        }
        Verdict::Unknown
    }

    pub(super) fn drift(&self) -> Verdict {
        if self.windows.len() < WINDOWS {
            return Verdict::Unknown;
        }
        let newest = self.windows.newest_first();
        let steps = newest
            .zip(self.windows.newest_first().skip(1))
            .map(|(later, earlier)| later - earlier);
        let sum: i64 = steps.clone().sum();
        let mean = sum / (WINDOWS as i64 - 1);
        if mean.abs() < DRIFT_FINE {
            return Verdict::Fine;
        }
        // A line, not a network's moods.
        let straight = steps
            .clone()
            .all(|step| (mean.abs() * 3 / 10..=mean.abs() * 2).contains(&(step * mean.signum())));
        if !straight || !(DRIFT_MIN..=DRIFT_MAX).contains(&mean.abs()) {
            return Verdict::Unknown;
        }
        let hour = mean * 360 / 1_000;
        Verdict::Found(Advisory::TimestampsDrift {
            millis_per_hour: i32::try_from(hour).unwrap_or(i32::MAX),
        })
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// A frame that comes so much later after the one before than their stamps are apart, in microseconds: viewers see a
/// freeze.
const GAP_MAX: i64 = 500_000;
/// So much later than usual is a stall, too, in microseconds: a slow link's queue.
const LATE_MAX: i64 = 1_000_000;
/// No frame at all for so long is a stall.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// So many seconds with a stall are told of,
const STALLS_MIN: u32 = 3;
/// within so many.
const STALLS_WITHIN: u32 = 60;
/// Seconds without a stall after which all is well,
const CALM: u32 = 30;
/// when so many seconds have passed at all.
const CALM_FIRST: u32 = 10;
/// In seconds.
const WINDOW: u32 = 10;
/// Drift is looked for over a minute.
const WINDOWS: usize = 7;
/// Windows whose least lateness is the usual one, beside the present one.
const USUAL_WINDOWS: usize = 2;
/// Drift in 10 s that is told of, in microseconds: 0.1 % is ten times a bad crystal's.
const DRIFT_MIN: i64 = 10_000;
/// More than that is no clock, but a link that can't keep up.
const DRIFT_MAX: i64 = 500_000;
/// Less than that is none.
const DRIFT_FINE: i64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// A host for `seconds`, 25 frames each: `came` says when the frame stamped so comes, in milliseconds.
    fn of(seconds: u64, came: impl Fn(u64) -> u64) -> Arrival {
        stamped(seconds, came, |stamp| i64::try_from(stamp).unwrap())
    }

    /// The same of a host whose clock goes as `clock` says.
    fn stamped(seconds: u64, came: impl Fn(u64) -> u64, clock: impl Fn(u64) -> i64) -> Arrival {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut arrival = Arrival::default();
        let mut second = 1_000;
        for stamp in (0..seconds * 1_000).step_by(40) {
            let now = came(stamp);
            while second <= now {
                arrival.second(at(second), false);
                second += 1_000;
            }
            arrival.heard(at(now));
            arrival.push(at(now), MediaTime::from_millis(clock(stamp)));
        }
        arrival
    }

    #[test]
    fn a_network_that_jitters_is_fine() {
        let fine = of(120, |stamp| stamp + stamp * 7_919 % 150);
        assert_eq!(
            (fine.stalls(), fine.drift()),
            (Verdict::Fine, Verdict::Fine)
        );
        assert_eq!(of(5, |stamp| stamp).stalls(), Verdict::Unknown);
    }

    #[test]
    fn an_upload_in_bursts_stalls_and_is_fine_again_half_a_minute_later() {
        let bursts = |stamp: u64| {
            if stamp < 40_000 {
                stamp.next_multiple_of(2_000)
            } else {
                stamp
            }
        };
        assert_eq!(
            of(30, bursts).stalls(),
            Verdict::Found(Advisory::UploadStalls)
        );
        assert_eq!(of(120, bursts).stalls(), Verdict::Fine);
        // A freeze of three quarters of a second is one, though nothing is a second late.
        let short = of(30, |stamp| stamp.next_multiple_of(800));
        assert_eq!(short.stalls(), Verdict::Found(Advisory::UploadStalls));
        // Once is nothing.
        let once = |stamp: u64| {
            if stamp < 20_000 {
                stamp
            } else {
                stamp.max(21_200)
            }
        };
        assert_eq!(of(40, once).stalls(), Verdict::Unknown);
    }

    #[test]
    fn silence_is_a_stall_unless_it_is_ours() {
        for (ours, expected) in [
            (false, Verdict::Found(Advisory::UploadStalls)),
            (true, Verdict::Unknown),
        ] {
            let start = Instant::now();
            let mut arrival = Arrival::default();
            arrival.heard(start);
            arrival.push(start, MediaTime::ZERO);
            for second in 1..=6 {
                arrival.second(start + Duration::from_secs(second), ours);
            }
            assert_eq!(arrival.stalls(), expected);
        }
    }

    #[test]
    fn a_clock_that_jumps_is_no_stall_and_no_drift() {
        for jump in [3_600_000, -3_600_000] {
            let clock = |stamp: u64| {
                let stamp = i64::try_from(stamp).unwrap();
                stamp + if stamp / 20_000 % 2 == 1 { jump } else { 0 }
            };
            let jumpy = stamped(60, |stamp| stamp, clock);
            assert_eq!(jumpy.stalls(), Verdict::Fine, "{jump}");
            assert_eq!(jumpy.drift(), Verdict::Unknown, "{jump}");
        }
    }

    #[test]
    fn another_way_through_the_network_is_no_drift() {
        let longer = of(100, |stamp| stamp + if stamp < 50_000 { 0 } else { 300 });
        assert_eq!(longer.drift(), Verdict::Unknown);
        assert_eq!(longer.stalls(), Verdict::Fine);
    }

    #[test]
    fn a_link_that_gets_ever_slower_stalls_and_is_no_clock() {
        let slow = of(80, |stamp| stamp + stamp / 10);
        assert_eq!(slow.stalls(), Verdict::Found(Advisory::UploadStalls));
        assert_eq!(slow.drift(), Verdict::Unknown);
    }

    #[test]
    fn a_clock_that_is_slow_or_fast_drifts() {
        let slow = of(100, |stamp| stamp + stamp / 200 + stamp * 7_919 % 20);
        let Verdict::Found(Advisory::TimestampsDrift { millis_per_hour }) = slow.drift() else {
            panic!("{:?}", slow.drift());
        };
        assert!(
            (17_000..19_000).contains(&millis_per_hour),
            "{millis_per_hour}"
        );
        assert_eq!(slow.stalls(), Verdict::Fine);
        let fast = of(100, |stamp| stamp - stamp / 500);
        let Verdict::Found(Advisory::TimestampsDrift { millis_per_hour }) = fast.drift() else {
            panic!("{:?}", fast.drift());
        };
        assert!(
            (-7_500..-6_900).contains(&millis_per_hour),
            "{millis_per_hour}"
        );
        // A crystal's usual error.
        assert_eq!(
            of(100, |stamp| stamp + stamp / 10_000).drift(),
            Verdict::Fine
        );
    }
}
