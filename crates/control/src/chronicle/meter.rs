use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Rates over the last few seconds, and over all.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    /// When, bytes and pictures by then; the oldest first, the newest [`SPAN`] and one more.
    readings: VecDeque<(Instant, u64, u64)>,
}

/// What a rate is taken over.
const SPAN: Duration = Duration::from_secs(5);
/// Readings closer together than this count as one: events come in swarms.
const APART: Duration = Duration::from_millis(500);
/// Rates over less than this say nothing.
const SPAN_MIN: Duration = Duration::from_secs(1);

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            readings: VecDeque::from([(now, 0, 0)]),
        }
    }

    /// By `now` so many bytes and pictures have come.
    pub(super) fn read(&mut self, now: Instant, bytes: u64, frames: u64) {
        let close = self
            .readings
            .iter()
            .nth_back(1)
            .is_some_and(|(before, ..)| now.saturating_duration_since(*before) < APART);
        if close {
            self.readings.pop_back();
        }
        self.readings.push_back((now, bytes, frames));
        while self
            .readings
            .get(1)
            .is_some_and(|(at, ..)| now.saturating_duration_since(*at) >= SPAN)
        {
            self.readings.pop_front();
        }
    }

    /// Bits a second of late.
    pub(super) fn bitrate_bps(&self) -> u64 {
        let Some((span, bytes, _)) = self.of_late() else {
            return 0;
        };
        per_second(bytes.saturating_mul(8), span)
    }

    /// Pictures a second of late, to a tenth.
    pub(super) fn frames_per_second(&self) -> f64 {
        let Some((span, _, frames)) = self.of_late() else {
            return 0.0;
        };
        let tenths = u32::try_from(per_second(frames.saturating_mul(10), span));
        f64::from(tenths.unwrap_or(u32::MAX)) / 10.0
    }

    /// Bits a second since the start; `None` in the first second.
    pub(super) fn average_bps(&self, now: Instant, bytes: u64) -> Option<u64> {
        let span = now.saturating_duration_since(self.started);
        (span >= SPAN_MIN).then(|| per_second(bytes.saturating_mul(8), span))
    }

    fn of_late(&self) -> Option<(Duration, u64, u64)> {
        let (first, last) = (self.readings.front()?, self.readings.back()?);
        let span = last.0.saturating_duration_since(first.0);
        (span >= SPAN_MIN).then(|| {
            (
                span,
                last.1.saturating_sub(first.1),
                last.2.saturating_sub(first.2),
            )
        })
    }
}

fn per_second(amount: u64, span: Duration) -> u64 {
    let per_second = u128::from(amount) * 1_000_000 / span.as_micros().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds_and_the_average_is_of_all() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(start);
        assert_eq!(
            (meter.bitrate_bps(), meter.average_bps(at(900), 10)),
            (0, None)
        );
        for second in 1..=20_u64 {
            // 1,000 bytes and 25 pictures a second, and from the tenth on twice as many bytes.
            let bytes = second * 1_000 + second.saturating_sub(10) * 1_000;
            // Events in between change nothing.
            meter.read(at(second * 1_000), bytes, second * 25);
            meter.read(at(second * 1_000 + 1), bytes, second * 25);
        }
        assert!(meter.readings.len() <= 12, "{}", meter.readings.len());
        let rate = meter.bitrate_bps();
        assert!((15_900..=16_100).contains(&rate), "{rate}");
        let frames = meter.frames_per_second();
        assert!((24.9..=25.1).contains(&frames), "{frames}");
        assert_eq!(meter.average_bps(at(20_000), 30_000), Some(12_000));
    }
}
