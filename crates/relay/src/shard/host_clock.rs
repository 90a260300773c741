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
    /// The next picture came. Returns how late, by those before it, in microseconds; less than zero: early. Zero of one that
    /// says nothing of the host's clock.
    pub(crate) fn push(&mut self, batch: &Batch) -> i64 {
        let anew = Line {
            at: batch.received,
            rtp_time: batch.rtp_time,
            weight: 1,
        };
        let known = self.line.and_then(|line| Some((line, line.late(batch)?)));
        let (line, late) = match known {
            Some((line, late)) if (-STRAY_EARLY..=STRAY).contains(&late) => {
                (line.with(batch.rtp_time, late), late)
            }
            // The host is held up, and his clock goes on.
            Some((line, late)) if late > STRAY && line.weight >= TRUSTED => {
                (line.moved_to(batch.rtp_time), 0)
            }
            _ => (None, 0),
        };
        self.line = Some(line.unwrap_or(anew));
        late
    }

    /// How many pictures speak for it, up to 32.
    pub(crate) fn weight(&self) -> i64 {
        self.line.map_or(0, |line| line.weight)
    }

    /// Whether so many pictures speak for it that one alone changes little.
    pub(crate) fn is_settled(&self) -> bool {
        self.weight() == MEMORY
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

    /// When a picture of this RTP time comes, or came; `None` before the first.
    pub(crate) fn when(&self, rtp_time: u32) -> Option<Instant> {
        self.line?.when(rtp_time)
    }
}

impl Line {
    fn when(self, rtp_time: u32) -> Option<Instant> {
        let ticks = i64::from(rtp_time.wrapping_sub(self.rtp_time).cast_signed());
        moved(self.at, ticks * 100 / 9)
    }

    /// How late `batch` is, in microseconds; less than zero: early.
    fn late(self, batch: &Batch) -> Option<i64> {
        let expected = self.when(batch.rtp_time)?;
        let early = expected.saturating_duration_since(batch.received);
        let late = batch.received.saturating_duration_since(expected);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Some(micros(late) - micros(early))
    }

    /// The line that goes through a picture of time `rtp_time`, too, which is `late` microseconds off this one.
    fn with(self, rtp_time: u32, late: i64) -> Option<Self> {
        let weight = (self.weight + 1).min(MEMORY);
        let shift = late.clamp(-SWAY, SWAY) / weight;
        let line = self.moved_to(rtp_time)?;
        Some(Self {
            at: moved(line.at, shift)?,
            weight,
            ..line
        })
    }

    /// The same line, by its point at `rtp_time`.
    fn moved_to(self, rtp_time: u32) -> Option<Self> {
        Some(Self {
            at: self.when(rtp_time)?,
            rtp_time,
            ..self
        })
    }
}

fn moved(at: Instant, micros: i64) -> Option<Instant> {
    let by = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 {
        at.checked_sub(by)
    } else {
        at.checked_add(by)
    }
}

/// Pictures after which one has lost most of its weight: 1 s at 30 a second. A clock that is 100 parts in a million off
/// is followed with a lag of 0.1 ms.
const MEMORY: i64 = 32;
/// A picture that is further off, in microseconds, counts as if it were this far off: a host who is held up for a moment, and
/// then sends all that waited at once, keeps his clock.
const SWAY: i64 = 30_000;
/// A picture later than this, in microseconds, has been held up, and those behind it come faster than they should. It says
/// nothing of the clock, however long that goes on: what viewers are sent meanwhile has the times at which it is sent.
const STRAY: i64 = 250_000;
/// One this early stands for a new line: the line is of pictures that all had been held up.
const STRAY_EARLY: i64 = 50_000;
/// A line of fewer pictures may be of one that came early, and a late one begins it anew.
const TRUSTED: i64 = 8;

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
    fn a_clock_that_goes_wrong_slowly_is_followed_and_a_host_who_is_held_up_keeps_his() {
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
        let before = off(&clock, 600);
        for n in 600..700 {
            clock.push(&batch(start, n, 3_000));
        }
        assert_eq!(off(&clock, 700), before, "held up for 3 s");
        clock.push(&batch(start, 701, -40));
        assert_eq!(off(&clock, 701), 40, "and had been so all the time");
    }

    #[test]
    fn a_line_of_few_pictures_is_not_kept_against_those_that_follow() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        clock.push(&batch(start, 0, -700));
        for n in 1..4 {
            clock.push(&batch(start, n, 0));
        }
        assert!(off(&clock, start, 4).abs() <= 1);
        for n in 4..20 {
            clock.push(&batch(start, n, 0));
        }
        clock.push(&batch(start, 20, 700));
        assert!(off(&clock, start, 20).abs() <= 1);
    }
}
