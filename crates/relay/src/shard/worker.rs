//! One shard's thread.
//!
//! **Hot path.** Per live batch: one wake, then for each viewer of its broadcast what `viewer` describes, and one
//! `sendmmsg` for each 64 messages. Live batches come first; then what others ask, datagrams, and a bounded time of
//! handshakes, so that a crowd of joins cannot hold up those who watch. It may not block, lock, or allocate per packet.
//!
//! **Sound rides.** A packet of sound alone costs a send of its own for each viewer, 2.9 µs against 1.2 µs in a picture's
//! burst. So it is held for [`SOUND_HELD`] at the most: if a picture comes by then, it goes as the short end of the
//! picture's send, to all viewers in the same turn.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zongzi_transport::{Class, Inbound, MediaSocket, Path, Sender};
use zongzi_webrtc::ice;
use zongzi_webrtc::peer::{Event, Feedback, Reason};
use zongzi_webrtc::stun;

use super::counters::{Closed, ShardCounters, add};
use super::feed::{Feed, Pushed};
use super::inbox::{Control, Inbox, Links};
use super::session::{Claim, Sessions};
use super::viewers::{Out, Viewer, ViewerKey, Viewers};
use super::{BroadcastId, FromHub, ShardId, Source};
use crate::hub::Audience;
use crate::packetize::{Batch, BatchKind};
use crate::viewer::Tick;

/// One shard.
pub(super) struct Worker {
    id: ShardId,
    socket: Arc<MediaSocket>,
    sender: Sender,
    inbound: Option<Inbound>,
    inbox: Inbox,
    links: Arc<Links>,
    sessions: Arc<Sessions>,
    source: Arc<dyn Source>,
    counters: Arc<ShardCounters>,
    clock: Clock,
    viewers: Viewers,
    broadcasts: BTreeMap<BroadcastId, Channel>,
    /// Viewers who are sent a backlog.
    catching_up: Vec<ViewerKey>,
    /// Viewers whose transport is not proved yet.
    connecting: Vec<ViewerKey>,
    handshakes: VecDeque<Handshake>,
    /// When held sound must go, whose; the earliest first, since all is held for the same span.
    sound_due: VecDeque<(Instant, BroadcastId)>,
    strangers: Strangers,
    swept: Instant,
    looked_at_connecting: Instant,
    over: bool,
}

/// A broadcast that this shard has viewers of.
struct Channel {
    feed: Feed,
    audience: Option<Arc<Audience>>,
    /// Sound that waits for a picture to ride with; at most [`SOUND_HELD_MAX`] packets.
    sound: Vec<Arc<Batch>>,
    /// Until when it waits.
    sound_due: Option<Instant>,
    /// Those who are connected.
    viewers: Vec<ViewerKey>,
    /// Those who are not, too.
    sessions: usize,
    subscribed: Instant,
}

/// A DTLS datagram that waits for its turn.
struct Handshake {
    viewer: ViewerKey,
    path: Path,
    datagram: Box<[u8]>,
}

/// Addresses whose datagrams come to this shard's socket but belong to another's session.
#[derive(Default)]
struct Strangers {
    owners: BTreeMap<SocketAddr, ShardId>,
    order: VecDeque<SocketAddr>,
}

/// Ties the moments of this process to the world's time, once.
#[derive(Debug, Clone, Copy)]
struct Clock {
    epoch: Instant,
    started: Instant,
    started_unix: Duration,
}

/// What a viewer may be sent now.
#[derive(Clone, Copy)]
struct Due<'a> {
    feed: &'a Feed,
    /// There may be new pictures in the feed.
    pictures: bool,
    sound: &'a [Arc<Batch>],
}

impl<'a> Due<'a> {
    fn pictures(feed: &'a Feed) -> Self {
        Self {
            feed,
            pictures: true,
            sound: &[],
        }
    }
}

impl Worker {
    pub(super) fn new(
        id: ShardId,
        socket: MediaSocket,
        inbox: Inbox,
        links: Arc<Links>,
        sessions: Arc<Sessions>,
        source: Arc<dyn Source>,
        counters: Arc<ShardCounters>,
        epoch: Instant,
    ) -> Self {
        let socket = Arc::new(socket);
        let clock = Clock::new(epoch);
        Self {
            id,
            sender: Sender::new(Arc::clone(&socket)),
            inbound: Some(Inbound::new(&socket)),
            socket,
            inbox,
            links,
            sessions,
            source,
            counters,
            clock,
            viewers: Viewers::default(),
            broadcasts: BTreeMap::new(),
            catching_up: Vec::new(),
            connecting: Vec::new(),
            handshakes: VecDeque::new(),
            sound_due: VecDeque::new(),
            strangers: Strangers::default(),
            swept: clock.started,
            looked_at_connecting: clock.started,
            over: false,
        }
    }

    /// Works until it is told to end.
    pub(super) fn run(mut self) {
        while !self.over {
            let more = self.turn();
            if !more {
                let timeout = self.timeout();
                let inbox = &self.inbox;
                if let Err(error) = self.socket.wait(Some(timeout), || inbox.is_idle()) {
                    tracing::error!(%error, shard = self.id.0, "the media port cannot wait");
                    std::thread::sleep(WAIT_FAILED);
                }
            }
        }
        for key in self.viewers.keys() {
            self.close(key, Closed::Server);
        }
        self.sender.flush();
    }

    /// One turn: live media, requests, datagrams, handshakes, timers. Returns whether there is more at once.
    fn turn(&mut self) -> bool {
        let mut more = self.take_live();
        self.let_sound_go();
        self.sender.flush();
        more |= self.take_control();
        more |= self.take_datagrams();
        more |= self.take_handshakes();
        self.catch_up();
        self.look_at_connecting();
        self.sweep();
        self.sender.flush();
        more
    }

    fn timeout(&self) -> Duration {
        let patience = self.patience();
        match self.sound_due.front() {
            Some((due, _)) => patience.min(due.saturating_duration_since(self.clock.now().at)),
            None => patience,
        }
    }

    fn patience(&self) -> Duration {
        if self.catching_up.is_empty() && self.connecting.is_empty() {
            SWEEP_EVERY
        } else if self.catching_up.is_empty() {
            LOOK_EVERY
        } else {
            CATCH_UP_EVERY
        }
    }

    fn take_live(&mut self) -> bool {
        for taken in 0..LIVE_AT_ONCE {
            let Ok(message) = self.inbox.live.try_recv() else {
                self.inbox.took(taken);
                return false;
            };
            match message {
                FromHub::Snapshot { broadcast, batches } => self.restart(broadcast, batches),
                FromHub::Batch { broadcast, batch } => self.live(broadcast, &batch),
                FromHub::Ended { broadcast } => self.ended(broadcast),
            }
        }
        self.inbox.took(LIVE_AT_ONCE);
        true
    }

    fn live(&mut self, broadcast: BroadcastId, batch: &Arc<Batch>) {
        let now = self.clock.now();
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        let pushed = channel.feed.push(batch);
        if pushed == Pushed::Lost {
            add(&self.counters.gaps, 1);
            let lost_video =
                matches!(batch.kind, BatchKind::Video { .. }) && channel.feed.end().is_none();
            let again = now.at.saturating_duration_since(channel.subscribed) > RESUBSCRIBE_AFTER;
            if lost_video && again {
                channel.subscribed = now.at;
                channel.audience = self.source.subscribe(self.id, broadcast);
            }
        }
        if pushed == Pushed::Unusable {
            return;
        }
        if now.at.saturating_duration_since(batch.received) > LATE_AFTER {
            // The shard has more to send than it can. Taking what waits without sending it brings it back to now;
            // viewers go on from the feed, and leave out what a newer keyframe makes needless.
            add(&self.counters.late, 1);
            channel.feed.hurry();
            return;
        }
        if batch.is_keyframe() {
            channel.feed.in_time();
        }
        match batch.kind {
            BatchKind::Video { .. } => self.fan_out(broadcast, true),
            BatchKind::Audio => self.hold_sound(broadcast, batch, now.at),
        }
    }

    /// Keeps a packet of sound until a picture comes or its time is up.
    fn hold_sound(&mut self, broadcast: BroadcastId, batch: &Arc<Batch>, now: Instant) {
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        // Nobody is there to hear it, or nothing is there to ride with: sound alone.
        if channel.viewers.is_empty() {
            return;
        }
        channel.sound.push(Arc::clone(batch));
        let alone = channel.feed.end().is_none();
        if alone || channel.sound.len() >= SOUND_HELD_MAX {
            self.fan_out(broadcast, false);
        } else if channel.sound_due.is_none() {
            let due = now + SOUND_HELD;
            channel.sound_due = Some(due);
            self.sound_due.push_back((due, broadcast));
        }
    }

    /// Sends the sound that no picture came for.
    fn let_sound_go(&mut self) {
        let now = self.clock.now().at;
        while let Some((due, broadcast)) = self.sound_due.front().copied() {
            // Otherwise it has left with a picture.
            let waiting = self
                .broadcasts
                .get(&broadcast)
                .is_some_and(|channel| channel.sound_due == Some(due));
            if waiting && due > now {
                return;
            }
            self.sound_due.pop_front();
            if waiting {
                self.fan_out(broadcast, false);
            }
        }
    }

    fn restart(&mut self, broadcast: BroadcastId, batches: Vec<Arc<Batch>>) {
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        channel.feed.restart(batches);
        self.fan_out(broadcast, true);
    }

    fn ended(&mut self, broadcast: BroadcastId) {
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        channel.feed.clear();
        for key in &channel.viewers {
            if let Some(egress) = self
                .viewers
                .viewer(*key)
                .and_then(|viewer| viewer.egress.as_mut())
            {
                egress.restart();
            }
        }
    }

    /// Gives every viewer of the broadcast the sound that was held, behind the pictures that are due if there are new
    /// ones.
    fn fan_out(&mut self, broadcast: BroadcastId, pictures: bool) {
        let now = self.clock.now();
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        let mut broken = Vec::new();
        for key in &channel.viewers {
            let Some(viewer) = self.viewers.viewer(*key) else {
                continue;
            };
            let due = Due {
                feed: &channel.feed,
                pictures,
                sound: &channel.sound,
            };
            let sender = &mut self.sender;
            let served = catch_unwind(AssertUnwindSafe(|| serve(viewer, now, due, sender)));
            match served {
                Ok(behind) => {
                    if behind && !viewer.catching_up {
                        viewer.catching_up = true;
                        self.catching_up.push(*key);
                    }
                    settle(viewer, now.at, &self.counters);
                }
                Err(_panic) => broken.push(*key),
            }
        }
        channel.sound.clear();
        channel.sound_due = None;
        for key in broken {
            self.panicked(key);
        }
    }

    fn catch_up(&mut self) {
        if self.catching_up.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut list = std::mem::take(&mut self.catching_up);
        list.retain(|key| {
            let Some(viewer) = self.viewers.viewer(*key) else {
                return false;
            };
            let Some(channel) = self.broadcasts.get(&viewer.session.broadcast) else {
                return false;
            };
            let due = Due::pictures(&channel.feed);
            let sender = &mut self.sender;
            let served = catch_unwind(AssertUnwindSafe(|| serve(viewer, now, due, sender)));
            // A panic shows again in the fan-out of the next batch, which ends the viewer.
            viewer.catching_up = served.unwrap_or(false);
            settle(viewer, now.at, &self.counters);
            viewer.catching_up
        });
        // Whoever fell behind meanwhile is on the new list.
        list.append(&mut self.catching_up);
        self.catching_up = list;
    }

    fn take_control(&mut self) -> bool {
        for taken in 0..CONTROL_AT_ONCE {
            let Ok(control) = self.inbox.control.try_recv() else {
                self.inbox.took(taken);
                return false;
            };
            match control {
                Control::Close(name) => {
                    if let Some(key) = self.viewers.named(&name) {
                        self.close(key, Closed::Left);
                    }
                }
                Control::IceRestart(name, credentials) => {
                    let key = self.viewers.named(&name);
                    if let Some(viewer) = key.and_then(|key| self.viewers.viewer(key)) {
                        viewer.peer.restart_ice(credentials);
                    }
                }
                Control::Datagram(path, datagram) => self.datagram(path, &datagram, true),
                Control::Shutdown => self.over = true,
            }
        }
        self.inbox.took(CONTROL_AT_ONCE);
        true
    }

    fn take_datagrams(&mut self) -> bool {
        let Some(mut inbound) = self.inbound.take() else {
            return false;
        };
        let mut more = false;
        for _ in 0..RECEIVE_AT_ONCE {
            let received = inbound.receive(&self.socket).unwrap_or_else(|error| {
                tracing::debug!(%error, shard = self.id.0, "receiving failed");
                0
            });
            for datagram in inbound.datagrams() {
                self.datagram(datagram.path, datagram.data, false);
            }
            more = received == Inbound::BATCH;
            if !more {
                break;
            }
        }
        self.inbound = Some(inbound);
        more
    }

    /// A datagram has come, by our socket or from another shard.
    fn datagram(&mut self, path: Path, data: &[u8], forwarded: bool) {
        let class = Class::of(data);
        let mut key = self.viewers.at(path.remote);
        if class == Class::Stun {
            // An address may come to have another session: the fragment decides.
            key = key.filter(|key| self.is_for(*key, data));
            if key.is_none() {
                key = self.claim(path, data, forwarded);
            }
        }
        let Some(key) = key else {
            if class != Class::Stun && !forwarded {
                self.forward(path, data);
            }
            return;
        };
        match class {
            Class::Stun | Class::Rtp => self.feed_peer(key, path, data),
            Class::Dtls => {
                if self.handshakes.len() < HANDSHAKES_MAX {
                    let datagram = data.into();
                    self.handshakes.push_back(Handshake {
                        viewer: key,
                        path,
                        datagram,
                    });
                } else {
                    // The client sends it again, in 50 ms or more.
                    add(&self.counters.datagrams_dropped, 1);
                }
            }
            Class::Unknown => add(&self.counters.datagrams_unknown, 1),
        }
    }

    fn is_for(&self, key: ViewerKey, request: &[u8]) -> bool {
        let named = stun::username(request).map(|(ours, _)| ours);
        let viewer = self.viewers.get(key);
        // Without a name it is no check: his, as it came from his address.
        named.is_none_or(|named| {
            viewer.is_some_and(|viewer| viewer.peer.ice().ufrags().any(|ours| ours == named))
        })
    }

    /// Finds the session of a STUN request from an unknown address.
    fn claim(&mut self, path: Path, request: &[u8], forwarded: bool) -> Option<ViewerKey> {
        let Some(session) = self.sessions.named_in(request) else {
            add(&self.counters.datagrams_unknown, 1);
            return None;
        };
        match session.claim(self.id) {
            Claim::Owned(owner) if owner == self.id => self.viewers.named(&session.name),
            Claim::Owned(owner) => {
                if !forwarded {
                    self.strangers.remember(path.remote, owner);
                    self.forward(path, request);
                }
                None
            }
            Claim::Taken(newcomer) => {
                let broadcast = session.broadcast;
                let key = self.viewers.insert(session, *newcomer);
                add(&self.counters.sessions_opened, 1);
                self.connecting.push(key);
                self.open(broadcast);
                Some(key)
            }
        }
    }

    /// One more session of a broadcast: subscribes with the first, so that the group is there when the keys stand.
    fn open(&mut self, broadcast: BroadcastId) {
        let channel = self.broadcasts.entry(broadcast).or_insert_with(|| Channel {
            feed: Feed::default(),
            sound: Vec::new(),
            sound_due: None,
            audience: self.source.subscribe(self.id, broadcast),
            viewers: Vec::new(),
            sessions: 0,
            subscribed: self.clock.started,
        });
        channel.sessions += 1;
    }

    /// Hands a datagram to the shard whose it is.
    fn forward(&self, path: Path, data: &[u8]) {
        let Some(owner) = self.strangers.owner(path.remote) else {
            add(&self.counters.datagrams_unknown, 1);
            return;
        };
        if self.links.tell(owner, Control::Datagram(path, data.into())) {
            add(&self.counters.datagrams_forwarded, 1);
        } else {
            add(&self.counters.datagrams_dropped, 1);
        }
    }

    fn take_handshakes(&mut self) -> bool {
        let started = Instant::now();
        while let Some(handshake) = self.handshakes.pop_front() {
            self.feed_peer(handshake.viewer, handshake.path, &handshake.datagram);
            if started.elapsed() > HANDSHAKE_BUDGET {
                break;
            }
        }
        !self.handshakes.is_empty()
    }

    /// Gives a viewer his datagram, and does what comes of it.
    fn feed_peer(&mut self, key: ViewerKey, path: Path, data: &[u8]) {
        let now = self.clock.now();
        let Some(viewer) = self.viewers.viewer(key) else {
            return;
        };
        let way = ice::Path {
            remote: path.remote,
            local: path.local,
        };
        let fed = catch_unwind(AssertUnwindSafe(|| {
            viewer.peer.handle_datagram(now.at, way, data);
        }));
        match fed {
            Ok(()) => {
                if viewer.peer.ice().is_checked(path.remote) {
                    self.viewers.learn(key, path.remote);
                }
                self.drain(key, now);
            }
            Err(_panic) => self.panicked(key),
        }
    }

    /// Sends what the peer has to send and handles what happened to it.
    fn drain(&mut self, key: ViewerKey, now: Tick) {
        let drained = catch_unwind(AssertUnwindSafe(|| self.drain_events(key, now)));
        match drained {
            Ok(None) => {}
            Ok(Some(why)) => self.close(key, why),
            Err(_panic) => self.panicked(key),
        }
    }

    fn drain_events(&mut self, key: ViewerKey, now: Tick) -> Option<Closed> {
        let viewer = self.viewers.viewer(key)?;
        while let Some(transmit) = viewer.peer.poll_transmit() {
            let path = transport_path(transmit.path);
            self.sender
                .datagram(&path, transmit.datagram.len(), |place| {
                    place.copy_from_slice(&transmit.datagram);
                    true
                });
        }
        let mut closed = None;
        while let Some(event) = viewer.peer.poll_event() {
            let channel = self.broadcasts.get_mut(&viewer.session.broadcast);
            match event {
                Event::PathChanged(path) => viewer.path = Some(transport_path(path)),
                Event::Connected { sender } => {
                    viewer.connect(now.at, sender);
                    add(&self.counters.viewers_opened, 1);
                    if let Some(channel) = channel {
                        channel.viewers.push(key);
                        viewer.audience = channel.audience.clone();
                        if let Some(audience) = &viewer.audience {
                            audience.enter();
                        }
                        tracing::debug!(
                            viewer = key.0,
                            broadcast = viewer.session.broadcast.0,
                            "viewer connected"
                        );
                        if serve(viewer, now, Due::pictures(&channel.feed), &mut self.sender) {
                            viewer.catching_up = true;
                            self.catching_up.push(key);
                        }
                    }
                }
                Event::Feedback(feedback) => {
                    if let Some(channel) = channel {
                        if matches!(feedback, Feedback::KeyframeRequest { .. }) {
                            add(&self.counters.keyframe_requests, 1);
                        }
                        hear(viewer, now, feedback, &channel.feed, &mut self.sender);
                        // After a keyframe request he may have a backlog again.
                        let behind = viewer
                            .egress
                            .as_ref()
                            .is_some_and(|egress| egress.poll_timeout(&channel.feed).is_some());
                        if behind && !viewer.catching_up {
                            viewer.catching_up = true;
                            self.catching_up.push(key);
                        }
                    }
                }
                Event::Closed(reason) => {
                    tracing::debug!(viewer = key.0, reason = %reason, "session closed");
                    closed = Some(match reason {
                        Reason::Remote => Closed::Left,
                        Reason::Silent if viewer.egress.is_some() => Closed::Silent,
                        Reason::Silent => Closed::NeverConnected,
                        _ => Closed::Handshake,
                    });
                }
            }
        }
        settle(viewer, now.at, &self.counters);
        closed
    }

    /// DTLS timers of those who are connecting.
    fn look_at_connecting(&mut self) {
        let now = self.clock.now();
        if self.connecting.is_empty()
            || now.at.saturating_duration_since(self.looked_at_connecting) < LOOK_EVERY
        {
            return;
        }
        self.looked_at_connecting = now.at;
        let mut list = std::mem::take(&mut self.connecting);
        list.retain(|key| {
            let Some(viewer) = self
                .viewers
                .viewer(*key)
                .filter(|viewer| viewer.egress.is_none())
            else {
                return false;
            };
            if now.at.saturating_duration_since(viewer.session.created) > CONNECT_PATIENCE {
                self.close(*key, Closed::NeverConnected);
                return false;
            }
            self.let_time_pass(*key, now);
            true
        });
        list.append(&mut self.connecting);
        self.connecting = list;
    }

    /// Once a second: who is gone.
    fn sweep(&mut self) {
        let now = self.clock.now();
        if now.at.saturating_duration_since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now.at;
        for key in self.viewers.keys() {
            let over = self
                .viewers
                .viewer(key)
                .is_some_and(|viewer| viewer.session.is_over());
            if over {
                // Its end was told, and the message found the queue full.
                self.close(key, Closed::Left);
            } else {
                self.let_time_pass(key, now);
            }
        }
        if self.id == ShardId(0) {
            let expired = self.sessions.expire(now.at, CONNECT_PATIENCE);
            for _ in 0..expired {
                self.counters.closed(Closed::NeverConnected);
            }
        }
    }

    fn let_time_pass(&mut self, key: ViewerKey, now: Tick) {
        let Some(viewer) = self.viewers.viewer(key) else {
            return;
        };
        if viewer.peer.poll_timeout().is_none_or(|at| now.at < at) {
            return;
        }
        let passed = catch_unwind(AssertUnwindSafe(|| viewer.peer.handle_timeout(now.at)));
        match passed {
            Ok(()) => self.drain(key, now),
            Err(_panic) => self.panicked(key),
        }
    }

    fn panicked(&mut self, key: ViewerKey) {
        add(&self.counters.panics, 1);
        tracing::error!(
            viewer = key.0,
            shard = self.id.0,
            "a viewer's code panicked; his session ends"
        );
        self.close(key, Closed::Panic);
    }

    /// Ends a session: goodbye, where that makes sense, and out of all tables.
    fn close(&mut self, key: ViewerKey, why: Closed) {
        let Some(mut viewer) = self.viewers.remove(key) else {
            return;
        };
        self.sessions.end(&viewer.session);
        self.counters.closed(why);
        let broadcast = viewer.session.broadcast;
        if let Some(audience) = &viewer.audience {
            audience.leave();
        }
        if let Some(channel) = self.broadcasts.get_mut(&broadcast) {
            if viewer.egress.is_some() {
                channel.viewers.retain(|other| *other != key);
                add(&self.counters.viewers_closed, 1);
            }
            channel.sessions = channel.sessions.saturating_sub(1);
            if channel.sessions == 0 {
                self.broadcasts.remove(&broadcast);
                self.source.unsubscribe(self.id, broadcast);
            }
        }
        if why != Closed::Panic {
            let farewell = catch_unwind(AssertUnwindSafe(|| {
                say_goodbye(&mut viewer, &mut self.sender);
            }));
            if farewell.is_err() {
                add(&self.counters.panics, 1);
            }
        }
    }
}

/// Sends a viewer what is due. Returns whether he has a backlog.
fn serve(viewer: &mut Viewer, now: Tick, due: Due<'_>, sender: &mut Sender) -> bool {
    let (Some(egress), Some(path)) = (&mut viewer.egress, viewer.path) else {
        return false;
    };
    let mut out = Out { sender, path };
    if due.pictures {
        egress.pump(now, due.feed, &mut out);
    }
    for batch in due.sound {
        egress.audio(now, batch, &mut out);
    }
    egress.poll_timeout(due.feed).is_some()
}

/// A viewer's feedback.
fn hear(viewer: &mut Viewer, now: Tick, feedback: Feedback, feed: &Feed, sender: &mut Sender) {
    let (Some(egress), Some(path)) = (&mut viewer.egress, viewer.path) else {
        return;
    };
    let mut out = Out { sender, path };
    match feedback {
        Feedback::Report(report) => egress.report(now, &report),
        Feedback::Nack { media, pair } => egress.nack(media, pair, feed, &mut out),
        Feedback::KeyframeRequest { media } => egress.keyframe_request(now, media, feed, &mut out),
    }
}

/// Counts what a viewer caused.
fn settle(viewer: &mut Viewer, now: Instant, counters: &ShardCounters) {
    let Some(egress) = &mut viewer.egress else {
        return;
    };
    let tally = egress.take_tally();
    if tally.packets == 0 && tally.not_retransmitted == 0 && tally.groups_skipped == 0 {
        return;
    }
    counters.absorb(&tally);
    if !viewer.joined && tally.packets > 0 {
        viewer.joined = true;
        counters.joined(now.saturating_duration_since(viewer.session.created));
    }
}

fn say_goodbye(viewer: &mut Viewer, sender: &mut Sender) {
    if let (Some(egress), Some(path)) = (&mut viewer.egress, viewer.path) {
        egress.bye(&mut Out { sender, path });
    }
    viewer.peer.close();
    while let Some(transmit) = viewer.peer.poll_transmit() {
        let path = transport_path(transmit.path);
        sender.datagram(&path, transmit.datagram.len(), |place| {
            place.copy_from_slice(&transmit.datagram);
            true
        });
    }
}

fn transport_path(path: ice::Path) -> Path {
    Path {
        remote: path.remote,
        local: path.local,
    }
}

impl Strangers {
    fn owner(&self, address: SocketAddr) -> Option<ShardId> {
        self.owners.get(&address).copied()
    }

    fn remember(&mut self, address: SocketAddr, owner: ShardId) {
        if self.owners.insert(address, owner).is_some() {
            return;
        }
        self.order.push_back(address);
        if self.order.len() > STRANGERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }
}

impl Clock {
    fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            started: Instant::now(),
            started_unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    fn now(&self) -> Tick {
        let at = Instant::now();
        Tick {
            at,
            unix: self.started_unix + at.saturating_duration_since(self.started),
            media: at.saturating_duration_since(self.epoch),
        }
    }
}

/// Live messages handled before anything else has its turn: half a second of one broadcast.
const LIVE_AT_ONCE: usize = 64;
/// Requests and forwarded datagrams in one turn.
const CONTROL_AT_ONCE: usize = 64;
/// Batches of datagrams in one turn: 256 datagrams, most of them reports of 5 µs.
const RECEIVE_AT_ONCE: usize = 8;
/// DTLS in one turn. A handshake costs 0.15 ms (DEPENDENCIES), a tick of live media comes every 10 ms or so.
const HANDSHAKE_BUDGET: Duration = Duration::from_millis(2);
/// DTLS datagrams that wait: 1,000 joins' first flights of two; 1.4 MB at the most.
const HANDSHAKES_MAX: usize = 2_048;
/// Addresses remembered that belong to other shards' sessions: phones that changed networks.
const STRANGERS_MAX: usize = 4_096;
/// Backlogs go on this often: 25 KB at 50 Mb/s.
const CATCH_UP_EVERY: Duration = Duration::from_millis(4);
/// DTLS resends after 200 ms at the earliest.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A session that is not connected after this is given up.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// A lost message is healed by a new snapshot, unless the last one is as young as this: then by the next keyframe.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(1);
/// A batch that waited this long for the shard is not sent at its turn: sound would be heard late for good, and every
/// picture sent late makes the next one later.
const LATE_AFTER: Duration = Duration::from_millis(400);
/// How long sound waits for a picture. Pictures come every 33 ms at 30 a second, so a third of the sound finds one; the
/// rest is this much later, and a browser's sound buffer (40 ms and more) does not notice.
const SOUND_HELD: Duration = Duration::from_millis(10);
/// Packets of sound held at a time: one AAC frame makes two now and then.
const SOUND_HELD_MAX: usize = 2;
const WAIT_FAILED: Duration = Duration::from_millis(10);
