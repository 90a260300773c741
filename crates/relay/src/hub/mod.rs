//! The hub: every channel's broadcast, who feeds it, and which shards it goes to.
//!
//! One task owns each channel's broadcast; its core is sans-IO. Hosts come in by [`Hub::publish`] and get a
//! [`Publication`] with a bounded queue. Shards [`Hub::subscribe`] and get messages through a [`ShardLink`]. Everyone
//! else reads [`Hub::status`], [`Hub::counts`] and [`Hub::events`]. The registry's lock is taken when something begins
//! or ends, never for a frame.

mod audience;
mod bitrate;
mod broadcast;
mod config;
mod event;
mod host;
mod link;
mod owner;
mod publication;
mod status;
mod takeover;
mod traffic;

pub use audience::{Audience, Turnout, ViewerId, Visit};
pub use config::Config;
pub use event::{EndReason, Event, What};
pub use host::{Ended, Finish, Host, Media, Refused, Takeover};
pub use link::ShardLink;
pub use publication::Publication;
pub use status::{HostStatus, Playing, Raised, State, Status, TrackStatus};
pub use traffic::Traffic;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{broadcast as events, mpsc, watch};
use zongzi_media::ChannelName;

use self::broadcast::Broadcast;
use self::owner::{Arrival, Desk, MADE_MAX, Owner, Totals, VIDEO_MADE_MAX, Want, lock, now};
use crate::SessionId;
use crate::rendition::{Pool, PoolCounts, Renditions};
use crate::shard::{BroadcastId, ShardId};

/// All broadcasts of the process. Cheap to clone; all clones are the same hub.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    epoch: Instant,
    link: Arc<dyn ShardLink>,
    pool: Arc<Pool>,
    renditions: Arc<dyn Renditions>,
    events: events::Sender<Event>,
    totals: Arc<Totals>,
    runtime: Handle,
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    channels: BTreeMap<ChannelName, Channel>,
    names: BTreeMap<BroadcastId, ChannelName>,
    ids: u64,
    closed: bool,
}

struct Channel {
    id: BroadcastId,
    desk: Arc<Desk>,
    guard: takeover::Guard,
    host: Option<Present>,
    /// When somebody last asked for it.
    touched: Instant,
}

/// The newest host of a channel, there or gone.
struct Present {
    id: SessionId,
    key_id: String,
    ended: watch::Sender<Option<Ended>>,
}

/// Counters for the metrics page; all of them only grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[expect(
    clippy::module_name_repetitions,
    reason = "read far from here, beside the counters of shards and sockets"
)]
pub struct HubCounts {
    /// Publications begun.
    pub publications_opened: u64,
    /// Publications over; live hosts are the difference.
    pub publications_closed: u64,
    /// Hosts that took a channel over from another.
    pub takeovers: u64,
    /// Hosts refused, by [`Refused::code`].
    pub refused: BTreeMap<&'static str, u64>,
    /// Video frames received.
    pub video_frames: u64,
    /// Audio frames received.
    pub audio_frames: u64,
    /// Bytes of media received.
    pub bytes: u64,
    /// Frames not sent on: unplayable tracks, second tracks, pictures before a keyframe.
    pub frames_skipped: u64,
    /// Frames that could not be read.
    pub frames_broken: u64,
    /// Frames of sound left out because they would have been heard late: the host's uplink had stood still.
    pub sound_frames_late: u64,
    /// Groups too long to be kept for joins.
    pub group_overruns: u64,
    /// Jumps of hosts' timestamps.
    pub timestamp_jumps: u64,
    /// Advisories raised, by [`crate::advice::Advisory::code`]; all codes are there.
    pub advisories_raised: BTreeMap<&'static str, u64>,
    /// Advisories cleared.
    pub advisories_cleared: BTreeMap<&'static str, u64>,
    /// Messages lost because a shard's queue was full.
    pub shard_queue_full: u64,
    /// Renditions' own counters.
    pub renditions: PoolCounts,
}

impl Hub {
    /// A hub that sends to `link`. `epoch` is the zero of all timelines, the same that the shards use for sender
    /// reports.
    ///
    /// # Errors
    /// When the threads for renditions can't be started.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(
        config: Config,
        epoch: Instant,
        link: Arc<dyn ShardLink>,
        renditions: Arc<dyn Renditions>,
    ) -> std::io::Result<Self> {
        let pool = Arc::new(Pool::start(
            config.rendition_threads,
            Arc::clone(&renditions),
        )?);
        let (events, _) = events::channel(EVENTS_MAX);
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                epoch,
                link,
                pool,
                renditions,
                events,
                totals: Arc::default(),
                runtime: Handle::current(),
                registry: Mutex::default(),
            }),
        })
    }

    /// Begins a publication on `channel`, taking it over from an older host where the channel allows that.
    ///
    /// # Errors
    /// When the host may not go live now.
    pub fn publish(&self, channel: &ChannelName, host: Host) -> Result<Publication, Refused> {
        let result = self.try_publish(channel, host);
        if let Err(refused) = &result {
            *lock(&self.shared.totals.refused)
                .entry(refused.code())
                .or_default() += 1;
        }
        result
    }

    /// The channel's place in the hub, for a viewer: made if there is none yet, host or not. The caller has checked
    /// that the channel exists. The place stays while there is a host or a subscription, and [`IDLE_MIN`] longer.
    ///
    /// # Errors
    /// When too many channels are in use.
    pub fn broadcast_id(&self, channel: &ChannelName) -> Result<BroadcastId, Refused> {
        let mut registry = lock(&self.shared.registry);
        self.place(&mut registry, channel).map(|place| place.id)
    }

    /// Where the viewers of a place are counted; `None`: there is no such place (any more).
    pub fn audience(&self, broadcast: BroadcastId) -> Option<Arc<Audience>> {
        let registry = lock(&self.shared.registry);
        let place = registry.channels.get(registry.names.get(&broadcast)?)?;
        Some(Arc::clone(&place.desk.audience))
    }

    /// Subscribes `shard`: it gets a [`crate::shard::FromHub::Snapshot`], then everything. A shard that has missed
    /// something subscribes again and gets a new snapshot. The answer is where the shard counts the channel's viewers;
    /// `None`: there is no such broadcast (any more).
    pub fn subscribe(&self, shard: ShardId, broadcast: BroadcastId) -> Option<Arc<Audience>> {
        self.want(shard, broadcast, Want::Subscribe)
    }

    /// Ends a shard's subscription.
    pub fn unsubscribe(&self, shard: ShardId, broadcast: BroadcastId) {
        self.want(shard, broadcast, Want::Unsubscribe);
    }

    /// A viewer has lost pictures and would be helped by a keyframe. Only a re-encode can be asked for one, and is so at
    /// most once a second, however many viewers and shards ask; otherwise nothing happens.
    pub fn request_keyframe(&self, broadcast: BroadcastId) {
        let registry = lock(&self.shared.registry);
        let name = registry.names.get(&broadcast);
        if let Some(place) = name.and_then(|name| registry.channels.get(name)) {
            place.desk.request(|requests| requests.keyframe = true);
        }
    }

    /// How a channel stands; `None`: neither host nor viewers have asked for it.
    pub fn status(&self, channel: &ChannelName) -> Option<Status> {
        let registry = lock(&self.shared.registry);
        registry
            .channels
            .get(channel)
            .map(|place| place.desk.status(channel, place.id))
    }

    /// All channels that are live or interrupted.
    pub fn live(&self) -> Vec<Status> {
        let registry = lock(&self.shared.registry);
        let all = registry.channels.iter();
        all.filter(|(_, place)| place.desk.state() != State::Waiting)
            .map(|(channel, place)| place.desk.status(channel, place.id))
            .collect()
    }

    /// The channel whose place this is, if it still is.
    pub fn channel(&self, broadcast: BroadcastId) -> Option<ChannelName> {
        lock(&self.shared.registry).names.get(&broadcast).cloned()
    }

    /// Ends whatever is published with this key, at once. How many hosts that were.
    pub fn end_key(&self, key_id: &str) -> usize {
        let mut registry = lock(&self.shared.registry);
        let mut ended = 0;
        for place in registry.channels.values_mut() {
            let this = place
                .host
                .as_ref()
                .is_some_and(|host| host.key_id == key_id);
            ended += usize::from(this && place.end(Ended::KeyRevoked));
        }
        ended
    }

    /// Ends what is published on `channel`, at once; whether there was a host.
    pub fn kick(&self, channel: &ChannelName) -> bool {
        let mut registry = lock(&self.shared.registry);
        registry
            .channels
            .get_mut(channel)
            .is_some_and(|place| place.end(Ended::Kicked))
    }

    /// Ends this host and its broadcast, at once. Whose it was; `None`: there is no such host (any more).
    pub fn kick_host(&self, id: SessionId) -> Option<ChannelName> {
        let mut registry = lock(&self.shared.registry);
        registry.channels.iter_mut().find_map(|(channel, place)| {
            let this = place.host.as_ref().is_some_and(|host| host.id == id);
            (this && place.end(Ended::Kicked)).then(|| channel.clone())
        })
    }

    /// Ends everything; from now on hosts are refused.
    pub fn shutdown(&self) {
        let mut registry = lock(&self.shared.registry);
        registry.closed = true;
        for place in registry.channels.values_mut() {
            place.end(Ended::Shutdown);
            place.desk.request(|requests| requests.closed = true);
        }
        registry.channels.clear();
        registry.names.clear();
    }

    /// Everything that happens from now on. Who falls [`EVENTS_MAX`] events behind loses the oldest and is told.
    pub fn events(&self) -> events::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Counters for the metrics page.
    pub fn counts(&self) -> HubCounts {
        let totals = &self.shared.totals;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        // Closed first, so that a host that ends in between is not counted as ended but never begun.
        let publications_closed = read(&totals.publications_closed);
        HubCounts {
            publications_opened: read(&totals.publications_opened),
            publications_closed,
            takeovers: read(&totals.takeovers),
            refused: lock(&totals.refused).clone(),
            video_frames: read(&totals.video_frames),
            audio_frames: read(&totals.audio_frames),
            bytes: read(&totals.bytes),
            frames_skipped: read(&totals.skipped),
            frames_broken: read(&totals.broken),
            sound_frames_late: read(&totals.late_sound),
            group_overruns: read(&totals.overruns),
            timestamp_jumps: read(&totals.jumps),
            advisories_cleared: totals.cleared.read(),
            advisories_raised: totals.raised.read(),
            shard_queue_full: read(&totals.shard_full),
            renditions: self.shared.pool.counts(),
        }
    }

    fn try_publish(&self, channel: &ChannelName, host: Host) -> Result<Publication, Refused> {
        let shared = &self.shared;
        let mut registry = lock(&shared.registry);
        if registry.closed {
            return Err(Refused::Closed);
        }
        let others = registry.carried_besides(channel);
        if others >= shared.config.broadcasts_max {
            return Err(Refused::Full(shared.config.broadcasts_max));
        }
        let takeover = host.takeover;
        let place = self.place(&mut registry, channel)?;
        if let Some(older) = place.host.as_ref().filter(|older| older.is_there()) {
            if takeover == Takeover::Refuse {
                return Err(Refused::Busy(channel.clone()));
            }
            place
                .guard
                .take_over(now())
                .map_err(|again| Refused::TakeoverStorm {
                    channel: channel.clone(),
                    again: std::time::Duration::from_secs(again.as_secs().saturating_add(1)),
                })?;
            older.ended.send_replace(Some(Ended::TakenOver));
            shared.totals.takeovers.fetch_add(1, Ordering::Relaxed);
        }
        tracing::info!(
            %channel,
            broadcast = place.id.0,
            peer = %host.peer,
            protocol = host.protocol,
            key_id = host.key_id,
            client = host.client,
            "host publishes"
        );
        let id = SessionId::random();
        let (ended, told) = watch::channel(None);
        let (publication, feed) = Publication::new(
            shared.config.queue_messages,
            shared.config.queue_bytes,
            told,
        );
        place.host = Some(Present {
            id,
            key_id: host.key_id.clone(),
            ended,
        });
        place
            .desk
            .request(|requests| requests.host = Some(Arrival { id, host, feed }));
        shared
            .totals
            .publications_opened
            .fetch_add(1, Ordering::Relaxed);
        Ok(publication)
    }

    fn want(&self, shard: ShardId, broadcast: BroadcastId, want: Want) -> Option<Arc<Audience>> {
        let mut registry = lock(&self.shared.registry);
        let registry = &mut *registry;
        let place = registry.channels.get_mut(registry.names.get(&broadcast)?)?;
        place.touched = now();
        place.desk.request(|requests| {
            requests.shards.insert(shard, want);
        });
        Some(Arc::clone(&place.desk.audience))
    }

    /// The channel's entry, made if there is none.
    fn place<'a>(
        &self,
        registry: &'a mut Registry,
        channel: &ChannelName,
    ) -> Result<&'a mut Channel, Refused> {
        let shared = &self.shared;
        if registry.closed {
            return Err(Refused::Closed);
        }
        let now = now();
        if !registry.channels.contains_key(channel) {
            if registry.channels.len() >= shared.config.channels_max {
                registry.sweep(now);
            }
            if registry.channels.len() >= shared.config.channels_max {
                return Err(Refused::TooManyChannels(shared.config.channels_max));
            }
            registry.ids += 1;
            let id = BroadcastId(registry.ids);
            let desk = Arc::new(Desk::default());
            shared
                .runtime
                .spawn(self.owner(channel, id, Arc::clone(&desk)).run());
            registry.names.insert(id, channel.clone());
            let place = Channel {
                id,
                desk,
                guard: takeover::Guard::default(),
                host: None,
                touched: now,
            };
            registry.channels.insert(channel.clone(), place);
        }
        let place = registry.channels.get_mut(channel).ok_or(Refused::Closed)?;
        place.touched = now;
        Ok(place)
    }

    fn owner(&self, channel: &ChannelName, id: BroadcastId, desk: Arc<Desk>) -> Owner {
        let shared = &self.shared;
        let config = &shared.config;
        Owner {
            channel: channel.clone(),
            id,
            core: Broadcast::new(
                id,
                shared.epoch,
                config.grace,
                config.grace_orderly,
                config.group,
                Arc::clone(&shared.renditions),
            ),
            desk,
            link: Arc::clone(&shared.link),
            pool: Arc::clone(&shared.pool),
            events: shared.events.clone(),
            totals: Arc::clone(&shared.totals),
            feed: None,
            rendition: None,
            made: mpsc::channel(MADE_MAX),
            renditions: Arc::clone(&shared.renditions),
            video: None,
            video_made: mpsc::channel(VIDEO_MADE_MAX),
            counted: Default::default(),
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Broadcasts that are carried, `channel`'s own not counted.
    fn carried_besides(&self, channel: &ChannelName) -> usize {
        let others = self.channels.iter().filter(|(name, _)| *name != channel);
        others.filter(|(_, place)| place.is_carried()).count()
    }

    /// Lets channels go that nobody has needed for a while.
    fn sweep(&mut self, now: Instant) {
        self.channels.retain(|_, place| {
            let keep = place.is_carried()
                || !place.desk.is_idle()
                || now.saturating_duration_since(place.touched) < IDLE_MIN;
            if !keep {
                self.names.remove(&place.id);
                place.desk.request(|requests| requests.closed = true);
            }
            keep
        });
    }
}

impl Channel {
    fn is_carried(&self) -> bool {
        self.host.as_ref().is_some_and(Present::is_there) || self.desk.state() != State::Waiting
    }

    /// Ends the host that is there, and the broadcast with it; whether there was one.
    fn end(&mut self, why: Ended) -> bool {
        let Some(host) = self.host.take() else {
            return false;
        };
        let there = host.is_there();
        host.ended.send_replace(Some(why));
        self.desk.request(|requests| {
            requests.host = None;
            requests.end = Some(why);
        });
        there
    }
}

impl Present {
    /// Its publication is held by somebody, and the server has not ended it.
    fn is_there(&self) -> bool {
        !self.ended.is_closed() && self.ended.borrow().is_none()
    }
}

/// Events that a slow listener may fall behind.
pub const EVENTS_MAX: usize = 1_024;
/// How long a channel without host and subscriptions keeps its place when places are short: longer than a viewer's
/// way from the answer to the subscription.
pub const IDLE_MIN: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests;
