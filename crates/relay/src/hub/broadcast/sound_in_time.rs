use std::time::{Duration, Instant};

use zongzi_media::{Frame, MediaTime};

/// Keeps sound live when a host's uplink stands still and what he sent meanwhile comes at once.
///
/// A browser plays sound as fast as it was made. If three seconds come at once it is late for a quarter of a minute (RTP.md 30),
/// and with lip sync so is the picture. So what would be heard late only because other sound is heard before it is left out
/// here, once for all viewers: of a host who catches up in one burst the burst, of one who does so slowly as many short
/// pieces as make his speech fast.
///
/// Sound that is late for as long as a queue stands in the uplink is sent: it comes as fast as it is made. But its times then
/// say when it is sent and not when it was made, as do those of the pictures that come with it (`viewer/stamps.rs`), or a
/// browser would bring together what is together.
///
/// A host who is held up for a moment again and again is left to the browsers, which then play everything a little later:
/// a hole each time would be worse. See docs/decisions/0010-hosts-who-are-held-up.md.
#[derive(Debug, Default)]
pub(super) struct SoundInTime {
    clock: Clock,
    /// What times are moved by.
    shift: Duration,
    /// The host's time of the frame before.
    before: Option<MediaTime>,
    /// What the last one that was sent has as its time.
    given: Option<MediaTime>,
    /// Frames are left out until one is in time behind those that were sent.
    leaves_out: bool,
    /// Until then it is known that he is held up now and then.
    uneven_until: Option<Instant>,
}

/// How much later than it should a host's sound comes.
#[derive(Debug, Default)]
struct Clock {
    started: Option<Instant>,
    /// How long after its time a frame comes that nothing holds up, in microseconds since the start.
    least: Option<i64>,
    /// Frames that speak for it, up to [`TRUSTED`].
    weight: u8,
    /// When the last one came.
    came: Option<Instant>,
}

impl SoundInTime {
    /// A frame came at `now`. Returns whether it is to be sent; it then has the time that it is to be sent with.
    pub(super) fn admit(&mut self, now: Instant, frame: &mut Frame) -> bool {
        let late = self.clock.late(now, frame.pts);
        let before = self.before.replace(frame.pts);
        let step = before.map_or(Duration::ZERO, |before| frame.pts.saturating_since(before));
        let fitting = if late > IN_TIME { late } else { Duration::ZERO };
        let uneven = self.uneven_until.is_some_and(|until| now < until);
        if late > HELD_UP {
            self.uneven_until = Some(now + UNEVEN);
        }
        if late > self.shift + if uneven { HELD_UP_AGAIN } else { HELD_UP } {
            self.shift = fitting;
        } else if self.shift > late + BACKLOG_MAX || self.shift > fitting && late <= IN_TIME {
            self.leaves_out = true;
        }
        if self.leaves_out {
            let end = self
                .given
                .map(|given| given.saturating_add(step.min(STEP_MAX)));
            if end.is_some_and(|end| frame.pts.saturating_add(fitting) < end) {
                return false;
            }
            self.leaves_out = false;
            self.shift = fitting;
        }
        frame.pts = frame.pts.saturating_add(self.shift);
        frame.dts = frame.dts.saturating_add(self.shift);
        self.given = Some(frame.pts);
        true
    }
}

impl Clock {
    /// How late a frame of the time `time` is that comes at `now`.
    fn late(&mut self, now: Instant, time: MediaTime) -> Duration {
        let started = *self.started.get_or_insert(now);
        let since = |then: Instant| micros(now.saturating_duration_since(then));
        let after = since(started).saturating_sub(time.as_micros());
        let passed = self.came.map_or(0, since);
        self.came = Some(now);
        let least = *self.least.get_or_insert(after);
        let late = after.saturating_sub(least);
        if late > micros(HELD_UP) && self.weight < TRUSTED {
            (self.least, self.weight) = (Some(after), 1);
            return Duration::ZERO;
        }
        self.weight = (self.weight + 1).min(TRUSTED);
        // A host's clock may be slower than ours. While he is held up it can't be seen.
        let slower = if late > micros(HELD_UP) {
            0
        } else {
            passed / DRIFT
        };
        self.least = Some(least.saturating_add(late.min(slower)));
        Duration::from_micros(u64::try_from(late).unwrap_or(0))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Sound that comes so much later than what is being heard has been held up: viewers have heard nothing for as long. Pictures
/// are at live no more from the same on.
const HELD_UP: Duration = Duration::from_millis(250);
/// The same of a host who was held up not long ago: half a second is what viewers were promised.
const HELD_UP_AGAIN: Duration = Duration::from_millis(500);
/// Not long ago.
const UNEVEN: Duration = Duration::from_secs(30);
/// Sound that is late by less is live, as pictures are.
const IN_TIME: Duration = Duration::from_millis(200);
/// No more than this goes before its time: a browser takes all that follows for as much too late, and makes its buffer that
/// much longer for a minute.
const BACKLOG_MAX: Duration = Duration::from_millis(60);
/// The most that one frame is taken to last.
const STEP_MAX: Duration = Duration::from_millis(128);
/// The first of fewer frames may have come early by a mistake of the host's.
const TRUSTED: u8 = 8;
/// A host's clock is not slower than ours by more than one part in so many.
const DRIFT: i64 = 2_000;

#[cfg(test)]
mod tests;
