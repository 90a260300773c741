use std::time::{Duration, Instant};

use crate::packetize::Batch;
use crate::rendition::Rendition;

/// When a host's frames come, by their times in ticks of 90 kHz: a straight line through the newest ones; and whether they
/// are held up.
///
/// Each frame alone comes some milliseconds early or late (ffmpeg's `-re`: 13 ms either way). Who must tell which
/// picture would come at this moment, where none does, asks here and not the newest one.
///
/// Where an uplink stands still its frames come late, and then faster than they should. They say nothing of the host's clock,
/// which goes on meanwhile, for as long as that takes. What viewers are sent then has the times at which it is sent
/// (docs/decisions/0010-hosts-who-are-held-up.md). That is decided here, for pictures and for sound, so that it is the same
/// for both, and for all who watch: a shard that begins while a host is held up has the hub's clock of his pictures.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock {
    line: Option<Line>,
    /// How late the newest frame is, in microseconds, if it is held up.
    held_up: Option<i64>,
    /// Until then it is known that he is held up now and then.
    uneven_until: Option<Instant>,
    /// Of the newest picture.
    rendition: Option<Rendition>,
}

/// A frame of time `rtp_time` would have come at `at`.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: Instant,
    rtp_time: u32,
    /// Frames that speak for it, up to [`MEMORY`].
    weight: i64,
}

impl HostClock {
    /// The next picture came. Returns how late, by those before it, in microseconds; less than zero: early. Zero of one that
    /// says nothing of the host's clock.
    pub(crate) fn picture(&mut self, batch: &Batch) -> i64 {
        let before = self.rendition.replace(batch.rendition());
        let begins = batch.rendition() == Rendition::Reencoded && before != self.rendition;
        if begins && self.held_up.is_none() {
            // Its pictures come later after their own times.
            self.line = None;
        }
        self.frame(batch.received, batch.rtp_time)
    }

    /// The same of any frame, received at `now`.
    pub(crate) fn frame(&mut self, now: Instant, rtp_time: u32) -> i64 {
        let anew = Line {
            at: now,
            rtp_time,
            weight: 1,
        };
        // Ticks tell hours apart only up to six.
        let fresh = |line: &Line| now.saturating_duration_since(line.at) < FORGOTTEN;
        let known = self
            .line
            .filter(fresh)
            .and_then(|line| Some((line, line.late(now, rtp_time)?)));
        let strays =
            |line: Line, late: i64| late < -STRAY_EARLY || late > HELD_UP && line.weight < TRUSTED;
        let Some((line, late)) = known.filter(|(line, late)| !strays(*line, *late)) else {
            (self.line, self.held_up) = (Some(anew), None);
            return 0;
        };
        if self.is_held_up_by(now, late) {
            self.held_up = Some(late);
            self.line = Some(line.moved_to(rtp_time).unwrap_or(anew));
            return 0;
        }
        self.held_up = None;
        self.line = Some(line.with(rtp_time, late).unwrap_or(anew));
        late
    }

    fn is_held_up_by(&mut self, now: Instant, late: i64) -> bool {
        let uneven = self.uneven_until.is_some_and(|until| now < until);
        if late > HELD_UP {
            self.uneven_until = Some(now + UNEVEN);
        }
        late > match (self.held_up, uneven) {
            (Some(_), _) => IN_TIME,
            (None, true) => HELD_UP_AGAIN,
            (None, false) => HELD_UP,
        }
    }

    /// How late the newest frame came, if it was held up.
    pub(crate) fn held_up(&self) -> Option<Duration> {
        let late = u64::try_from(self.held_up?).ok()?;
        Some(Duration::from_micros(late))
    }

    /// How many pictures speak for it, up to 32.
    pub(crate) fn weight(&self) -> i64 {
        self.line.map_or(0, |line| line.weight)
    }

    /// Whether so many pictures speak for it that one alone changes little.
    pub(crate) fn is_settled(&self) -> bool {
        self.weight() == MEMORY
    }

    /// The time of a frame that came at `now`; `None` before the first.
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

    /// When a frame of this time comes, or came; `None` before the first.
    pub(crate) fn when(&self, rtp_time: u32) -> Option<Instant> {
        self.line?.when(rtp_time)
    }
}

impl Line {
    fn when(self, rtp_time: u32) -> Option<Instant> {
        let ticks = i64::from(rtp_time.wrapping_sub(self.rtp_time).cast_signed());
        moved(self.at, ticks * 100 / 9)
    }

    /// How late a frame is that came at `now`, in microseconds; less than zero: early.
    fn late(self, now: Instant, rtp_time: u32) -> Option<i64> {
        let expected = self.when(rtp_time)?;
        let early = expected.saturating_duration_since(now);
        let late = now.saturating_duration_since(expected);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Some(micros(late) - micros(early))
    }

    /// The line that goes through a frame of time `rtp_time`, too, which is `late` microseconds off this one.
    fn with(self, rtp_time: u32, late: i64) -> Option<Self> {
        let weight = (self.weight + 1).min(MEMORY);
        let late = late.clamp(-SWAY, SWAY);
        let shift = if self.weight < MEMORY {
            late / weight
        } else {
            // By the time that has passed: pictures and sound are to be followed alike.
            let ticks = rtp_time.wrapping_sub(self.rtp_time).cast_signed();
            late * i64::from(ticks.clamp(0, STEP_MAX)) / (MEMORY * FRAME)
        };
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

/// Pictures at 30 a second after which one has lost most of its weight: 1 s. A clock that is 100 parts in a million off
/// is followed with a lag of 0.1 ms.
const MEMORY: i64 = 32;
/// Such a picture, in ticks.
const FRAME: i64 = 3_000;
/// The most that one frame stands for: 100 ms.
const STEP_MAX: i32 = 9_000;
/// A frame that is further off, in microseconds, counts as if it were this far off: a host who is held up for a moment, and
/// then sends all that waited at once, keeps his clock.
const SWAY: i64 = 30_000;
/// A frame later than this, in microseconds, is held up: viewers have seen and heard nothing for as long.
const HELD_UP: i64 = 250_000;
/// The same of a host who was held up not long ago. Who is again and again is left to the browsers, which then play
/// everything a little later: half a second is what viewers were promised.
const HELD_UP_AGAIN: i64 = 500_000;
/// Not long ago.
const UNEVEN: Duration = Duration::from_secs(30);
/// Who was held up is in time again when he is late by no more.
const IN_TIME: i64 = 200_000;
/// A frame this early stands for a new line: the line is of frames that all had been held up.
const STRAY_EARLY: i64 = 50_000;
/// A line through frames that came so long ago is none.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// A line of fewer frames may be of one that came early, and a late one begins it anew.
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
            clock.picture(&batch(start, n, [-13, 0, 13, -6, 6][n as usize % 5]));
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
            clock.picture(&batch(start, n, i32::try_from(n / 30).unwrap()));
        }
        let off = |clock: &HostClock, n| off(clock, start, n) / 90;
        assert!(
            (-20..=-18).contains(&off(&clock, 599)),
            "{}",
            off(&clock, 599)
        );
        let before = off(&clock, 600);
        for n in 600..700 {
            clock.picture(&batch(start, n, 3_000));
        }
        assert_eq!(off(&clock, 700), before, "held up for 3 s");
        clock.picture(&batch(start, 701, -40));
        assert_eq!(off(&clock, 701), 40, "and had been so all the time");
    }

    #[test]
    fn who_is_held_up_is_so_until_he_is_in_time_and_again_only_for_longer() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        let mut n = 0;
        let mut come = |clock: &mut HostClock, late: &[i32]| -> Vec<bool> {
            let each = late.iter().map(|late| {
                clock.picture(&batch(start, n, *late));
                n += 1;
                clock.held_up().is_some()
            });
            each.collect()
        };
        assert!(!come(&mut clock, &[0; 60]).contains(&true));
        let held = come(&mut clock, &[249, 255, 400, 300, 210, 190, 230, 0]);
        assert_eq!(held, [false, true, true, true, true, false, false, false]);
        let late = clock.held_up();
        assert_eq!(late, None);
        // Within half a minute.
        let held = come(&mut clock, &[300, 480, 520, 300, 150]);
        assert_eq!(held, [false, false, true, true, false]);
        come(&mut clock, &[0; 31 * 30]);
        assert_eq!(come(&mut clock, &[300, 0]), [true, false]);
    }

    #[test]
    fn who_has_sent_nothing_for_a_night_is_not_taken_for_late() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        for n in 0..60 {
            clock.frame(start + MS * 33 * n, n * 2_970);
        }
        let night = Duration::from_secs(8 * 3_600);
        let ticks = 8 * 3_600 * 90_000;
        for n in 0..60 {
            clock.frame(start + night + MS * 33 * n, ticks + n * 2_970);
            assert_eq!(clock.held_up(), None, "{n}");
        }
    }

    #[test]
    fn pictures_and_sound_are_followed_alike() {
        // Each second 20 ms later, at 30 and at 47 frames a second.
        let slow = |frame: u32| {
            let (start, mut clock) = (Instant::now(), HostClock::default());
            let mut late = 0;
            for n in 0..30 * 90_000 / frame {
                let ticks = u64::from(n * frame);
                let now = start + Duration::from_micros(ticks * 100 / 9 * 102 / 100);
                late = clock.frame(now, n * frame);
                assert_eq!(clock.held_up(), None);
            }
            late
        };
        let (pictures, sound) = (slow(3_000), slow(1_920));
        assert!((20_000..25_000).contains(&pictures), "{pictures}");
        assert!((pictures - sound).abs() < 2_000, "{pictures}, {sound}");
    }

    #[test]
    fn a_re_encode_that_begins_while_the_host_is_held_up_is_held_up_as_he_is() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        let reencoded = |n, late| batch(start, n, late).with_rendition(Rendition::Reencoded);
        for n in 0..60 {
            clock.picture(&batch(start, n, 0));
        }
        clock.picture(&batch(start, 60, 1_000));
        clock.picture(&reencoded(61, 1_150));
        assert!(clock.held_up().is_some());
        let mut clock = HostClock::default();
        for n in 0..60 {
            clock.picture(&batch(start, n, 0));
        }
        clock.picture(&reencoded(60, 1_150));
        assert_eq!((clock.held_up(), clock.weight()), (None, 1));
    }

    #[test]
    fn a_line_of_few_pictures_is_not_kept_against_those_that_follow() {
        let (start, mut clock) = (Instant::now(), HostClock::default());
        clock.picture(&batch(start, 0, -700));
        for n in 1..4 {
            clock.picture(&batch(start, n, 0));
        }
        assert!(off(&clock, start, 4).abs() <= 1);
        for n in 4..20 {
            clock.picture(&batch(start, n, 0));
        }
        clock.picture(&batch(start, 20, 700));
        assert!(off(&clock, start, 20).abs() <= 1);
    }
}
