use std::sync::Arc;
use std::time::{Duration, Instant};

use zongzi_webrtc::rtcp::{self, NackPair, NtpTime, Report};
use zongzi_webrtc::rtp::Ssrc;
use zongzi_webrtc::srtp;

use crate::packetize::Batch;
use crate::shard::Feed;
use crate::viewer::history::History;
use crate::viewer::link::Link;
use crate::viewer::pace::Pace;
use crate::viewer::stream::Stream;
use crate::viewer::{Seeds, StreamSettings};

/// Where a viewer's datagrams go.
pub(crate) trait Outbox {
    /// Puts in a datagram of `len` bytes, written in place by `fill`, which says whether it succeeded. Returns whether
    /// the datagram was put in.
    fn datagram(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> bool) -> bool;
}

/// A moment, on the clock that runs evenly and on the world's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    /// Now.
    pub(crate) at: Instant,
    /// Now, since 1970 UTC, by a clock that ran evenly with `at` since the process began.
    pub(crate) unix: Duration,
}

/// What a viewer caused; the shard adds it up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
    pub(crate) retransmitted: usize,
    /// Packets asked for that were not sent again: too old, or beyond the viewer's budget.
    pub(crate) not_retransmitted: usize,
    pub(crate) groups_replayed: usize,
    pub(crate) groups_skipped: usize,
    /// Frames of media sent.
    pub(crate) batches: usize,
}

/// What a connected viewer is sent.
#[derive(Debug)]
pub(crate) struct Egress {
    srtp: Box<srtp::Sender>,
    video: Option<Video>,
    audio: Option<Stream>,
    /// When the next sender reports are due; `None` before the first packet.
    report_at: Option<Instant>,
    round_trip: Option<Duration>,
    tally: Tally,
}

#[derive(Debug)]
struct Video {
    stream: Stream,
    retransmission: Option<Stream>,
    place: Place,
    pace: Pace,
    /// Begins with a doubled first datagram.
    fresh: bool,
    link: Link,
    history: History,
    /// Bytes of retransmissions that may be sent.
    repair_credit: usize,
    replays: Replays,
}

/// Where in the feed a viewer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere: he starts at the first keyframe there is from this sequence on.
    Waiting(u64),
    /// This batch is his next, and he has all before it in its group.
    Next(u64),
    /// This batch is the feed's next, but he does without the rest of the group.
    Skipping(u64),
}

/// How often the newest group may be sent again for a PLI (RTP.md 67): a viewer who asks without end gets one every two
/// seconds.
#[derive(Debug)]
struct Replays {
    not_before: Instant,
    left: u8,
    earned_at: Instant,
}

impl Egress {
    /// For a viewer whose keys stand. Nothing is sent yet.
    pub(crate) fn new(
        now: Instant,
        srtp: Box<srtp::Sender>,
        video: Option<(StreamSettings, Seeds)>,
        retransmission: Option<(StreamSettings, Seeds)>,
        audio: Option<(StreamSettings, Seeds)>,
    ) -> Self {
        let stream = |(settings, seeds)| Stream::new(settings, seeds);
        let video = video.map(|video| Video {
            stream: stream(video),
            retransmission: retransmission.map(stream),
            place: Place::Waiting(0),
            pace: Pace::new(now, 0, Duration::ZERO, None),
            fresh: true,
            link: Link::default(),
            history: History::default(),
            repair_credit: REPAIR_CREDIT_START,
            replays: Replays {
                not_before: now + FIRST_REPLAY_AFTER,
                left: REPLAYS_MAX,
                earned_at: now,
            },
        });
        Self {
            srtp,
            video,
            audio: audio.map(stream),
            report_at: None,
            round_trip: None,
            tally: Tally::default(),
        }
    }

    /// The keys stand: media leaves at once, the newest group from its keyframe.
    pub(crate) fn start(&mut self, now: Tick, feed: &Feed, out: &mut impl Outbox) {
        self.pump(now, feed, out);
    }

    /// Sends what is due of the feed's video. To be called for each new batch, and at [`Egress::poll_timeout`].
    pub(crate) fn pump(&mut self, now: Tick, feed: &Feed, out: &mut impl Outbox) {
        let Some(video) = &mut self.video else { return };
        while let Some((batch, live)) = video.next(now.at, feed, self.round_trip, &mut self.tally) {
            if !live && !video.pace.ready(now.at) {
                break;
            }
            self.send_video(now, feed, &batch, live, out);
            let Some(again) = &mut self.video else { return };
            // The borrow ends with each batch, so that reports can go between.
            let _: &mut Video = again;
            return self.pump_rest(now, feed, out);
        }
    }

    /// A live packet of sound.
    pub(crate) fn audio(&mut self, now: Tick, feed: &Feed, batch: &Batch, out: &mut impl Outbox) {
        let Some(audio) = &mut self.audio else { return };
        let (packets, bytes) = audio.send(&self.srtp, batch, false, out);
        self.tally.add(packets, bytes);
        self.reports(now, feed, out);
    }

    /// When [`Egress::pump`] is to be called, whatever else happens; `None` when at live or waiting.
    pub(crate) fn poll_timeout(&self, feed: &Feed) -> Option<Instant> {
        let video = self.video.as_ref()?;
        match video.place {
            Place::Next(next) if feed.end().is_some_and(|end| next < end) => Some(video.pace.next()),
            _ => None,
        }
    }
}
