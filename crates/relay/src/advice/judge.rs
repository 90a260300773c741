use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zongzi_media::{Codec, Frame, Kind};

use super::arrival::Arrival;
use super::pictures::Pictures;
use super::ring::Ring;
use super::verdict::{Change, Said, Verdict};
use super::{Advisory, config};

/// What is known of one broadcast's host, and what has been said of it.
///
/// **Rule**: after every call that takes `&mut self` the changes are drained by [`Advice::poll_change`].
#[derive(Debug, Default)]
pub(crate) struct Advice {
    /// When the next look is due; `None` while there is no host.
    due: Option<Instant>,
    pictures: Pictures,
    arrival: Arrival,
    /// The newest jumps of the host's clock.
    jumps: Ring<Option<Instant>, JUMPS_MIN>,
    /// When the newest picture came.
    pictured: Option<Instant>,
    /// Since when pictures have come that nobody can begin with.
    unjoinable: Option<Instant>,
    said: [Said; FINDINGS],
    changes: VecDeque<Change>,
}

/// What the broadcast knows and the host's frames alone don't show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    /// The tracks that are played.
    pub(crate) video: Option<&'a Codec>,
    pub(crate) audio: Option<&'a Codec>,
    /// The video is one that can be played.
    pub(crate) playable: bool,
    /// The video has had B-frames.
    pub(crate) reorders: bool,
    /// Viewers get all its pictures all the same, with keyframes of the server's own.
    pub(crate) mended: bool,
    /// A viewer who comes now has a group to begin with.
    pub(crate) joinable: bool,
}

impl Advice {
    /// A host begins: nothing that was measured holds. What was said stands until the new one is known.
    pub(crate) fn host_arrived(&mut self) {
        let said = std::mem::take(&mut self.said);
        *self = Self {
            said,
            ..Self::default()
        };
    }

    /// The host is gone; it is not judged until there is one again.
    pub(crate) fn host_left(&mut self) {
        self.due = None;
    }

    /// The broadcast is over: nothing is said any more.
    pub(crate) fn ended(&mut self) {
        let mut last = std::mem::take(self);
        self.changes
            .extend(last.said.iter_mut().filter_map(Said::clear));
    }

    /// A frame of a track that is played, with the host's own times. `measured`: arrivals are measured by this track.
    pub(crate) fn frame(&mut self, now: Instant, kind: Kind, frame: &Frame, measured: bool) {
        self.due.get_or_insert_with(|| after(now));
        self.arrival.heard(now);
        if measured {
            self.arrival.push(now, frame.dts);
        }
        match kind {
            Kind::Video => {
                self.pictured = Some(now);
                self.pictures.push(frame);
            }
            Kind::Audio => self.pictures.sound(frame.payload.len()),
        }
    }

    /// The host's clock has jumped.
    pub(crate) fn jumped(&mut self, now: Instant) {
        self.jumps.push(Some(now));
    }

    /// When [`Advice::judge`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The next thing to be told.
    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Looks at all there is, when the time has come.
    pub(crate) fn judge(&mut self, now: Instant, situation: Situation<'_>) {
        let Some(due) = self.due.filter(|due| *due <= now) else {
            return;
        };
        self.due = Some(after(now));
        let ours = now.saturating_duration_since(due) > OURS_MIN;
        self.arrival.second(now, ours);
        self.pictures.settle();
        let no_keyframe = self.no_keyframe(now, &situation);
        let verdicts = [
            (no_keyframe, Duration::ZERO),
            (self.arrival.stalls(), Duration::ZERO),
            (self.arrival.drift(), CALM),
            (self.jumping(now), CALM),
            (self.pictures.dropped(), CALM),
            (self.pictures.bitrate(), CALM),
            (self.pictures.swing(), CALM),
            (self.pictures.low_rate(), CALM),
            (self.pictures.high_rate(), CALM),
            (self.long_groups(&situation), CALM),
            (b_frames(&situation), CALM),
            (config::profile(situation.video), Duration::ZERO),
            (config::interlaced(situation.video), Duration::ZERO),
            (config::audio_rate(situation.audio), Duration::ZERO),
        ];
        for (said, (verdict, calm)) in self.said.iter_mut().zip(verdicts) {
            self.changes.extend(said.hear(now, verdict, calm));
        }
    }

    fn no_keyframe(&mut self, now: Instant, situation: &Situation<'_>) -> Verdict {
        let comes = self
            .pictured
            .is_some_and(|came| now.saturating_duration_since(came) <= SECOND);
        if situation.joinable || !situation.playable {
            self.unjoinable = None;
            return Verdict::Fine;
        }
        if !comes {
            self.unjoinable = None;
            return Verdict::Unknown;
        }
        let since = *self.unjoinable.get_or_insert(now);
        if now.saturating_duration_since(since) >= UNJOINABLE_MIN {
            Verdict::Found(Advisory::NoKeyframe)
        } else {
            Verdict::Unknown
        }
    }

    fn long_groups(&self, situation: &Situation<'_>) -> Verdict {
        if situation.reorders && situation.mended {
            return Verdict::Fine;
        }
        self.pictures.long_groups()
    }

    fn jumping(&self, now: Instant) -> Verdict {
        let recent = |jump: &Option<Instant>| {
            jump.is_some_and(|jump| now.saturating_duration_since(jump) <= JUMPS_WITHIN)
        };
        if self.jumps.newest_first().filter(recent).count() >= JUMPS_MIN {
            Verdict::Found(Advisory::TimestampsJump)
        } else {
            Verdict::Fine
        }
    }
}

fn b_frames(situation: &Situation<'_>) -> Verdict {
    // While they are not mended, what viewers lack is said.
    if situation.reorders && situation.mended {
        Verdict::Found(Advisory::BFrames)
    } else {
        Verdict::Fine
    }
}

fn after(now: Instant) -> Instant {
    now.checked_add(SECOND).unwrap_or(now)
}

/// Kinds of findings; the others are those of [`crate::playability`].
const FINDINGS: usize = 14;
/// Time between two looks.
const SECOND: Duration = Duration::from_secs(1);
/// What was found is taken back when all has been well for so long.
const CALM: Duration = Duration::from_secs(10);
/// A look so much too late shows that this server was busy: what seemed late then may have been in time.
const OURS_MIN: Duration = Duration::from_millis(250);
/// A host's first keyframe comes within a second.
const UNJOINABLE_MIN: Duration = Duration::from_secs(3);
/// One jump is put right and hardly seen; so many,
const JUMPS_MIN: usize = 3;
/// within so long, are told of.
const JUMPS_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
