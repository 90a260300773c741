//! A session's life on its shard: what its peer says and asks, its timers, and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use zongzi_transport::{Class, Path, Sender};
use zongzi_webrtc::ice;
use zongzi_webrtc::peer::{Event, Feedback, Reason};

use super::fan_out::{Due, serve, settle};
use super::{Channel, LOOK_EVERY, SWEEP_EVERY, Worker};
use crate::shard::ShardId;
use crate::shard::counters::{Closed, add};
use crate::shard::feed::Feed;
use crate::shard::viewers::{Out, Viewer, ViewerKey};
use crate::viewer::Tick;

impl Worker {
    /// Gives a viewer his datagram, and does what comes of it.
    pub(super) fn feed_peer(&mut self, key: ViewerKey, path: Path, data: &[u8]) {
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
            if Class::of(&transmit.datagram) == Class::Dtls {
                viewer.flights.sent(now.at);
            }
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
                Event::PathChanged(path) => {
                    viewer.path = Some(transport_path(path));
                    if viewer.join.reached.is_none() {
                        viewer.join.reached = Some(now.at);
                        let created = viewer.session.created;
                        let took = now.at.saturating_duration_since(created);
                        self.counters.times.ice.observe(took);
                    }
                }
                Event::Connected { sender } => {
                    viewer.connect(now.at, sender);
                    viewer.note();
                    if let Some(reached) = viewer.join.reached {
                        let took = now.at.saturating_duration_since(reached);
                        self.counters.times.dtls.observe(took);
                    }
                    viewer.join.keyed = Some(now.at);
                    let there = channel.as_ref().is_some_and(|one| one.feed.has_media());
                    viewer.join.waited = !there;
                    add(&self.counters.viewers_opened, 1);
                    if let Some(channel) = channel {
                        channel.viewers.push(key);
                        let audience = channel.audience.as_ref();
                        let who = viewer.session.pass.and_then(|pass| pass.viewer);
                        viewer.visit = audience.map(|audience| audience.enter(PROTOCOL, who));
                        tracing::debug!(
                            viewer = key.0,
                            broadcast = viewer.session.broadcast.0,
                            "viewer connected"
                        );
                        if serve(viewer, now, Due::pictures(&channel.feed), &mut self.sender) {
                            viewer.catching_up = true;
                            self.backlogs.push(key);
                        }
                    }
                }
                Event::Feedback(feedback) => {
                    if let Some(channel) = channel {
                        if matches!(feedback, Feedback::KeyframeRequest { .. }) {
                            add(&self.counters.keyframe_requests, 1);
                        }
                        let waited = now.at.saturating_duration_since(self.heard_all);
                        let sender = &mut self.sender;
                        let heard = hear(viewer, now, waited, feedback, &channel.feed, sender);
                        match heard {
                            Heard::RoundTrip(time) if time <= ROUND_TRIP_MAX => {
                                self.counters.times.round_trip.observe(time);
                            }
                            Heard::NeedsKeyframe if channel.asks_keyframe(now.at) => {
                                self.source.request_keyframe(viewer.session.broadcast);
                            }
                            _ => {}
                        }
                        // After a keyframe request he may have a backlog again.
                        let behind = viewer
                            .egress
                            .as_ref()
                            .is_some_and(|egress| egress.poll_timeout(&channel.feed).is_some());
                        if behind && !viewer.catching_up {
                            viewer.catching_up = true;
                            self.backlogs.push(key);
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
    pub(super) fn look_at_connecting(&mut self) {
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
    pub(super) fn sweep(&mut self) {
        let now = self.clock.now();
        if now.at.saturating_duration_since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now.at;
        self.weigh(now.at);
        for key in self.viewers.keys() {
            let Some(viewer) = self.viewers.get(key) else {
                continue;
            };
            viewer.note();
            let session = &viewer.session;
            if session.is_over() {
                // Its end was told, and the message found the queue full.
                self.close(key, Closed::Left);
            } else if session.is_expired(now.at) {
                self.close(key, Closed::Expired);
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

    pub(super) fn panicked(&mut self, key: ViewerKey) {
        add(&self.counters.panics, 1);
        tracing::error!(
            viewer = key.0,
            shard = self.id.0,
            "a viewer's code panicked; his session ends"
        );
        self.close(key, Closed::Panic);
    }

    /// Ends a session: goodbye, where that makes sense, and out of all tables.
    pub(super) fn close(&mut self, key: ViewerKey, why: Closed) {
        let Some(mut viewer) = self.viewers.remove(key) else {
            return;
        };
        if why == Closed::Left {
            self.sessions.depart(&viewer.session);
        } else {
            self.sessions.end(&viewer.session);
        }
        self.counters.closed(why);
        if !viewer.join.done {
            viewer.session.tell(&viewer.join, None, Some(why));
        }
        let broadcast = viewer.session.broadcast;
        drop(viewer.visit.take());
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

impl Channel {
    /// Whether a keyframe is to be asked for: not while the newest group, which heals, too, is short.
    fn asks_keyframe(&mut self, now: Instant) -> bool {
        let again = |asked: Instant| now.saturating_duration_since(asked) >= ASK_EVERY;
        let asks = self.feed.group_span() >= GROUP_LONG && self.asked.is_none_or(again);
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

/// What a viewer's feedback tells.
enum Heard {
    /// His round trip.
    RoundTrip(Duration),
    /// He has lost pictures.
    NeedsKeyframe,
    Nothing,
}

/// A viewer's feedback, which may have waited here for so long.
fn hear(
    viewer: &mut Viewer,
    now: Tick,
    waited: Duration,
    feedback: Feedback,
    feed: &Feed,
    sender: &mut Sender,
) -> Heard {
    let (Some(egress), Some(path)) = (&mut viewer.egress, viewer.path) else {
        return Heard::Nothing;
    };
    let mut out = Out { sender, path };
    match feedback {
        Feedback::Report(report) => {
            let round_trip = egress.report(now, waited, &report);
            return round_trip.map_or(Heard::Nothing, Heard::RoundTrip);
        }
        Feedback::Nack { media, pair } => egress.nack(media, pair, feed, &mut out),
        Feedback::KeyframeRequest { media } => {
            if egress.keyframe_request(now, media, feed, &mut out) {
                return Heard::NeedsKeyframe;
            }
        }
    }
    Heard::Nothing
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

/// What viewers of a shard speak, where they are counted.
const PROTOCOL: &str = "webrtc";
/// Each shard asks for a keyframe at most this often.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A group as long as this is slow to send again. A re-encode makes a keyframe when the last one is a second old.
const GROUP_LONG: Duration = Duration::from_millis(750);
/// A session that is not connected after this is given up.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// A round trip that a report tells and nobody can have: its clock is wrong, or it lies.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);
