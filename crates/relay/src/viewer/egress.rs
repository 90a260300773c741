use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zongzi_webrtc::rtcp::{self, NackPair, NtpTime, Report};
use zongzi_webrtc::rtp::Ssrc;
use zongzi_webrtc::srtp;

use crate::packetize::Batch;
use crate::shard::{Feed, Figures};
use crate::viewer::stream::Stream;
use crate::viewer::video::{Replay, Video};
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
    /// Packets that he may ask for until the next report.
    asks_left: u32,
    round_trip: Option<Duration>,
    tally: Tally,
    sent: Sent,
    /// His newest reports on pictures and on sound.
    heard: [Option<Heard>; 2],
}

/// What went to him from the start.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    packets: u64,
    bytes: u64,
    retransmitted: u64,
}

/// What he reports of one stream.
#[derive(Debug, Clone, Copy)]
struct Heard {
    fraction_lost: u8,
    lost: i32,
}

impl Egress {
    /// For a viewer whose keys stand, at `round_trip` as far as his handshake told. Nothing is sent yet: call
    /// [`Egress::pump`] at once.
    pub(crate) fn new(
        now: Instant,
        srtp: Box<srtp::Sender>,
        video: Option<(StreamSettings, Seeds)>,
        retransmission: Option<(StreamSettings, Seeds)>,
        audio: Option<(StreamSettings, Seeds)>,
        round_trip: Option<Duration>,
    ) -> Self {
        let stream = |(settings, seeds)| Stream::new(settings, seeds);
        let video = video.map(|video| Video::new(now, stream(video), retransmission.map(stream)));
        Self {
            srtp,
            video,
            audio: audio.map(stream),
            sound_from: None,
            report_at: None,
            asks_left: ASKED_MAX,
            round_trip,
            tally: Tally::default(),
            sent: Sent::default(),
            heard: [None; 2],
        }
    }

    /// Sends what is due of the feed's video. To be called when the keys stand, for each new batch, and at
    /// [`Egress::poll_timeout`].
    pub(crate) fn pump(&mut self, now: Tick, feed: &Feed, out: &mut impl Outbox) {
        let Some(video) = &mut self.video else { return };
        let before = self.tally.packets;
        let round_trip = self.round_trip;
        video.pump(now.at, feed, &self.srtp, round_trip, &mut self.tally, out);
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
        self.video.as_ref()?.poll_timeout(feed)
    }

    /// The feed was cleared or begins anew: go on at its next keyframe, with the next sequence numbers.
    pub(crate) fn restart(&mut self, now: Instant) {
        if let Some(video) = &mut self.video {
            video.restart(now);
        }
    }

    /// Packets are asked for again. Of more than [`ASKED_MAX`] in a second nothing is looked up.
    pub(crate) fn nack(&mut self, media: Ssrc, pair: NackPair, feed: &Feed, out: &mut impl Outbox) {
        let Some(video) = self
            .video
            .as_mut()
            .filter(|video| video.stream().ssrc() == media)
        else {
            return;
        };
        for sequence in pair.sequences() {
            let Some(left) = self.asks_left.checked_sub(1) else {
                self.tally.not_retransmitted += 1;
                continue;
            };
            self.asks_left = left;
            let bytes = video.again(sequence, &self.srtp, feed, out);
            if bytes > 0 {
                self.tally.retransmitted += 1;
                self.tally.add(1, bytes);
            } else {
                self.tally.not_retransmitted += 1;
            }
        }
    }

    /// A keyframe is asked for: the newest group again, if it may be. Returns whether the viewer needs one, which a new
    /// keyframe would help, too.
    pub(crate) fn keyframe_request(
        &mut self,
        now: Tick,
        media: Ssrc,
        feed: &Feed,
        out: &mut impl Outbox,
    ) -> bool {
        let round_trip = self.round_trip;
        let video = self.video.as_mut();
        let Some(video) = video.filter(|video| video.stream().ssrc() == media) else {
            return false;
        };
        let replay = video.replay(now.at, feed, round_trip);
        if replay == Replay::Begun {
            self.tally.groups_replayed += 1;
            self.pump(now, feed, out);
        }
        replay != Replay::Needless
    }

    /// The viewer says how one of the streams arrives, in a report that may have waited on this machine for so long before
    /// it was read. Returns the round trip, where it tells it.
    pub(crate) fn report(
        &mut self,
        now: Tick,
        waited: Duration,
        report: &Report,
    ) -> Option<Duration> {
        let round_trip = report.round_trip(NtpTime::from_unix(now.unix));
        self.round_trip = round_trip.or(self.round_trip);
        let heard = Some(Heard {
            fraction_lost: report.fraction_lost,
            lost: report.lost,
        });
        if let Some(video) = &mut self.video
            && video.stream().ssrc() == report.ssrc
        {
            video.report(now.at, waited, report, round_trip);
            self.heard[0] = heard;
        } else if let Some(audio) = &self.audio
            && audio.ssrc() == report.ssrc
        {
            self.heard[1] = heard;
        }
        let streams = [
            self.video.as_mut().map(Video::stream_mut),
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

    /// Whether he is sent all pictures.
    pub(crate) fn is_whole(&self) -> bool {
        self.video.as_ref().is_none_or(Video::is_whole)
    }

    /// How the viewer at `peer` fares.
    pub(crate) fn figures(&self, peer: SocketAddr) -> Figures {
        let heard = || self.heard.iter().flatten();
        Figures {
            peer,
            packets: self.sent.packets,
            bytes: self.sent.bytes,
            retransmitted: self.sent.retransmitted,
            lost: heard()
                .map(|heard| u64::try_from(heard.lost).unwrap_or(0))
                .reduce(u64::saturating_add),
            fraction_lost: heard().next().map(|heard| heard.fraction_lost),
            round_trip: self.round_trip,
        }
    }

    /// Says goodbye for all streams (RFC 3550 §6.6).
    pub(crate) fn bye(&mut self, out: &mut impl Outbox) {
        let streams = [self.video.as_ref().map(Video::stream), self.audio.as_ref()];
        let sources: Vec<Ssrc> = streams.into_iter().flatten().map(Stream::ssrc).collect();
        let mut packet = Vec::new();
        rtcp::write_bye(&sources, &mut packet);
        self.control(&packet, out);
    }

    /// What was caused since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        let tally = std::mem::take(&mut self.tally);
        self.sent.add(&tally);
        tally
    }

    /// Sender reports for all streams, if due: with the first packets, then every second (RTP.md 33). Of pictures, when their
    /// clock stands; of sound without the time where a browser must not hold pictures back for it.
    fn reports(&mut self, now: Tick, out: &mut impl Outbox) {
        if self.report_at.is_some_and(|at| now.at < at) {
            return;
        }
        self.report_at = Some(now.at + REPORT_EVERY);
        self.asks_left = ASKED_MAX;
        let ntp = NtpTime::from_unix(now.unix);
        let video = self.video.as_ref();
        let lip_sync = video.is_none_or(|video| video.allows_lip_sync(now.at));
        let mut packet = Vec::with_capacity(REPORT_BYTES);
        if let Some(video) = &mut self.video
            && let Some(shift) = video.report_shift(now.at)
        {
            let time = now.rtp_time(90_000).wrapping_add_signed(shift);
            let info = video.stream().report(ntp, time);
            rtcp::write_sender_report(&info, &mut packet);
            rtcp::write_cname(info.ssrc, CNAME, &mut packet);
        }
        if let Some(audio) = &self.audio {
            // The pictures' reports keep their time: his answers to them tell the round trip, by which his link is judged.
            let ntp = if lip_sync { ntp } else { NtpTime::UNKNOWN };
            let info = audio.report(ntp, now.rtp_time(48_000).wrapping_sub(SOUND_ALLOWANCE));
            rtcp::write_sender_report(&info, &mut packet);
            rtcp::write_cname(info.ssrc, CNAME, &mut packet);
        }
        if !packet.is_empty() {
            self.control(&packet, out);
        }
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

impl Sent {
    fn add(&mut self, tally: &Tally) {
        for (sum, more) in [
            (&mut self.packets, tally.packets),
            (&mut self.bytes, tally.bytes),
            (&mut self.retransmitted, tally.retransmitted),
        ] {
            *sum = sum.wrapping_add(more as u64);
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, packets: usize, bytes: usize) {
        self.packets += packets;
        self.bytes += bytes;
    }
}

/// What ties a viewer's streams together for lip sync (RFC 3550 §6.5.1).
const CNAME: &str = "zongzi";
/// Sound begins this long after the first picture. While a browser decodes the group of a join, sound piles up in its
/// buffer, and libwebrtc leaves it there: 95-130 ms against 60 (docs/decisions/0006-sound-with-its-picture.md).
const SOUND_AFTER: Duration = Duration::from_millis(400);
/// How much later than its picture sound may be before a browser holds pictures back for it, in ticks of 48 kHz: 55 ms.
/// Sender reports say that sound was made so much later than it was. Lip sync acts on 30 ms and more; left alone it makes
/// every picture 55 ms older, for sound that is heard 55 ms late, which nobody notices.
const SOUND_ALLOWANCE: u32 = 2_640;
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Packets asked for again in a second: all of 40 Mb/s. Each costs a look into the history, and one datagram names thousands.
const ASKED_MAX: u32 = 4_096;
/// Two reports with their names.
const REPORT_BYTES: usize = 128;
