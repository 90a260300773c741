use std::time::{Duration, Instant};

use zongzi_media::{Frame, MediaTime};

use crate::host_clock::HostClock;
use crate::packetize::rtp_time;
use crate::packetize::video_clock::CLOCK_RATE;

/// Keeps sound live when a host's uplink stands still and what he sent meanwhile comes at once.
///
/// A browser plays sound as fast as it was made. If three seconds come at once it is late for a quarter of a minute (RTP.md 30),
/// and with lip sync so is the picture. So what would be heard late only because other sound is heard before it is left out
/// here, once for all viewers: of a host who catches up in one burst the burst, of one who does so slowly as many short
/// pieces as make his speech fast.
///
/// Sound that is late for as long as a queue stands in the uplink is sent: it comes as fast as it is made. But its times then
/// say when it is sent and not when it was made, as do those of the pictures that come with it (`viewer/stamps.rs`), or a
/// browser would bring together what is together. See docs/decisions/0010-hosts-who-are-held-up.md.
#[derive(Debug, Default)]
pub(super) struct SoundInTime {
    clock: HostClock,
    /// What times are moved by.
    shift: Duration,
    /// The host's time of the frame before.
    before: Option<MediaTime>,
    /// What the last one that was sent has as its time.
    given: Option<MediaTime>,
    /// Frames are left out until one is in time behind those that were sent.
    leaves_out: bool,
    /// Since when frames come later than they are said to, by [`LATER_MIN`].
    later_since: Option<Instant>,
    /// Until when a browser that plays what comes has something to play.
    heard_until: Option<Instant>,
    /// More than that waits in browsers, whoever is to blame: frames are left out until it is played.
    full: bool,
}

impl SoundInTime {
    /// A frame came at `now`. Returns whether it is to be sent; it then has the time that it is to be sent with.
    pub(super) fn admit(&mut self, now: Instant, frame: &mut Frame) -> bool {
        self.clock.frame(now, rtp_time(frame.pts, CLOCK_RATE));
        let late = self.clock.held_up().unwrap_or_default();
        let before = self.before.replace(frame.pts);
        let step = before.map_or(Duration::ZERO, |before| frame.pts.saturating_since(before));
        let begins = self.shift.is_zero() && !late.is_zero();
        let later = late > self.shift + LATER_MIN;
        self.later_since = later.then(|| self.later_since.unwrap_or(now));
        let lasts = |since: Instant| now.saturating_duration_since(since) >= STAYS;
        let stays = self.later_since.is_some_and(lasts);
        let later = if stays { LATER_MIN } else { LATER_AT_ONCE };
        if begins || late > self.shift + later {
            self.shift = late;
        } else if self.shift > late + AHEAD_MAX || late.is_zero() && !self.shift.is_zero() {
            self.leaves_out = true;
        }
        if self.leaves_out {
            let end = self
                .given
                .map(|given| given.saturating_add(step.min(STEP_MAX)));
            if end.is_some_and(|end| frame.pts.saturating_add(late) < end) {
                return false;
            }
            self.leaves_out = false;
            self.shift = late;
        }
        if !self.has_room(now, step) {
            return false;
        }
        frame.pts = frame.pts.saturating_add(self.shift);
        frame.dts = frame.dts.saturating_add(self.shift);
        self.given = Some(frame.pts);
        true
    }

    /// Whether a frame of that length may be sent without making all that follow late.
    fn has_room(&mut self, now: Instant, step: Duration) -> bool {
        let until = self.heard_until.map_or(now, |until| until.max(now));
        let waits = until.saturating_duration_since(now);
        self.full = waits > if self.full { AHEAD_MAX } else { WAITS_MAX };
        if !self.full {
            // A little less, for hosts whose clock is faster than ours.
            self.heard_until = Some(until + step.min(STEP_MAX) * 998 / 1_000);
        }
        !self.full
    }
}

/// Sound that comes later than it is said to by so much, and does so for [`STAYS`], is then said to come that late. One big
/// keyframe blocks an uplink for less.
const LATER_MIN: Duration = Duration::from_millis(150);
const STAYS: Duration = Duration::from_secs(1);
/// By so much: the uplink has stood still once more.
const LATER_AT_ONCE: Duration = Duration::from_millis(500);
/// What waits in browsers is never more, also of a host whom nothing showed to be held up: his uplink became slow so slowly
/// that his clock seemed to.
const WAITS_MAX: Duration = Duration::from_millis(500);
/// No more than this goes before its time: a browser takes all that follows for as much too late, and makes its buffer that
/// much longer for a minute.
const AHEAD_MAX: Duration = Duration::from_millis(60);
/// The most that one frame is taken to last.
const STEP_MAX: Duration = Duration::from_millis(128);

#[cfg(test)]
mod tests;
