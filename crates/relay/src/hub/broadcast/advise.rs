//! What the host is told of its stream: feeds [`crate::advice`], and makes events of what it finds.

use std::time::Instant;

use zongzi_media::{Codec, Frame, Kind};

use super::Broadcast;
use crate::advice::{Change, Situation};
use crate::hub::event::What;

impl Broadcast {
    /// A frame has come, with the times that the host gave it.
    pub(super) fn advise_on(&mut self, now: Instant, kind: Kind, frame: &Frame) {
        let plays = |kind| self.plays(kind).map(|track| track.id);
        if plays(kind) != Some(frame.track) {
            return;
        }
        let measured = plays(Kind::Video).is_none_or(|video| video == frame.track);
        self.advice.frame(now, kind, frame, measured);
    }

    /// Looks at what the host has sent, once a second.
    pub(super) fn judge_host(&mut self, now: Instant) {
        let codec = |kind| self.plays(kind).map(|track| track.codec.clone());
        if self.advice.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        let (video, audio) = (codec(Kind::Video), codec(Kind::Audio));
        let situation = Situation {
            playable: self.video.playable && matches!(video, Some(Codec::H264(_))),
            video: video.as_ref(),
            audio: audio.as_ref(),
            reorders: self.video.order.reorders(),
            mended: self.video.reencode.mends(),
            joinable: !self.video.groups.newest().is_empty(),
        };
        self.advice.judge(now, situation);
        self.tell_host();
    }

    /// There is nothing to be told any more.
    pub(super) fn end_advice(&mut self) {
        self.advice.ended();
        self.tell_host();
    }

    fn tell_host(&mut self) {
        while let Some(change) = self.advice.poll_change() {
            self.event(match change {
                Change::Raised(advisory) => What::AdvisoryRaised(advisory),
                Change::Cleared(advisory) => What::AdvisoryCleared(advisory),
            });
        }
    }
}
