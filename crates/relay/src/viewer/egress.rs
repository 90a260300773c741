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
use crate::viewer::stamps::Stamps;
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
    /// Now, on the timeline of all broadcasts: since the epoch given to the hub.
    pub(crate) media: Duration,
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
    /// Packets that the viewer has reported on.
    pub(crate) reported: usize,
    /// Those of them that he had not got.
    pub(crate) reported_lost: usize,
}

/// What a connected viewer is sent.
#[derive(Debug)]
pub(crate) struct Egress {
    srtp: Box<srtp::Sender>,
    video: Option<Video>,
    audio: Option<Stream>,
    /// When sound may begin; `None` before the first picture, and for good where there is none: then at any time.
    sound_from: Option<Instant>,
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
    stamps: Stamps,
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
    /// Nowhere: he starts at the first keyframe there is.
    Waiting,
    /// This batch is his next, and he has all before it in its group.
    Next(u64),
    /// He looks at this batch next, but does without the rest of its group.
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
    /// For a viewer whose keys stand. Nothing is sent yet: call [`Egress::pump`] at once.
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
            place: Place::Waiting,
            pace: Pace::new(now, 0, Duration::ZERO, None),
            stamps: Stamps::default(),
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
            sound_from: None,
            report_at: None,
            round_trip: None,
            tally: Tally::default(),
        }
    }

    /// Sends what is due of the feed's video. To be called when the keys stand, for each new batch, and at
    /// [`Egress::poll_timeout`].
    pub(crate) fn pump(&mut self, now: Tick, feed: &Feed, out: &mut impl Outbox) {
        let Some(video) = &mut self.video else { return };
        let before = self.tally.packets;
        while let Some((batch, live)) = video.next(now.at, feed, self.round_trip, &mut self.tally) {
            let newest = feed.end().and_then(|end| feed.video(end - 1));
            let newest = newest.map_or(batch, Arc::as_ref);
            let rtp_time = video.stamps.next(now.at, batch, newest);
            video.send(&self.srtp, batch, rtp_time, live, &mut self.tally, out);
        }
        if self.tally.packets > before {
            self.sound_from.get_or_insert(now.at + SOUND_AFTER);
            self.reports(now, out);
        }
    }

    /// Sends a live packet of sound, unless the picture has only just begun.
    pub(crate) fn audio(&mut self, now: Tick, batch: &Batch, out: &mut impl Outbox) {
        if self.sound_from.is_some_and(|from| now.at < from) {
            return;
        }
        let Some(audio) = &mut self.audio else { return };
        let (packets, bytes) = audio.send(&self.srtp, batch, batch.rtp_time, false, out);
        self.tally.add(packets, bytes);
        self.reports(now, out);
    }

    /// When [`Egress::pump`] is to be called, whatever else happens; `None` when at live or waiting.
    pub(crate) fn poll_timeout(&self, feed: &Feed) -> Option<Instant> {
        let video = self.video.as_ref()?;
        match video.place {
            Place::Next(next) if feed.end().is_some_and(|end| next < end) => {
                Some(video.pace.next())
            }
            _ => None,
        }
    }

    /// The feed was cleared or begins anew: go on at its next keyframe, with the next sequence numbers.
    pub(crate) fn restart(&mut self) {
        if let Some(video) = &mut self.video {
            video.place = Place::Waiting;
            video.history = History::default();
        }
    }

    /// Packets are asked for again.
    pub(crate) fn nack(&mut self, media: Ssrc, pair: NackPair, feed: &Feed, out: &mut impl Outbox) {
        let Some(video) = self
            .video
            .as_mut()
            .filter(|video| video.stream.ssrc() == media)
        else {
            return;
        };
        for sequence in pair.sequences() {
            let newest = video.stream.index();
            let index = sequence.index_near(newest).filter(|index| *index < newest);
            let bytes = index.map_or(0, |index| video.repair(&self.srtp, index, feed, out));
            if bytes > 0 {
                self.tally.retransmitted += 1;
                self.tally.add(1, bytes);
            } else {
                self.tally.not_retransmitted += 1;
            }
        }
    }

    /// A keyframe is asked for: the newest group again, if it may be.
    pub(crate) fn keyframe_request(
        &mut self,
        now: Tick,
        media: Ssrc,
        feed: &Feed,
        out: &mut impl Outbox,
    ) {
        let round_trip = self.round_trip;
        let replays = self.video.as_mut().is_some_and(|video| {
            video.stream.ssrc() == media && video.replay(now.at, feed, round_trip)
        });
        if replays {
            self.tally.groups_replayed += 1;
            self.pump(now, feed, out);
        }
    }

    /// The viewer says how one of the streams arrives. Returns the round trip, where his report tells it.
    pub(crate) fn report(&mut self, now: Tick, report: &Report) -> Option<Duration> {
        let round_trip = report.round_trip(NtpTime::from_unix(now.unix));
        self.round_trip = round_trip.or(self.round_trip);
        if let Some(video) = &mut self.video
            && video.stream.ssrc() == report.ssrc
        {
            video.link.report(report.fraction_lost);
        }
        let streams = [
            self.video.as_mut().map(|video| &mut video.stream),
            self.audio.as_mut(),
        ];
        let stream = streams
            .into_iter()
            .flatten()
            .find(|stream| stream.ssrc() == report.ssrc)?;
        let (reported, lost) = stream.reported(report);
        self.tally.reported += reported;
        self.tally.reported_lost += lost;
        round_trip
    }

    /// Says goodbye for all streams (RFC 3550 §6.6).
    pub(crate) fn bye(&mut self, out: &mut impl Outbox) {
        let streams = [
            self.video.as_ref().map(|video| &video.stream),
            self.audio.as_ref(),
        ];
        let sources: Vec<Ssrc> = streams.into_iter().flatten().map(Stream::ssrc).collect();
        let mut packet = Vec::new();
        rtcp::write_bye(&sources, &mut packet);
        self.control(&packet, out);
    }

    /// What was caused since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Sender reports for all streams, if due: with the first packets, then every second (RTP.md 33).
    fn reports(&mut self, now: Tick, out: &mut impl Outbox) {
        if self.report_at.is_some_and(|at| now.at < at) {
            return;
        }
        self.report_at = Some(now.at + REPORT_EVERY);
        let ntp = NtpTime::from_unix(now.unix);
        let mut packet = Vec::with_capacity(REPORT_BYTES);
        if let Some(video) = &self.video {
            let info = video.stream.report(ntp, now.rtp_time(90_000));
            rtcp::write_sender_report(&info, &mut packet);
            rtcp::write_cname(info.ssrc, CNAME, &mut packet);
        }
        if let Some(audio) = &self.audio {
            let info = audio.report(ntp, now.rtp_time(48_000));
            rtcp::write_sender_report(&info, &mut packet);
            rtcp::write_cname(info.ssrc, CNAME, &mut packet);
        }
        self.control(&packet, out);
    }

    fn control(&mut self, packet: &[u8], out: &mut impl Outbox) {
        let mut protected = Vec::with_capacity(packet.len() + 32);
        if self.srtp.protect_rtcp(packet, &mut protected).is_ok() {
            out.datagram(protected.len(), |place| {
                place.copy_from_slice(&protected);
                true
            });
        }
    }
}

impl Tick {
    /// Now in ticks of an RTP clock, before any viewer's offset.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP time counts modulo 2^32"
    )]
    fn rtp_time(&self, clock_rate: u32) -> u32 {
        (self.media.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
    }
}

impl Video {
    /// The next batch to be sent now, and whether it is the live one.
    fn next<'f>(
        &mut self,
        now: Instant,
        feed: &'f Feed,
        round_trip: Option<Duration>,
        tally: &mut Tally,
    ) -> Option<(&'f Batch, bool)> {
        self.find_place(now, feed, round_trip, tally);
        let Place::Next(next) = self.place else {
            return None;
        };
        let batch = feed.video(next)?;
        let live = feed.end() == Some(next + 1);
        (live || self.pace.ready(now)).then_some((batch, live))
    }

    /// Brings the place in accord with what the feed has.
    fn find_place(
        &mut self,
        now: Instant,
        feed: &Feed,
        round_trip: Option<Duration>,
        tally: &mut Tally,
    ) {
        let keyframe = feed.keyframe();
        match self.place {
            Place::Waiting => {
                if let Some(keyframe) = keyframe {
                    self.begin(now, keyframe, feed, round_trip);
                }
            }
            Place::Next(next) if feed.video(next).is_none() => {
                // Up to date, or the feed waits for a keyframe or a snapshot; or out of what the feed has.
                if feed.end().is_some_and(|end| end != next) {
                    self.place = Place::Waiting;
                    if keyframe.is_some() {
                        self.find_place(now, feed, round_trip, tally);
                    }
                }
            }
            Place::Next(next) => {
                // So far behind that the whole rest of his group would come too late. Who has just joined is behind,
                // too, but catches up at several times the speed: he gets it all.
                let lag = if feed.is_hurried() {
                    LAG_HURRIED
                } else {
                    LAG_BATCHES
                };
                if let Some(keyframe) = keyframe.filter(|at| at.saturating_sub(next) > lag) {
                    tally.groups_skipped += 1;
                    self.place = Place::Next(keyframe);
                } else if !self.fresh
                    && feed.video(next).is_some_and(|batch| batch.is_keyframe())
                    && self.link.skips_group()
                {
                    tally.groups_skipped += 1;
                    self.skip(next + 1, feed, tally);
                }
            }
            Place::Skipping(next) => self.skip(next, feed, tally),
        }
    }

    /// Passes over batches up to the next keyframe of a group that he gets.
    fn skip(&mut self, mut next: u64, feed: &Feed, tally: &mut Tally) {
        while let Some(batch) = feed.video(next) {
            if batch.is_keyframe() {
                if !self.link.skips_group() {
                    self.place = Place::Next(next);
                    return;
                }
                tally.groups_skipped += 1;
            }
            next += 1;
        }
        let lost = feed.end().is_some_and(|end| end != next);
        self.place = if lost {
            Place::Waiting
        } else {
            Place::Skipping(next)
        };
    }

    /// Goes to the newest group's keyframe.
    fn begin(&mut self, now: Instant, keyframe: u64, feed: &Feed, round_trip: Option<Duration>) {
        self.place = Place::Next(keyframe);
        self.pace = Pace::new(now, feed.group_bytes(), feed.group_span(), round_trip);
        self.fresh = true;
    }

    fn send(
        &mut self,
        srtp: &srtp::Sender,
        batch: &Batch,
        rtp_time: u32,
        live: bool,
        tally: &mut Tally,
        out: &mut impl Outbox,
    ) {
        self.history
            .note(self.stream.index(), batch.sequence, rtp_time);
        let (packets, bytes) = self.stream.send(srtp, batch, rtp_time, self.fresh, out);
        self.fresh = false;
        self.place = Place::Next(batch.sequence + 1);
        if !live {
            self.pace.spend(bytes);
        }
        let earned = self.repair_credit + bytes / REPAIR_SHARE;
        self.repair_credit = earned.min(REPAIR_CREDIT_MAX);
        tally.add(packets, bytes);
        tally.batches += 1;
    }

    /// Sends the packet of that index again. Returns its bytes; 0 when it is gone or the budget is.
    fn repair(
        &mut self,
        srtp: &srtp::Sender,
        index: u64,
        feed: &Feed,
        out: &mut impl Outbox,
    ) -> usize {
        let found = self.history.find(index);
        let found =
            found.and_then(|(sent, packet)| Some((feed.video(sent.batch)?, sent.rtp_time, packet)));
        let Some((batch, rtp_time, packet)) = found else {
            return 0;
        };
        let Some(cost) = batch.payload(packet).map(<[u8]>::len) else {
            return 0;
        };
        if cost > self.repair_credit {
            return 0;
        }
        self.repair_credit -= cost;
        match &mut self.retransmission {
            Some(again) => again.put_again(srtp, &self.stream, batch, rtp_time, packet, index, out),
            // The same datagram, byte for byte: another one under this index would give the key away.
            None => self.stream.put(srtp, batch, rtp_time, packet, index, out),
        }
    }

    /// Goes back to the newest keyframe, if that may be now.
    fn replay(&mut self, now: Instant, feed: &Feed, round_trip: Option<Duration>) -> bool {
        let (Some(keyframe), Place::Next(next)) = (feed.keyframe(), self.place) else {
            return false;
        };
        // The host is gone: browsers ask for a keyframe every 3 s when no picture comes, and whoever has the last one
        // would only see a step back.
        let idle = feed
            .newest()
            .is_some_and(|at| now.saturating_duration_since(at) > HOST_GONE);
        if idle && feed.end() == Some(next) {
            return false;
        }
        if self.fresh || !self.replays.take(now, round_trip) {
            return false;
        }
        self.begin(now, keyframe, feed, round_trip);
        true
    }
}

impl Replays {
    fn take(&mut self, now: Instant, round_trip: Option<Duration>) -> bool {
        while self.left < REPLAYS_MAX
            && now.saturating_duration_since(self.earned_at) >= REPLAY_EARNED_IN
        {
            self.left += 1;
            self.earned_at += REPLAY_EARNED_IN;
        }
        if now < self.not_before || self.left == 0 {
            return false;
        }
        if self.left == REPLAYS_MAX {
            self.earned_at = now;
        }
        self.left -= 1;
        let apart = round_trip.map_or(Duration::ZERO, |time| time * 2);
        self.not_before = now + apart.clamp(REPLAY_APART, REPLAY_APART_MAX);
        true
    }
}

impl Tally {
    fn add(&mut self, packets: usize, bytes: usize) {
        self.packets += packets;
        self.bytes += bytes;
    }
}

/// What ties a viewer's streams together for lip sync (RFC 3550 §6.5.1).
const CNAME: &str = "zongzi";
/// Sound begins this long after the first picture. While a browser decodes the group of a join, sound piles up in its
/// buffer, and libwebrtc leaves it there: 95-130 ms against 60 (docs/decisions/0006-sound-with-its-picture.md).
const SOUND_AFTER: Duration = Duration::from_millis(400);
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Two reports with their names.
const REPORT_BYTES: usize = 128;
/// The first PLI is answered from this on; one that comes earlier crossed the first packets on the way.
const FIRST_REPLAY_AFTER: Duration = Duration::from_millis(40);
const REPLAY_APART: Duration = Duration::from_millis(500);
/// A round trip that somebody invents must not keep him from his picture.
const REPLAY_APART_MAX: Duration = Duration::from_secs(2);
const REPLAYS_MAX: u8 = 6;
const REPLAY_EARNED_IN: Duration = Duration::from_secs(2);
/// One byte of retransmission for so many of media.
const REPAIR_SHARE: usize = 4;
/// Retransmissions in bytes before any media went: a join's first losses.
const REPAIR_CREDIT_START: usize = 32 << 10;
/// The most that is saved up: one burst of 1 % of 8 s at 20 Mb/s.
const REPAIR_CREDIT_MAX: usize = 256 << 10;
/// A viewer who is further behind the newest keyframe than this many frames goes straight to it: 3 s at 60 frames a
/// second, more than eight times real time lets pile up between two keyframes.
const LAG_BATCHES: u64 = 180;
/// The same while the shard has more to send than it can.
const LAG_HURRIED: u64 = 8;
/// No picture for this long: the host is gone, or so slow that nothing is lost by waiting for him.
const HOST_GONE: Duration = Duration::from_millis(1_500);
