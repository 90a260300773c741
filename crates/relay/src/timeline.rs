//! The broadcast's own timeline: continuous, whatever a host's timestamps do.
//!
//! A host stamps its frames as it likes: from zero, from its uptime, with a 32-bit wrap, with a step when its encoder
//! restarts. Viewers must not see any of that. [`Timeline`] moves every host time by an offset so that what comes out
//! goes on where it stood.
//!
//! **How sound and picture stay together.** An offset is found once for the whole publication (a *segment*). A track
//! whose time jumps first tries the segment that another track has begun; only when that does not fit either does it
//! begin a new one. So when picture and sound jump together, in either order and with frames of both in between, they
//! keep the relation that the host's new times give them. A single track that jumps alone keeps an offset of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use zongzi_media::{Frame, MediaTime, TrackId};

use crate::host_clock::HostClock;
use crate::packetize::rtp_time;
use crate::packetize::video_clock::CLOCK_RATE;

/// Puts the frames of one broadcast on one continuous timeline, across all the hosts it has had.
///
/// Zero of the timeline is the epoch given to [`Timeline::new`]; a broadcast begins at the time that has passed since
/// then, and each return of a host after a pause advances by the real time of the pause.
#[derive(Debug)]
pub struct Timeline {
    epoch: Instant,
    /// The newest segment's offset: what is added to host times, in microseconds. `None` until a host's first frame.
    segment: Option<i64>,
    /// Tracks of the present host; at most [`TRACKS_MAX`].
    tracks: BTreeMap<TrackId, Place>,
    /// Newest frame of all tracks and hosts: when it came and its time here.
    newest: Option<(Instant, MediaTime)>,
    /// What hosts before have reached: nothing of the present one may lie before it.
    floor: Option<MediaTime>,
    /// When frames of one track of the present host come: whether they are held up.
    clock: (Option<TrackId>, HostClock),
    /// How late the newest frame of the host before was, if it was held up: the next one is in time.
    late: Duration,
    jumps: u64,
}

/// Where a track stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: i64,
    /// Decode time of its newest frame, on the timeline.
    last: MediaTime,
    /// When that one came.
    came: Instant,
    /// Its distance from the one before: the expected step.
    step: Duration,
}

impl Timeline {
    /// A timeline whose zero is `epoch`. All broadcasts of a process share one epoch, so that a packet's time means the
    /// same everywhere.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            segment: None,
            tracks: BTreeMap::new(),
            newest: None,
            floor: None,
            clock: (None, HostClock::default()),
            late: Duration::ZERO,
            jumps: 0,
        }
    }

    /// A host begins (the first, one that returns, or another one): its times have nothing to do with those before.
    pub fn restart(&mut self) {
        self.segment = None;
        self.tracks.clear();
        self.floor = self.newest.map(|(_, newest)| newest);
        let (_, clock) = std::mem::take(&mut self.clock);
        // One who came and sent nothing says nothing of it.
        if clock.weight() > 0 {
            self.late = clock.held_up().unwrap_or_default();
        }
    }

    /// Moves `frame`, which came at `now`, onto the timeline. Decode times of a track always increase, by
    /// [`STEP_MIN`] at least.
    pub fn place(&mut self, now: Instant, frame: &mut Frame) {
        let delay = frame
            .pts
            .micros_since(frame.dts)
            .clamp(-COMPOSITION_MAX, COMPOSITION_MAX);
        let before = self.tracks.get(&frame.track).copied();
        let offset = self.offset_for(now, frame, before.as_ref());
        let mut dts = frame.dts.shifted(offset);
        let mut step = STEP_FIRST;
        if let Some(before) = &before {
            dts = dts.max(before.last.saturating_add(STEP_MIN));
            step = dts.saturating_since(before.last).min(STEP_MAX);
        } else if let Some(floor) = self.floor {
            dts = dts.max(floor.saturating_add(STEP_MIN));
        }
        frame.dts = dts;
        frame.pts = dts.shifted(delay);
        let (track, clock) = &mut self.clock;
        if *track.get_or_insert(frame.track) == frame.track {
            clock.frame(now, rtp_time(dts, CLOCK_RATE));
        }
        if before.is_some() || self.tracks.len() < TRACKS_MAX {
            self.tracks.insert(
                frame.track,
                Place {
                    offset,
                    last: dts,
                    came: now,
                    step,
                },
            );
        }
        if self.newest.is_none_or(|(_, newest)| newest <= dts) {
            self.newest = Some((now, dts));
        }
    }

    /// How often a host's times have jumped.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The offset that puts the frame nearest to where it may be expected: its track's own, or the newest segment's; a
    /// new one where both would be a jump.
    fn offset_for(&mut self, now: Instant, frame: &Frame, before: Option<&Place>) -> i64 {
        let Some(segment) = self.segment else {
            let offset = self.resume_at(now).micros_since(frame.dts);
            self.segment = Some(offset);
            self.late = Duration::ZERO;
            return offset;
        };
        // Its own offset comes first: at equal distance nothing changes.
        let candidates = before
            .map(|place| place.offset)
            .into_iter()
            .chain([segment]);
        let nearest = candidates
            .filter_map(|offset| {
                let distance = self.distance(now, frame.dts.shifted(offset), before)?;
                Some((distance, offset))
            })
            .min_by_key(|(distance, _)| *distance);
        if let Some((_, offset)) = nearest {
            return offset;
        }
        self.jumps = self.jumps.saturating_add(1);
        let offset = self.expected(now, before).micros_since(frame.dts);
        self.segment = Some(offset);
        offset
    }

    /// How far `mapped` is from where a frame of a track that stands at `before` may be; `None` when that is a jump.
    ///
    /// It may follow its track, or keep up with another one: tracks are interleaved loosely, and when all step ahead
    /// together the second one to do so has not jumped.
    fn distance(
        &self,
        now: Instant,
        mapped: MediaTime,
        before: Option<&Place>,
    ) -> Option<Duration> {
        let (came, newest) = self.newest?;
        let (behind, behind_max) = match before {
            Some(place) => (place.last.saturating_since(mapped), BACKWARD_MAX),
            None => (newest.saturating_since(mapped), FORWARD_MAX),
        };
        let ahead = before.map_or(Duration::MAX, |place| {
            ahead(now, mapped, place.came, place.last)
        });
        let ahead = ahead.min(self::ahead(now, mapped, came, newest));
        (behind <= behind_max && ahead <= FORWARD_MAX).then(|| behind.max(ahead))
    }

    /// The time that continues a track best at a jump.
    fn expected(&self, now: Instant, before: Option<&Place>) -> MediaTime {
        let Some(place) = before else {
            return self.resume_at(now);
        };
        let elapsed = now.saturating_duration_since(place.came);
        // Arrival jitters more than a frame lasts; only a real pause is taken from the clock.
        place.last.saturating_add(if elapsed <= PAUSE_MIN {
            place.step
        } else {
            elapsed
        })
    }

    /// Where a new host's first frame goes: after what was there, by the real time since.
    fn resume_at(&self, now: Instant) -> MediaTime {
        match self.newest {
            Some((came, newest)) => {
                let elapsed = now.saturating_duration_since(came).max(STEP_FIRST);
                newest.saturating_add(elapsed).saturating_add(self.late)
            }
            None => MediaTime::ZERO.saturating_add(now.saturating_duration_since(self.epoch)),
        }
    }
}

/// How far `mapped` is ahead of a frame that was at `last` when it came, and of the real time since.
fn ahead(now: Instant, mapped: MediaTime, came: Instant, last: MediaTime) -> Duration {
    mapped
        .saturating_since(last)
        .saturating_sub(now.saturating_duration_since(came))
}

/// A step back by this much is clamped; a longer one is a jump. Encoders that correct their clock step by a frame or
/// two.
const BACKWARD_MAX: Duration = Duration::from_millis(250);
/// A step ahead of real time by this much is kept (tracks of a host are interleaved that loosely, and begin apart); a
/// longer one is a jump.
const FORWARD_MAX: Duration = Duration::from_secs(5);
/// Frames that come further apart than this are a pause, to be measured by the clock.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Two frames of a track are at least this far apart: 90 ticks of the video clock, 48 of the audio clock.
pub const STEP_MIN: Duration = Duration::from_millis(1);
/// Taken for the length of a frame until two have been seen.
const STEP_FIRST: Duration = Duration::from_millis(20);
const STEP_MAX: Duration = Duration::from_secs(1);
/// Composition offsets beyond this are absurd, in microseconds.
const COMPOSITION_MAX: i64 = 5_000_000;
/// Tracks of one host: two as a rule, a handful with multitrack.
pub const TRACKS_MAX: usize = 16;

#[cfg(test)]
mod tests;
