use std::time::{Duration, Instant};

use zongzi_webrtc::rtcp::Report;
use zongzi_webrtc::rtp::SeqNo;
use zongzi_webrtc::srtp;

use crate::packetize::{Batch, video_clock};
use crate::rendition::Rendition;
use crate::shard::Feed;
use crate::viewer::history::History;
use crate::viewer::link::{Link, Seen, Share};
use crate::viewer::pace::Pace;
use crate::viewer::stamps::{self, Stamps};
use crate::viewer::stream::Stream;
use crate::viewer::{Outbox, Tally};

/// A viewer's pictures: which he is sent, when, and what of them once more.
#[derive(Debug)]
pub(crate) struct Video {
    stream: Stream,
    retransmission: Option<Stream>,
    place: Place,
    /// Packets of the next batch that went already: it is so big that it goes in parts.
    part: usize,
    /// The RTP time that it goes with.
    rtp_time: u32,
    /// How much he gets of the group that begins with this keyframe.
    share: (Option<u64>, Share),
    pace: Pace,
    stamps: Stamps,
    /// Of the last picture that he was sent, or is about to be.
    rendition: Option<Rendition>,
    /// When his first picture went.
    begun: Option<Instant>,
    /// He was told the clock of his pictures.
    reported: bool,
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

/// What became of a wish for the newest group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// It is sent again.
    Begun,
    /// It was sent too often.
    Spent,
    /// He is being sent a keyframe, or it would not help him.
    Needless,
}

/// How often the newest group may be sent again for a PLI (RTP.md 67): a viewer who asks without end gets one every two
/// seconds.
#[derive(Debug)]
struct Replays {
    not_before: Instant,
    left: u8,
    earned_at: Instant,
}

/// How many packets of a batch go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packets {
    /// All, at once: it is live.
    Live,
    /// All, as part of a backlog.
    Late,
    /// So many of what is left.
    Part(usize),
}

impl Video {
    pub(crate) fn new(now: Instant, stream: Stream, retransmission: Option<Stream>) -> Self {
        Self {
            stream,
            retransmission,
            place: Place::Waiting,
            part: 0,
            rtp_time: 0,
            share: (None, Share::Whole),
            pace: Pace::new(now, 0, Duration::ZERO, None),
            stamps: Stamps::default(),
            rendition: None,
            begun: None,
            reported: false,
            fresh: true,
            link: Link::new(),
            history: History::new(now),
            repair_credit: REPAIR_CREDIT_START,
            replays: Replays {
                not_before: now + FIRST_REPLAY_AFTER,
                left: REPLAYS_MAX,
                earned_at: now,
            },
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// For a sender report: what his stamps are later than the pictures' own times say, in ticks of 90 kHz. `None`: not
    /// yet, as another rendition is about to begin that may come later after its own times. A report that does not fit
    /// those before it bends a browser's line through the newest twenty for as many seconds.
    pub(crate) fn report_shift(&mut self, now: Instant) -> Option<i32> {
        let long = |begun: Instant| now.saturating_duration_since(begun) >= REENCODED_WITHIN;
        let changes = self.rendition == Some(Rendition::InOrder) && !self.begun.is_some_and(long);
        self.reported |= !changes;
        self.reported.then(|| self.stamps.shift())
    }

    pub(crate) fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether he is sent all pictures: his link can take them.
    pub(crate) fn is_whole(&self) -> bool {
        self.share.1 == Share::Whole && !self.link.is_narrow()
    }

    /// Whether his browser may hold pictures back for the sound.
    pub(crate) fn allows_lip_sync(&self, now: Instant) -> bool {
        self.link.allows_lip_sync(now)
    }

    /// Sends what is due.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        feed: &Feed,
        srtp: &srtp::Sender,
        round_trip: Option<Duration>,
        tally: &mut Tally,
        out: &mut impl Outbox,
    ) {
        while let Some((batch, packets)) = self.next(now, feed, round_trip, tally) {
            let said = feed.rtp_time(now).unwrap_or(batch.rtp_time);
            let current = self.stamps.current(now, said);
            if self.part == 0 {
                let end = feed.end().unwrap_or(batch.sequence + 1);
                let behind = end.saturating_sub(batch.sequence + 1);
                self.rtp_time = self.stamps.next(current, batch, behind, feed.is_held_up());
            }
            self.send(now, srtp, batch, packets, tally, out);
            if let Some(turn) = self.stamps.turn().filter(|_| self.part == 0) {
                let ticks = u32::try_from(stamps::distance(current, turn)).unwrap_or(0);
                self.pace.hold(now + video_clock::span(ticks));
            }
        }
    }

    /// When [`Video::pump`] is to be called, whatever else happens; `None` when at live or waiting.
    pub(crate) fn poll_timeout(&self, feed: &Feed) -> Option<Instant> {
        match self.place {
            Place::Next(next) if feed.end().is_some_and(|end| next < end) => Some(self.pace.next()),
            _ => None,
        }
    }

    /// The feed was cleared or begins anew: go on at its next keyframe.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.place = Place::Waiting;
        self.part = 0;
        self.history = History::new(now);
    }

    /// Sends a packet again that was asked for. Returns its bytes; 0 when it is gone or the budget is.
    pub(crate) fn again(
        &mut self,
        sequence: SeqNo,
        srtp: &srtp::Sender,
        feed: &Feed,
        out: &mut impl Outbox,
    ) -> usize {
        let newest = self.stream.index();
        let index = sequence.index_near(newest).filter(|index| *index < newest);
        index.map_or(0, |index| self.repair(srtp, index, feed, out))
    }

    /// The viewer says how his pictures arrive. `waited` is the time that his report may have waited here: a machine that
    /// has too much to do, and reads late, would else take every link for a narrow one.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        waited: Duration,
        report: &Report,
        round_trip: Option<Duration>,
    ) {
        let newest = self.stream.index();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lower 16 bits are the sequence number"
        )]
        let highest = SeqNo(report.highest_sequence as u16).index_near(newest);
        let highest = highest.filter(|index| *index < newest);
        let overdue = highest.and_then(|index| match index + 1 {
            next if next == newest => Some(Duration::ZERO),
            next => {
                let sent_at = self.history.sent_at(next)?;
                let since = now.saturating_duration_since(sent_at);
                Some(since.saturating_sub(waited))
            }
        });
        let narrow = self.link.report(
            now,
            Seen {
                fraction_lost: report.fraction_lost,
                // A number that was never sent, or long ago, says nothing.
                highest: highest.filter(|_| overdue.is_some()),
                overdue,
                round_trip,
            },
        );
        if narrow {
            // What is still missing of this group comes too late: the narrow link is for the sound now.
            self.history.forget();
        }
    }

    /// The next batch of which something is to be sent now, and how many of its packets.
    fn next<'f>(
        &mut self,
        now: Instant,
        feed: &'f Feed,
        round_trip: Option<Duration>,
        tally: &mut Tally,
    ) -> Option<(&'f Batch, Packets)> {
        self.find_place(now, feed, round_trip, tally);
        let Place::Next(next) = self.place else {
            return None;
        };
        let batch = feed.video(next)?;
        let slowly = self.share.1 == Share::Still;
        let big = batch.bytes() > AT_ONCE_BYTES;
        if feed.end() == Some(next + 1) && self.part == 0 && !big && !slowly {
            let ready = self.pace.ready_live(now);
            return ready.then_some((batch, Packets::Live));
        }
        if !self.pace.ready(now) {
            return None;
        }
        let packets = match (slowly, big) {
            (true, _) => Packets::Part(STILL_PART),
            (false, true) => Packets::Part(BIG_PART),
            (false, false) => Packets::Late,
        };
        Some((batch, packets))
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
            Place::Next(next) => {
                let Some(batch) = feed.video(next) else {
                    // Up to date, or the feed waits for a keyframe or a snapshot; or out of what the feed has.
                    if feed.end().is_some_and(|end| end != next) {
                        self.place = Place::Waiting;
                        self.part = 0;
                        if keyframe.is_some() {
                            self.find_place(now, feed, round_trip, tally);
                        }
                    }
                    return;
                };
                // Of a picture that has begun he gets the rest.
                if self.part > 0 {
                    return;
                }
                // So far behind that the whole rest of his group would come too late. Who has just joined is behind,
                // too, but catches up at several times the speed: he gets it all, but for the last of a very long one.
                let lag = if feed.is_hurried() {
                    LAG_HURRIED
                } else {
                    LAG_BATCHES
                };
                if let Some(keyframe) = keyframe.filter(|at| at.saturating_sub(next) > lag) {
                    tally.groups_skipped += 1;
                    if feed.is_hurried() {
                        self.enter(now, keyframe, feed, round_trip);
                    } else {
                        self.begin(now, keyframe, feed, round_trip);
                    }
                } else if batch.is_keyframe() {
                    if self.link.take_anew(now) {
                        self.begin(now, next, feed, round_trip);
                    } else {
                        self.enter(now, next, feed, round_trip);
                    }
                } else if !self.is_his(batch, feed) {
                    tally.groups_skipped += 1;
                    self.skip(now, next, feed, round_trip);
                }
            }
            Place::Skipping(next) => self.skip(now, next, feed, round_trip),
        }
    }

    /// A group begins, or is begun late.
    fn enter(&mut self, now: Instant, keyframe: u64, feed: &Feed, round_trip: Option<Duration>) {
        self.place = Place::Next(keyframe);
        self.take_share(now, keyframe, round_trip);
        if let Some(start) = feed.video(keyframe) {
            self.meet(now, start, feed);
        }
    }

    /// Decides how much he gets of the group that begins with `keyframe`, once.
    fn take_share(&mut self, now: Instant, keyframe: u64, round_trip: Option<Duration>) {
        // The group of a join is sent, and seen to arrive or not.
        if self.fresh || self.share.0 == Some(keyframe) {
            return;
        }
        let before = self.share.1;
        self.share = (Some(keyframe), self.link.group(now));
        if self.share.1 == Share::Still {
            self.pace = Pace::slow(now, self.link.still_bitrate());
        } else if before == Share::Still {
            self.pace = Pace::new(now, 0, Duration::ZERO, round_trip);
        }
        if self.share.1 == Share::Whole && before != Share::Whole {
            self.stamps.come_back();
        }
    }

    /// A keyframe is his next picture: where the re-encode begins with it, he comes to live anew.
    fn meet(&mut self, now: Instant, keyframe: &Batch, feed: &Feed) {
        let before = self.rendition.replace(keyframe.rendition());
        let begins = keyframe.rendition() == Rendition::Reencoded
            && before.is_some_and(|before| before != Rendition::Reencoded);
        let said = feed.rtp_time(now).unwrap_or(keyframe.rtp_time);
        if begins && self.stamps.begin_another(now, said, self.reported) {
            self.pace.hold(keyframe.received + YOUNG);
        }
    }

    /// Whether a picture is of his share of its group.
    fn is_his(&self, batch: &Batch, feed: &Feed) -> bool {
        if self.link.is_narrow() {
            return false;
        }
        match self.share {
            (_, Share::Whole) => true,
            (_, Share::Still) => false,
            (keyframe, Share::First(span)) => {
                let start = keyframe.and_then(|keyframe| feed.video(keyframe));
                start.is_some_and(|start| {
                    video_clock::span(batch.rtp_time.wrapping_sub(start.rtp_time)) < span
                })
            }
        }
    }

    /// Passes over batches up to the newest keyframe.
    fn skip(&mut self, now: Instant, next: u64, feed: &Feed, round_trip: Option<Duration>) {
        self.place = match feed.end() {
            Some(end) if end >= next => Place::Skipping(end),
            // The feed waits for a keyframe or a snapshot.
            None => Place::Skipping(next),
            Some(_) => Place::Waiting,
        };
        if let Some(keyframe) = feed.keyframe().filter(|keyframe| *keyframe >= next) {
            self.enter(now, keyframe, feed, round_trip);
        }
    }

    /// Goes to the newest group's keyframe.
    fn begin(&mut self, now: Instant, keyframe: u64, feed: &Feed, round_trip: Option<Duration>) {
        if self.link.is_narrow() {
            self.enter(now, keyframe, feed, round_trip);
            return;
        }
        self.place = Place::Next(keyframe);
        self.part = 0;
        self.share = (Some(keyframe), Share::Whole);
        let span = feed.group_span();
        let start = feed.video(keyframe).map_or(0, |start| start.bytes());
        let alone = if start > AT_ONCE_BYTES { start } else { 0 };
        let bytes = feed.group_bytes().saturating_sub(alone);
        self.pace = Pace::new(now, bytes, span, round_trip);
        self.pace.hold(now + YOUNG.saturating_sub(span));
        self.stamps.begin();
        self.fresh = true;
        if let Some(start) = feed.video(keyframe) {
            self.meet(now, start, feed);
        }
    }

    fn send(
        &mut self,
        now: Instant,
        srtp: &srtp::Sender,
        batch: &Batch,
        packets: Packets,
        tally: &mut Tally,
        out: &mut impl Outbox,
    ) {
        let to = match packets {
            Packets::Live | Packets::Late => batch.packets(),
            Packets::Part(most) => batch.packets().min(self.part + most),
        };
        self.history.note(
            now,
            self.stream.index(),
            self.part,
            batch.sequence,
            self.rtp_time,
        );
        let part = self.part..to;
        let (packets_sent, bytes) =
            self.stream
                .send_part(srtp, batch, part, self.rtp_time, self.fresh, out);
        self.fresh = false;
        self.rendition = Some(batch.rendition());
        self.begun.get_or_insert(now);
        match packets {
            Packets::Live => self.pace.spend_live(now, bytes),
            Packets::Late => self.pace.spend(bytes),
            Packets::Part(_) => self.pace.spend_part(now, bytes),
        }
        let earned = self.repair_credit + bytes / REPAIR_SHARE;
        self.repair_credit = earned.min(REPAIR_CREDIT_MAX);
        tally.add(packets_sent, bytes);
        if to == batch.packets() {
            self.part = 0;
            self.place = Place::Next(batch.sequence + 1);
            tally.batches += 1;
        } else {
            self.part = to;
        }
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
    pub(crate) fn replay(
        &mut self,
        now: Instant,
        feed: &Feed,
        round_trip: Option<Duration>,
    ) -> Replay {
        let (Some(keyframe), Place::Next(next)) = (feed.keyframe(), self.place) else {
            return Replay::Needless;
        };
        // The host is gone: browsers ask for a keyframe every 3 s when no picture comes, and whoever has the last one
        // would only see a step back.
        let idle = feed
            .newest()
            .is_some_and(|at| now.saturating_duration_since(at) > HOST_GONE);
        if idle && feed.end() == Some(next) {
            return Replay::Needless;
        }
        // He is being sent a keyframe, or would have no use for a whole group.
        let busy = self.fresh || self.part > 0 || self.link.is_narrow();
        if busy {
            return Replay::Needless;
        }
        let replay = self.replays.take(now, round_trip);
        if replay == Replay::Begun {
            self.begin(now, keyframe, feed, round_trip);
        }
        replay
    }
}

impl Replays {
    fn take(&mut self, now: Instant, round_trip: Option<Duration>) -> Replay {
        while self.left < REPLAYS_MAX
            && now.saturating_duration_since(self.earned_at) >= REPLAY_EARNED_IN
        {
            self.left += 1;
            self.earned_at += REPLAY_EARNED_IN;
        }
        if now < self.not_before {
            return Replay::Needless;
        }
        if self.left == 0 {
            return Replay::Spent;
        }
        if self.left == REPLAYS_MAX {
            self.earned_at = now;
        }
        self.left -= 1;
        let apart = round_trip.map_or(Duration::ZERO, |time| time * 2);
        self.not_before = now + apart.clamp(REPLAY_APART, REPLAY_APART_MAX);
        Replay::Begun
    }
}

/// A group that is younger is not begun yet: everyone's way to live is to be the same (`stamps`), and it needs some
/// pictures to go.
const YOUNG: Duration = Duration::from_millis(110);
/// A re-encode that was started for a viewer plays within 3 s, or there is none.
const REENCODED_WITHIN: Duration = Duration::from_secs(4);
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
/// A live picture up to this size goes at once: one message of the kernel's.
const AT_ONCE_BYTES: usize = 64_000;
/// Packets of a bigger one that go together: 4 ms at 50 Mb/s.
const BIG_PART: usize = 20;
/// The same where keyframes alone go over a narrow link: sound comes between.
const STILL_PART: usize = 2;
