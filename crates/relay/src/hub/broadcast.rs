mod advise;
mod order;
mod reencode;
mod sound_in_time;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zongzi_media::h264::{NalUnit, NalUnits};
use zongzi_media::{Codec, Frame, Kind, MediaTime, Track, TrackId, aac};

use self::order::{Order, Picture};
use self::reencode::Reencode;
use self::sound_in_time::SoundInTime;
use super::bitrate::Bitrate;
use super::event::{EndReason, What};
use super::host::{Ended, Finish, Media};
use super::status::{Playing, State};
use crate::advice::{Advice, Advisory};
use crate::groups::{Bounds, Groups, Pushed};
use crate::host_clock::HostClock;
use crate::packetize::{self, Batch, h264};
use crate::playability::{self, Reason, same_headers};
use crate::rendition::{Made, Rate, Renditions, Unplayable};
use crate::shard::{BroadcastId, FromHub, ShardId};
use crate::timeline::Timeline;

/// One channel's broadcast as a sans-IO core: what happened and the time go in, [`Output`]s come out.
///
/// **Rule**: after every call the outputs are drained by [`Broadcast::poll_output`] until `None`, then
/// [`Broadcast::poll_timeout`] is asked again.
///
/// What runs per frame: one timeline step, one look at NAL unit headers, one packetizing, one message a shard. Nothing
/// here knows viewers.
#[derive(Debug)]
pub(super) struct Broadcast {
    id: BroadcastId,
    grace: Duration,
    grace_orderly: Duration,
    renditions: Arc<dyn Renditions>,
    state: State,
    /// While interrupted: how the host left, and when the broadcast ends for that.
    leave: Option<(Finish, Instant)>,
    timeline: Timeline,
    tracks: BTreeMap<TrackId, Track>,
    /// The present host has sent a frame: its tracks are known.
    settled: bool,
    shards: BTreeSet<ShardId>,
    video: Video,
    audio: Audio,
    bitrate: Bitrate,
    advice: Advice,
    counts: Counts,
    outputs: VecDeque<Output>,
}

/// What the core wants done.
#[derive(Debug)]
pub(super) enum Output {
    /// Send to a shard.
    Shard(ShardId, FromHub),
    /// Begin a rendition; what it makes comes back by [`Broadcast::made`] with this number.
    StartRendition(u64, aac::Config),
    /// Give the running rendition a frame.
    PushRendition(Frame, Instant),
    /// End the running rendition.
    StopRendition,
    /// Begin to encode the video again; what is made comes back by [`Broadcast::video_made`] with this number.
    StartVideo {
        number: u64,
        config: zongzi_media::h264::Config,
        rate: Option<Rate>,
    },
    /// Give the running video rendition a picture; from the `cached` group nothing is to be made but later pictures.
    /// Viewers have pictures up to `shown`. When the rendition has caught up [`Broadcast::video_begins`] is told.
    PushVideo {
        frame: Frame,
        cached: bool,
        shown: Option<MediaTime>,
    },
    /// The running video rendition shall make a keyframe.
    RequestKeyframe,
    /// End the running video rendition.
    StopVideo,
    /// State, tracks or reasons have changed.
    Event(What),
}

/// Plain counters of one broadcast, ever growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) video_frames: u64,
    pub(super) audio_frames: u64,
    pub(super) bytes: u64,
    /// Frames of unknown, second or unplayable tracks, and pictures before a keyframe.
    pub(super) skipped: u64,
    /// Frames that could not be read or packetized.
    pub(super) broken: u64,
    /// Frames of sound that would have been heard late.
    pub(super) late_sound: u64,
}

#[derive(Debug)]
struct Video {
    packetizer: h264::Packetizer,
    order: Order,
    /// Newest group of a source that has B pictures or may have: what a re-encode begins with.
    source: Groups<Frame>,
    reencode: Reencode,
    /// Of what the re-encode makes.
    made: Option<h264::Packetizer>,
    /// What viewers get, as it was last said.
    playing: Option<Playing>,
    /// Presentation time of the newest picture sent.
    newest: Option<MediaTime>,
    needs_keyframe: bool,
    /// By its configuration, the played track is H.264 that browsers decode.
    playable: bool,
    reason: Option<Reason>,
    sequence: u64,
    group: u64,
    groups: Groups<Arc<Batch>>,
    /// When pictures come: what shards begin with, who else would take a host who is held up for one who is in time.
    clock: HostClock,
}

#[derive(Debug)]
struct Audio {
    reason: Option<Reason>,
    sequence: u64,
    /// Presentation time of the newest packet sent.
    newest: Option<MediaTime>,
    in_time: SoundInTime,
    /// The newest source frames, with which a new rendition's decoder is warmed up.
    recent: VecDeque<(Frame, Instant)>,
    rendition: Option<SoundRendition>,
    renditions: u64,
}

#[derive(Debug)]
struct SoundRendition {
    number: u64,
    /// What it makes of frames that came until then only warms it up: sound is never sent as a backlog (RTP.md 30).
    warm_until: Option<Instant>,
}

impl Broadcast {
    pub(super) fn new(
        id: BroadcastId,
        epoch: Instant,
        grace: Duration,
        grace_orderly: Duration,
        bounds: Bounds,
        renditions: Arc<dyn Renditions>,
    ) -> Self {
        Self {
            id,
            grace,
            grace_orderly,
            renditions,
            state: State::Waiting,
            leave: None,
            timeline: Timeline::new(epoch),
            tracks: BTreeMap::new(),
            settled: false,
            shards: BTreeSet::new(),
            video: Video {
                packetizer: h264::Packetizer::default(),
                order: Order::default(),
                source: Groups::new(bounds),
                reencode: Reencode::default(),
                made: None,
                playing: None,
                newest: None,
                needs_keyframe: true,
                playable: false,
                reason: None,
                sequence: 0,
                group: 0,
                groups: Groups::new(bounds),
                clock: HostClock::default(),
            },
            audio: Audio {
                reason: None,
                sequence: 0,
                newest: None,
                in_time: SoundInTime::default(),
                recent: VecDeque::new(),
                rendition: None,
                renditions: 0,
            },
            bitrate: Bitrate::default(),
            advice: Advice::default(),
            counts: Counts::default(),
            outputs: VecDeque::new(),
        }
    }

    /// A host begins; an earlier one, if it is still there, is over.
    pub(super) fn host_arrived(&mut self) {
        self.leave = None;
        self.timeline.restart();
        self.forget_host();
        self.advice.host_arrived();
        let what = match self.state {
            State::Waiting => What::Started,
            State::Interrupted => What::Resumed,
            State::Live => What::TakenOver,
        };
        self.state = State::Live;
        self.event(what);
    }

    /// The host is gone.
    pub(super) fn host_left(&mut self, now: Instant, finish: Finish) {
        if self.state != State::Live {
            return;
        }
        self.stop_rendition();
        self.stop_reencode();
        self.advice.host_left();
        self.state = State::Interrupted;
        let grace = match finish {
            Finish::Orderly => self.grace_orderly,
            Finish::Lost => self.grace,
        };
        // A grace beyond what a clock can hold is no grace worth waiting for.
        self.leave = Some((finish, now.checked_add(grace).unwrap_or(now)));
        self.event(What::Interrupted);
    }

    /// The server ends the broadcast now, without grace.
    pub(super) fn server_ends(&mut self, why: Ended) {
        if self.state != State::Waiting {
            self.end(EndReason::Server(why));
        }
    }

    /// What the host sent, received whole at `now`.
    pub(super) fn media(&mut self, now: Instant, media: Media) {
        if self.state != State::Live {
            return;
        }
        match media {
            Media::Track(track) => self.track(track),
            Media::Frame(frame) => self.frame(now, frame),
        }
    }

    /// What rendition `number` made.
    pub(super) fn made(&mut self, now: Instant, number: u64, made: Made) {
        let Some(rendition) = self.audio.rendition.as_mut().filter(|r| r.number == number) else {
            return;
        };
        match made {
            Made::Frame(frame, received) => {
                if rendition.warm_until.is_some_and(|until| received <= until) {
                    return;
                }
                rendition.warm_until = None;
                self.emit_audio(now, &frame);
            }
            Made::Unplayable(why) => self.rendition_failed(&why),
        }
    }

    /// A shard has viewers: it gets what is cached, then everything. A shard that asks again gets the cache again.
    pub(super) fn subscribe(&mut self, shard: ShardId) {
        self.shards.insert(shard);
        let batches = self.video.groups.newest().to_vec();
        let message = FromHub::Snapshot {
            broadcast: self.id,
            batches,
            clock: self.video.clock,
        };
        self.outputs.push_back(Output::Shard(shard, message));
        self.start_rendition();
    }

    /// A shard has no viewers any more.
    pub(super) fn unsubscribe(&mut self, shard: ShardId) {
        self.shards.remove(&shard);
        if self.shards.is_empty() {
            self.stop_rendition();
        }
    }

    /// Must be called when [`Broadcast::poll_timeout`]'s time has come.
    pub(super) fn timeout(&mut self, now: Instant) {
        if let Some((finish, at)) = self.leave
            && at <= now
        {
            self.end(match finish {
                Finish::Orderly => EndReason::HostFinished,
                Finish::Lost => EndReason::HostLost,
            });
        }
        self.judge_host(now);
    }

    /// What to do next; to be asked after every other call until it has nothing more.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Broadcast::timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let leave = self.leave.map(|(_, at)| at);
        leave.into_iter().chain(self.advice.poll_timeout()).min()
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values()
    }

    pub(super) fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.video.reason.into_iter().chain(self.audio.reason)
    }

    pub(super) fn playing(&self) -> Option<Playing> {
        self.video.playing
    }

    pub(super) fn has_shards(&self) -> bool {
        !self.shards.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bits a second that each viewer is sent; `None`: not known yet.
    pub(super) fn bitrate(&self) -> Option<u64> {
        self.bitrate.mean()
    }

    pub(super) fn overruns(&self) -> u64 {
        self.video.groups.overruns()
    }

    pub(super) fn jumps(&self) -> u64 {
        self.timeline.jumps()
    }

    /// A second track of a kind is known and counted, but only the first one, by id, is played.
    fn plays(&self, kind: Kind) -> Option<&Track> {
        self.tracks
            .values()
            .find(|track| track.codec.kind() == kind)
    }

    fn track(&mut self, track: Track) {
        let id = track.id;
        let kind = track.codec.kind();
        if !self.tracks.contains_key(&id) && self.tracks.len() >= TRACKS_MAX {
            return;
        }
        let before = self.tracks.insert(id, track);
        let after = self.tracks.get(&id);
        if before.as_ref() == after {
            return;
        }
        if before
            .as_ref()
            .is_some_and(|before| before.codec.kind() != kind)
        {
            self.configure(
                match kind {
                    Kind::Video => Kind::Audio,
                    Kind::Audio => Kind::Video,
                },
                None,
            );
        }
        if self.plays(kind).is_some_and(|played| played.id == id) {
            self.configure(kind, before.as_ref());
        }
        self.event(What::TracksChanged);
    }

    /// The played track of `kind` is new or has another configuration.
    fn configure(&mut self, kind: Kind, before: Option<&Track>) {
        let codec = self.plays(kind).map(|track| track.codec.clone());
        let reason = codec.as_ref().and_then(playability::of_codec);
        match kind {
            Kind::Video => {
                if let (Some(Codec::H264(new)), Some(Codec::H264(old))) =
                    (&codec, before.map(|track| &track.codec))
                    && same_headers(new, old)
                {
                    return;
                }
                self.stop_reencode();
                self.video.order = Order::default();
                self.video.source.clear();
                self.video.needs_keyframe = true;
                self.video.playable = reason.is_none();
                if let Some(reason) = reason {
                    self.stop_video(reason);
                } else if let Some(Codec::H264(config)) = &codec {
                    self.video.order = Order::new(self.renditions.in_order(config));
                    self.video.packetizer = h264::Packetizer::new(config);
                }
            }
            Kind::Audio => {
                self.stop_rendition();
                self.audio.recent.clear();
                self.set_reason(Kind::Audio, reason);
                self.start_rendition();
            }
        }
    }

    fn frame(&mut self, now: Instant, mut frame: Frame) {
        let Some(kind) = self
            .tracks
            .get(&frame.track)
            .map(|track| track.codec.kind())
        else {
            self.counts.skipped += 1;
            return;
        };
        self.settle();
        self.counts.bytes = self.counts.bytes.saturating_add(frame.payload.len() as u64);
        match kind {
            Kind::Video => self.counts.video_frames += 1,
            Kind::Audio => self.counts.audio_frames += 1,
        }
        self.advise_on(now, kind, &frame);
        let jumps = self.timeline.jumps();
        // Frames of tracks that are not played count for the timeline, too: it is the publication's.
        self.timeline.place(now, &mut frame);
        if self.timeline.jumps() > jumps {
            self.advice.jumped(now);
        }
        if self
            .plays(kind)
            .is_none_or(|played| played.id != frame.track)
        {
            self.counts.skipped += 1;
            return;
        }
        match kind {
            Kind::Video => self.picture(now, frame),
            Kind::Audio => self.sound(now, frame),
        }
    }

    /// With a host's first frame its tracks are known: what was said of an earlier host's tracks is void where this one
    /// has none of the kind.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        for kind in [Kind::Video, Kind::Audio] {
            if self.plays(kind).is_none() {
                self.set_reason(kind, None);
            }
        }
    }

    fn picture(&mut self, now: Instant, frame: Frame) {
        let Some(Codec::H264(config)) = self.plays(Kind::Video).map(|track| &track.codec) else {
            self.counts.skipped += 1;
            return;
        };
        if !self.video.playable {
            self.counts.skipped += 1;
            return;
        }
        let mut units = NalUnits::new(frame.payload.clone(), config.length_size);
        let list: Vec<NalUnit> = units.by_ref().take(NAL_UNITS_MAX + 1).collect();
        if units.is_broken() || list.len() > NAL_UNITS_MAX {
            self.lost_picture();
            return;
        }
        if self.video.needs_keyframe && !h264::is_idr(&list) {
            self.counts.skipped += 1;
            return;
        }
        self.video.needs_keyframe = false;
        let source = Frame {
            keyframe: h264::is_idr(&list),
            ..frame.clone()
        };
        let kept = self.video.order.push(Picture { frame, units: list });
        if !kept {
            self.counts.skipped += 1;
        }
        if self.video.order.verdict() == Some(Ok(())) {
            self.video.source.clear();
        } else {
            let _: Pushed = self.video.source.push(source.clone());
        }
        while let Some(picture) = self.video.order.pop() {
            self.in_order(now, picture);
        }
        self.tend_reencode(now, source);
        self.say_video();
    }

    fn emit_video(&mut self, now: Instant, picture: &Picture) {
        if let Some(batch) = self.cache_video(now, picture) {
            self.send_picture(batch);
        }
    }

    /// A live picture for all who watch.
    fn send_picture(&mut self, batch: Arc<Batch>) {
        self.video.clock.picture(&batch);
        self.send_all(&FromHub::Batch {
            broadcast: self.id,
            batch,
        });
    }

    /// Packetizes a picture of the source for joiners; `None`: it has to be left out.
    fn cache_video(&mut self, now: Instant, picture: &Picture) -> Option<Arc<Batch>> {
        let Picture { frame, units } = picture;
        if self.video.needs_keyframe && !h264::is_idr(units) {
            self.counts.skipped += 1;
            return None;
        }
        let keyframe = h264::is_idr(units);
        let group = self.video.group + u64::from(keyframe);
        let made = self
            .video
            .packetizer
            .packetize(frame, units, self.video.sequence, group, now);
        let Ok(batch) = made else {
            self.lost_picture();
            return None;
        };
        self.video.needs_keyframe = false;
        Some(self.cache_batch(batch, frame.pts))
    }

    /// The batch is the next one.
    fn cache_batch(&mut self, batch: Batch, time: MediaTime) -> Arc<Batch> {
        self.video.sequence += 1;
        self.video.group = batch.group;
        self.video.newest = Some(time);
        self.bitrate.note(&batch);
        let batch = Arc::new(batch.with_rendition(self.rendition()));
        // Those who watch go on when the group is too long to be kept; only joiners wait.
        let _: Pushed = self.video.groups.push(Arc::clone(&batch));
        batch
    }

    /// A picture that others may refer to is missing: nothing more until the next keyframe, or it would smear.
    fn lost_picture(&mut self) {
        self.counts.broken += 1;
        self.video.needs_keyframe = true;
    }

    /// No more pictures, and nothing to join: the shards' caches are replaced by an empty one.
    fn stop_video(&mut self, reason: Reason) {
        self.video.groups.clear();
        self.video.playing = None;
        self.send_all(&FromHub::Snapshot {
            broadcast: self.id,
            batches: Vec::new(),
            clock: self.video.clock,
        });
        self.set_reason(Kind::Video, Some(reason));
    }

    fn sound(&mut self, now: Instant, mut frame: Frame) {
        if !self.audio.in_time.admit(now, &mut frame) {
            self.counts.late_sound += 1;
            return;
        }
        match self.plays(Kind::Audio).map(|track| &track.codec) {
            Some(Codec::Opus(_)) => self.emit_audio(now, &frame),
            Some(Codec::Aac(_)) if self.audio.reason.is_none() => {
                if self.audio.recent.len() >= WARM_UP_FRAMES {
                    self.audio.recent.pop_front();
                }
                self.audio.recent.push_back((frame.clone(), now));
                if self.audio.rendition.is_some() {
                    self.outputs.push_back(Output::PushRendition(frame, now));
                }
            }
            _ => self.counts.skipped += 1,
        }
    }

    /// Sound that is there at `now`.
    fn emit_audio(&mut self, now: Instant, frame: &Frame) {
        if self.audio.newest.is_some_and(|newest| frame.pts <= newest) {
            // An older rendition has already been here: sound never goes back.
            self.counts.skipped += 1;
            return;
        }
        let made = packetize::opus(frame, self.audio.sequence, self.video.group, now);
        let Ok(batch) = made else {
            self.counts.broken += 1;
            return;
        };
        self.audio.newest = Some(frame.pts);
        self.bitrate.note(&batch);
        self.audio.sequence += 1;
        self.send_all(&FromHub::Batch {
            broadcast: self.id,
            batch: Arc::new(batch),
        });
    }

    /// Starts the rendition if there is a source for it, somebody who needs it, and none yet.
    fn start_rendition(&mut self) {
        if self.audio.rendition.is_some()
            || self.shards.is_empty()
            || self.state != State::Live
            || self.audio.reason.is_some()
        {
            return;
        }
        let Some(Codec::Aac(config)) = self.plays(Kind::Audio).map(|track| &track.codec) else {
            return;
        };
        let config = config.clone();
        self.audio.renditions += 1;
        let number = self.audio.renditions;
        let warm_until = self.audio.recent.back().map(|(_, received)| *received);
        self.outputs
            .push_back(Output::StartRendition(number, config));
        for (frame, received) in &self.audio.recent {
            self.outputs
                .push_back(Output::PushRendition(frame.clone(), *received));
        }
        self.audio.rendition = Some(SoundRendition { number, warm_until });
    }

    fn stop_rendition(&mut self) {
        if self.audio.rendition.take().is_some() {
            self.outputs.push_back(Output::StopRendition);
        }
    }

    fn rendition_failed(&mut self, why: &Unplayable) {
        self.stop_rendition();
        self.set_reason(Kind::Audio, Some(why.reason()));
    }

    fn end(&mut self, reason: EndReason) {
        self.leave = None;
        self.stop_rendition();
        self.forget_host();
        self.bitrate.clear();
        self.video.groups.clear();
        // The shards forget the host's clock, too.
        self.video.clock = HostClock::default();
        self.audio.in_time = SoundInTime::default();
        for kind in [Kind::Video, Kind::Audio] {
            self.set_reason(kind, None);
        }
        self.end_advice();
        self.video.playing = None;
        self.state = State::Waiting;
        self.send_all(&FromHub::Ended { broadcast: self.id });
        self.event(What::Ended(reason));
    }

    /// Nothing of the host before holds for the next one, except what viewers have: numbers, groups, and the reasons
    /// why they can't play, until the next one has shown otherwise.
    fn forget_host(&mut self) {
        self.stop_rendition();
        self.tracks.clear();
        self.settled = false;
        self.audio.recent.clear();
        self.stop_reencode();
        self.video.order = Order::default();
        self.video.source.clear();
        self.video.needs_keyframe = true;
    }

    fn set_reason(&mut self, kind: Kind, reason: Option<Reason>) {
        let place = match kind {
            Kind::Video => &mut self.video.reason,
            Kind::Audio => &mut self.audio.reason,
        };
        if *place == reason {
            return;
        }
        let before = std::mem::replace(place, reason);
        if let Some(before) = before {
            self.event(What::AdvisoryCleared(Advisory::Unplayable(before)));
        }
        if let Some(reason) = reason {
            self.event(What::AdvisoryRaised(Advisory::Unplayable(reason)));
        }
    }

    fn send_all(&mut self, message: &FromHub) {
        for shard in &self.shards {
            self.outputs
                .push_back(Output::Shard(*shard, message.clone()));
        }
    }

    fn event(&mut self, what: What) {
        self.outputs.push_back(Output::Event(what));
    }
}

/// Tracks that one host may announce.
const TRACKS_MAX: usize = crate::timeline::TRACKS_MAX;
/// NAL units of one access unit: 4K has 8 to 32 slices as a rule; the standard's own limits are lower for all levels in
/// use.
const NAL_UNITS_MAX: usize = 1_024;
/// AAC frames that a new decoder is warmed up with: its transform overlaps by one frame, and the resampler has a short
/// memory.
const WARM_UP_FRAMES: usize = 3;

#[cfg(test)]
mod tests;
