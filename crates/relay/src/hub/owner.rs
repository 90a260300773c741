use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::{Notify, broadcast, mpsc};
use zongzi_media::ChannelName;

use super::audience::Audience;
use super::broadcast::{Broadcast, Counts, Output};
use super::event::{Event, What};
use super::host::{Ended, Finish, Host};
use super::link::ShardLink;
use super::publication::{Feed, Queued};
use super::status::{HostStatus, Playing, Raised, State, Status, TrackStatus};
use super::traffic;
use crate::SessionId;
use crate::advice::{Advisory, Language};
use crate::playability::Reason;
use crate::rendition::{Handle, Made, Pool, Renditions, VideoMade, VideoRendition};
use crate::shard::{BroadcastId, ShardId};

/// The one task that owns a channel's broadcast: it feeds the core and does what the core wants.
pub(super) struct Owner {
    pub(super) channel: ChannelName,
    pub(super) id: BroadcastId,
    pub(super) core: Broadcast,
    pub(super) desk: Arc<Desk>,
    pub(super) link: Arc<dyn ShardLink>,
    pub(super) pool: Arc<Pool>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) totals: Arc<Totals>,
    pub(super) feed: Option<Feed>,
    pub(super) rendition: Option<Handle>,
    pub(super) made: Results,
    pub(super) renditions: Arc<dyn Renditions>,
    pub(super) video: Option<Box<dyn VideoRendition>>,
    pub(super) video_made: VideoResults,
    /// What of the core's counters is in `totals` already.
    pub(super) counted: (Counts, u64, u64),
}

/// Both ends of the queue by which renditions give back what they made, with their number.
type Results = (mpsc::Sender<(u64, Made)>, mpsc::Receiver<(u64, Made)>);

/// The same for video renditions.
type VideoResults = (
    mpsc::Sender<(u64, VideoMade)>,
    mpsc::Receiver<(u64, VideoMade)>,
);

/// Where others leave requests for an owner, and read how it stands. Locked for a few assignments at a time, and never
/// per frame.
#[derive(Debug, Default)]
pub(super) struct Desk {
    requests: Mutex<Requests>,
    wake: Notify,
    face: Mutex<Face>,
    pub(super) audience: Arc<Audience>,
    traffic: traffic::Counter,
    /// No host, no shard: the owner may be let go.
    idle: AtomicBool,
}

/// Requests not yet seen by the owner. Each shard and each kind has one place: a newer request takes the older one's.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) shards: BTreeMap<ShardId, Want>,
    /// A viewer would be helped by a keyframe.
    pub(super) keyframe: bool,
    pub(super) host: Option<Arrival>,
    pub(super) end: Option<Ended>,
    pub(super) closed: bool,
}

/// A host that was let in.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: SessionId,
    pub(super) host: Host,
    pub(super) feed: Feed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Subscribe,
    Unsubscribe,
}

/// What a broadcast shows of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Face {
    pub(super) state: State,
    pub(super) since: Option<SystemTime>,
    pub(super) host: Option<HostStatus>,
    pub(super) tracks: Vec<TrackStatus>,
    pub(super) playing: Option<Playing>,
    pub(super) reasons: Vec<Reason>,
    pub(super) advisories: Vec<Raised>,
}

/// Sums over all broadcasts since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) publications_opened: AtomicU64,
    pub(super) publications_closed: AtomicU64,
    pub(super) takeovers: AtomicU64,
    pub(super) refused: Mutex<BTreeMap<&'static str, u64>>,
    pub(super) video_frames: AtomicU64,
    pub(super) audio_frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) late_sound: AtomicU64,
    pub(super) overruns: AtomicU64,
    pub(super) jumps: AtomicU64,
    pub(super) raised: ByCode,
    pub(super) cleared: ByCode,
    pub(super) shard_full: AtomicU64,
}

/// A count for each code of [`Advisory::CODES`].
#[derive(Debug, Default)]
pub(super) struct ByCode([AtomicU64; Advisory::CODES.len()]);

impl ByCode {
    pub(super) fn read(&self) -> BTreeMap<&'static str, u64> {
        let counts = Advisory::CODES.into_iter().zip(&self.0);
        counts
            .map(|(code, count)| (code, count.load(Ordering::Relaxed)))
            .collect()
    }

    fn count(&self, advisory: Advisory) {
        let code = advisory.code();
        let all = Advisory::CODES.into_iter().zip(&self.0);
        for (_, count) in all.filter(|(name, _)| *name == code) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Desk {
    /// Leaves a request and wakes the owner.
    pub(super) fn request(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut lock(&self.requests));
        self.idle.store(false, Ordering::Release);
        self.wake.notify_one();
    }

    /// How `channel`, whose desk this is, stands.
    pub(super) fn status(&self, channel: &ChannelName, broadcast: BroadcastId) -> Status {
        let face = lock(&self.face).clone();
        Status {
            channel: channel.clone(),
            broadcast,
            state: face.state,
            since: face.since,
            host: face.host,
            tracks: face.tracks,
            playing: face.playing,
            reasons: face.reasons,
            advisories: face.advisories,
            traffic: self.traffic.read(),
            audience: self.audience.turnout(),
        }
    }

    pub(super) fn state(&self) -> State {
        lock(&self.face).state
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }
}

impl Owner {
    /// Runs until the desk is closed.
    pub(super) async fn run(mut self) {
        let desk = Arc::clone(&self.desk);
        loop {
            tokio::select! {
                biased;
                () = desk.wake.notified() => {
                    if !self.requests() {
                        return;
                    }
                }
                Some((number, made)) = self.made.1.recv() => {
                    self.core.made(now(), number, made);
                }
                Some((number, made)) = self.video_made.1.recv() => {
                    self.core.video_made(now(), number, made);
                }
                queued = next(self.feed.as_mut()) => self.fed(queued),
                () = until(self.core.poll_timeout()) => self.core.timeout(now()),
            }
            self.drain();
            self.count();
        }
    }

    /// Sees to what was left at the desk; `false` when it is closed.
    fn requests(&mut self) -> bool {
        let requests = std::mem::take(&mut *lock(&self.desk.requests));
        if let Some(why) = requests.end {
            self.drop_feed();
            self.core.server_ends(why);
            self.drain();
        }
        if let Some(arrival) = requests.host {
            self.host_arrived(arrival);
        }
        for (shard, want) in requests.shards {
            match want {
                Want::Subscribe => self.core.subscribe(shard),
                Want::Unsubscribe => self.core.unsubscribe(shard),
            }
        }
        if requests.keyframe {
            self.core.keyframe_wanted(now());
        }
        if requests.closed {
            self.drop_feed();
            self.core.server_ends(Ended::Shutdown);
            self.drain();
        }
        self.show_idle();
        !requests.closed
    }

    fn host_arrived(&mut self, arrival: Arrival) {
        let Arrival { id, host, feed } = arrival;
        self.drop_feed();
        self.feed = Some(feed);
        self.core.host_arrived();
        self.desk.traffic.host_arrived();
        lock(&self.desk.face).host = Some(HostStatus {
            id,
            since: SystemTime::now(),
            key_id: host.key_id,
            protocol: host.protocol,
            peer: host.peer,
            client: host.client,
        });
    }

    fn fed(&mut self, queued: Option<Queued>) {
        match queued {
            Some(queued) => self.core.media(now(), queued.media),
            None => {
                let finish = self
                    .feed
                    .as_ref()
                    .and_then(|feed| feed.finish.get().copied());
                self.drop_feed();
                self.core.host_left(now(), finish.unwrap_or(Finish::Lost));
            }
        }
    }

    fn drop_feed(&mut self) {
        if self.feed.take().is_some() {
            self.totals
                .publications_closed
                .fetch_add(1, Ordering::Relaxed);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Shard(shard, message) => {
                    if !self.link.send(shard, message) {
                        self.totals.shard_full.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Output::StartRendition(number, config) => {
                    let results = self.made.0.clone();
                    let deliver = move |made| results.try_send((number, made)).is_ok();
                    self.rendition = Some(self.pool.opus(config, Box::new(deliver)));
                }
                Output::PushRendition(frame, received) => {
                    if let Some(rendition) = &self.rendition {
                        rendition.push(frame, received);
                    }
                }
                Output::StopRendition => self.rendition = None,
                Output::StartVideo {
                    number,
                    config,
                    rate,
                } => {
                    let results = self.video_made.0.clone();
                    let deliver = move |made| results.try_send((number, made)).is_ok();
                    match self.renditions.reencode(&config, rate, Box::new(deliver)) {
                        Ok(rendition) => self.video = Some(rendition),
                        Err(why) => self.core.video_made(now(), number, VideoMade::GaveWay(why)),
                    }
                }
                Output::PushVideo {
                    frame,
                    cached,
                    shown,
                } => {
                    let video = self.video.as_mut();
                    if video.is_some_and(|video| video.push(frame, cached, shown)) {
                        self.core.video_begins(now());
                    }
                }
                Output::RequestKeyframe => {
                    if let Some(rendition) = &mut self.video {
                        rendition.request_keyframe();
                    }
                }
                Output::StopVideo => self.video = None,
                Output::Event(what) => self.happened(what),
            }
        }
    }

    fn happened(&self, what: What) {
        let before = matches!(what, What::Ended(_)).then(|| self.status());
        self.show(what);
        self.log(what);
        let event = Event {
            channel: self.channel.clone(),
            broadcast: self.id,
            what,
            status: Arc::new(before.unwrap_or_else(|| self.status())),
        };
        // Nobody listens: nothing is lost.
        let _ = self.events.send(event);
    }

    fn status(&self) -> Status {
        self.desk.status(&self.channel, self.id)
    }

    fn show(&self, what: What) {
        let mut face = lock(&self.desk.face);
        face.state = self.core.state();
        face.tracks = self.core.tracks().map(TrackStatus::of).collect();
        face.playing = self.core.playing();
        face.reasons = self.core.reasons().collect();
        match what {
            What::Started => {
                face.since = Some(SystemTime::now());
                self.desk.audience.begin();
                self.desk.traffic.start_over();
            }
            What::Ended(_) => {
                face.since = None;
                face.host = None;
                self.desk.audience.end();
            }
            What::AdvisoryRaised(advisory) => {
                self.totals.raised.count(advisory);
                face.advisories.push(Raised {
                    advisory,
                    since: SystemTime::now(),
                });
            }
            What::AdvisoryCleared(advisory) => {
                self.totals.cleared.count(advisory);
                face.advisories.retain(|raised| raised.advisory != advisory);
            }
            _ => {}
        }
        drop(face);
        self.show_idle();
    }

    fn show_idle(&self) {
        let idle = self.core.state() == State::Waiting && !self.core.has_shards();
        self.desk.idle.store(idle, Ordering::Release);
    }

    fn log(&self, what: What) {
        let (channel, broadcast) = (&self.channel, self.id.0);
        match what {
            What::Started => tracing::info!(%channel, broadcast, "broadcast started"),
            What::Interrupted => {
                tracing::info!(%channel, broadcast, "broadcast interrupted, waiting for the host");
            }
            What::Resumed => tracing::info!(%channel, broadcast, "broadcast resumed"),
            What::TakenOver => {
                tracing::info!(%channel, broadcast, "broadcast taken over by a newer host");
            }
            What::Ended(reason) => {
                tracing::info!(%channel, broadcast, reason = reason.code(), "broadcast ended");
            }
            What::AdvisoryRaised(advisory) => {
                let words = advisory.words(Language::English);
                tracing::info!(
                    %channel,
                    broadcast,
                    reason = advisory.code(),
                    effect = words.effect,
                    setting = words.setting,
                    "advisory raised"
                );
            }
            What::AdvisoryCleared(advisory) => {
                tracing::info!(%channel, broadcast, reason = advisory.code(), "advisory cleared");
            }
            What::RenditionChanged => {
                if let Some(playing) = self.core.playing() {
                    let (width, height) = playing.size.unwrap_or_default();
                    let (rendition, half_rate) = (playing.rendition.code(), playing.half_rate);
                    tracing::info!(%channel, broadcast, rendition, width, height, half_rate, "viewers get this video");
                }
            }
            What::TracksChanged => {
                for track in self.core.tracks() {
                    let codec = track.codec.rfc6381();
                    tracing::debug!(%channel, broadcast, track = track.id.0, name = track.codec.name(), codec, "track");
                }
            }
        }
    }

    fn count(&mut self) {
        self.desk.audience.sends(self.core.bitrate());
        let (before, overruns, jumps) = self.counted;
        let counts = self.core.counts();
        self.counted = (counts, self.core.overruns(), self.core.jumps());
        self.desk.traffic.add(
            counts.bytes - before.bytes,
            counts.video_frames - before.video_frames,
            counts.audio_frames - before.audio_frames,
        );
        let totals = &self.totals;
        for (total, more) in [
            (
                &totals.video_frames,
                counts.video_frames - before.video_frames,
            ),
            (
                &totals.audio_frames,
                counts.audio_frames - before.audio_frames,
            ),
            (&totals.bytes, counts.bytes - before.bytes),
            (&totals.skipped, counts.skipped - before.skipped),
            (&totals.broken, counts.broken - before.broken),
            (&totals.late_sound, counts.late_sound - before.late_sound),
            (&totals.overruns, self.counted.1 - overruns),
            (&totals.jumps, self.counted.2 - jumps),
        ] {
            if more > 0 {
                total.fetch_add(more, Ordering::Relaxed);
            }
        }
    }
}

async fn next(feed: Option<&mut Feed>) -> Option<Queued> {
    match feed {
        Some(feed) => feed.media.recv().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// The shell's clock: tokio's, so that tests can stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Locks what no panic leaves half-changed: every section is a few plain assignments.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What renditions have made and the owner has not yet taken: 1.3 s of Opus.
pub(super) const MADE_MAX: usize = 64;
/// Pictures that video renditions have made and the owner has not yet taken: 2 s at 30 a second.
pub(super) const VIDEO_MADE_MAX: usize = 64;
