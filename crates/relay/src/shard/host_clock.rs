use std::time::{Duration, Instant};

use crate::packetize::Batch;

/// When a host's pictures come, by their RTP times: a straight line through the newest ones.
///
/// Each picture alone comes some milliseconds early or late (ffmpeg's `-re`: 13 ms either way). Who must tell which
/// picture would come at this moment, where none does, asks here and not the newest one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HostClock {
    line: Option<Line>,
}

/// A picture of time `rtp_time` would have come at `at`.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: Instant,
    rtp_time: u32,
    /// Pictures that speak for it, up to [`MEMORY`].
    weight: i64,
}

impl HostClock {
    /// The next picture came.
    pub(crate) fn push(&mut self, batch: &Batch) {
        let line = self.line.and_then(|line| line.with(batch));
        self.line = Some(line.unwrap_or(Line {
            at: batch.received,
            rtp_time: batch.rtp_time,
            weight: 1,
        }));
    }

    /// The RTP time of a picture that came at `now`; `None` before the first.
    pub(crate) fn rtp_time(&self, now: Instant) -> Option<u32> {
        let line = self.line?;
        let ticks = |time: Duration| {
            u32::try_from(time.as_micros().saturating_mul(9) / 100).unwrap_or(u32::MAX)
        };
        let since = now.checked_duration_since(line.at).map(ticks);
        let until = ticks(line.at.saturating_duration_since(now));
        Some(match since {
            Some(since) => line.rtp_time.wrapping_add(since),
            None => line.rtp_time.wrapping_sub(until),
        })
    }
}

impl Line {
    /// The line that goes through `batch`, too; `None` when it is too far off.
    fn with(self, batch: &Batch) -> Option<Self> {
        let ticks = u64::from(batch.rtp_time.wrapping_sub(self.rtp_time));
        let expected = self
            .at
            .checked_add(Duration::from_micros(ticks * 100 / 9))?;
        let early = expected.saturating_duration_since(batch.received);
        let late = batch.received.saturating_duration_since(expected);
        if early.max(late) > STRAY {
            return None;
        }
        let weight = (self.weight + 1).min(MEMORY);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(0);
        let shift = (micros(late) - micros(early)) / weight;
        let by = Duration::from_micros(shift.unsigned_abs());
        let at = if shift < 0 {
            expected.checked_sub(by)
        } else {
            expected.checked_add(by)
        };
        Some(Self {
            at: at?,
            rtp_time: batch.rtp_time,
            weight,
        })
    }
}

/// Pictures after which one has lost most of its weight: 1 s at 30 a second. A clock that is 100 parts in a million off
/// is followed with a lag of 0.1 ms.
const MEMORY: i64 = 32;
/// A picture this far off its time stands for a new line: the host has paused, or another one goes on.
const STRAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetize::BatchKind;

    const MS: Duration = Duration::from_millis(1);
    const FIRST: u32 = u32::MAX - 40_000;

    /// Picture `n` of 30 a second, `late` ms after its time.
    fn batch(start: Instant, n: u32, late: i32) -> Batch {
        let due = start + MS * 1_000 + Duration::from_micros(33_333) * n;
        let off = MS * late.unsigned_abs();
        let received = if late < 0 { due - off } else { due + off };
        let time = FIRST.wrapping_add(n * 3_000);
        let kind = BatchKind::Video { keyframe: false };
        Batch::new(
            kind,
            n.into(),
            0,
            time,
            received,
            Box::default(),
            Box::default(),
        )
    }

    /// Ticks from the time that picture `n` has to what the clock says when it is due.
    fn off(clock: &HostClock, start: Instant, n: u32) -> i32 {
        let due = start + MS * 1_000 + Duration::from_micros(33_333) * n;
        let said = clock.rtp_time(due).unwrap();
        said.wrapping_sub(FIRST.wrapping_add(n * 3_000))
            .cast_signed()
    }

    #[test]
    fn pictures_that_come_unevenly_give_an_even_clock() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        assert_eq!(clock.rtp_time(start), None);
        for n in 0..300 {
            clock.push(&batch(start, n, [-13, 0, 13, -6, 6][n as usize % 5]));
            let least = if n < 32 { 14 * 90 } else { 90 };
            for asked in [n, n.saturating_sub(60), n + 20] {
                let off = off(&clock, start, asked);
                assert!(off.abs() <= least, "{n}: {off} ticks at {asked}");
            }
        }
    }

    #[test]
    fn a_clock_that_goes_wrong_slowly_is_followed_and_a_jump_begins_anew() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        for n in 0..600 {
            clock.push(&batch(start, n, i32::try_from(n / 30).unwrap()));
        }
        let off = |clock: &HostClock, n| off(clock, start, n) / 90;
        assert!(
            (-20..=-18).contains(&off(&clock, 599)),
            "{}",
            off(&clock, 599)
        );
        clock.push(&batch(start, 600, 400));
        assert_eq!(off(&clock, 600), -400);
        clock.push(&batch(start, 601, 0));
        assert_eq!(off(&clock, 601), 0);
    }
}
