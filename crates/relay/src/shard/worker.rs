//! One shard's thread.
//!
//! **Hot path.** Per live batch: one wake, then for each viewer of its broadcast what `viewer` describes, and one
//! `sendmmsg` for each 64 messages. Live batches come first; then what others ask, datagrams, and a bounded time of
//! handshakes and of backlogs, so that a crowd of joins cannot hold up those who watch. It may not block (but for 4 ms where
//! the kernel has no room to send), lock, or allocate per packet.
//!
//! **Pictures come evenly.** One that a host sends early waits until those that come late would be there (`dejitter`), once
//! for all viewers.
//!
//! **Sound rides.** A packet of sound alone costs a send of its own for each viewer, 2.9 µs against 1.2 µs in a picture's
//! burst. So it is held where a picture is about to come (`cadence`), and goes as the short end of the picture's send, to
//! all viewers in the same turn. A shard that has time to spare lets it go at once: it is heard some 4 ms sooner.

mod backlogs;
mod cadence;
mod clock;
mod datagrams;
mod fan_out;
mod handshakes;
mod life;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zongzi_transport::{Inbound, MediaSocket, Sender};

use self::backlogs::Backlogs;
use self::cadence::Cadence;
use self::clock::Clock;
use self::datagrams::Strangers;
use self::handshakes::Handshake;
use super::capacity::Capacity;
use super::counters::{Closed, ShardCounters};
use super::feed::Feed;
use super::inbox::{Control, Inbox, Links};
use super::session::Sessions;
use super::viewers::{ViewerKey, Viewers};
use super::{BroadcastId, ShardId, Source};
use crate::hub::Audience;
use crate::packetize::Batch;

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
    backlogs: Backlogs,
    /// Viewers whose transport is not proved yet.
    connecting: Vec<ViewerKey>,
    handshakes: VecDeque<Handshake>,
    /// When held pictures and held sound must go, whose; the earliest first.
    due: BinaryHeap<Reverse<(Instant, BroadcastId)>>,
    strangers: Strangers,
    /// When the pictures of this turn were whole in the server; as many as are taken in one turn.
    sent: Vec<Instant>,
    capacity: Capacity,
    swept: Instant,
    looked_at_connecting: Instant,
    /// When there last was no datagram that waited: one that is read now came later than that.
    heard_all: Instant,
}

/// A broadcast that this shard has viewers of.
struct Channel {
    feed: Feed,
    audience: Option<Arc<Audience>>,
    /// Sound that waits for a picture to ride with; bounded by `fan_out::SOUND_HELD_MAX`.
    sound: Vec<Arc<Batch>>,
    /// Until when it waits.
    sound_due: Option<Instant>,
    cadence: Cadence,
    /// When the pictures that came early are looked at.
    pictures_due: Option<Instant>,
    /// Those who are connected.
    viewers: Vec<ViewerKey>,
    /// Those who are not, too.
    sessions: usize,
    subscribed: Instant,
    /// When a keyframe was last asked for.
    asked: Option<Instant>,
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
            backlogs: Backlogs::new(clock.started),
            connecting: Vec::new(),
            handshakes: VecDeque::new(),
            due: BinaryHeap::new(),
            strangers: Strangers::default(),
            sent: Vec::new(),
            capacity: Capacity::new(clock.started),
            swept: clock.started,
            looked_at_connecting: clock.started,
            heard_all: clock.started,
        }
    }

    /// With so many thousandths of its time under which sound goes alone.
    pub(super) fn with_quiet(mut self, quiet: u16) -> Self {
        self.capacity = self.capacity.with_quiet(quiet);
        self
    }

    /// Works until it is told to end.
    pub(super) fn run(mut self) {
        while !self.inbox.is_over() {
            let began = Instant::now();
            let more = self.turn(began);
            self.counters.times.turn.observe(began.elapsed());
            if !more {
                let timeout = self.timeout();
                let inbox = &self.inbox;
                if let Err(error) = self.socket.wait(Some(timeout), || inbox.is_idle()) {
                    tracing::error!(%error, shard = self.id.0, "the media port cannot wait");
                    std::thread::sleep(WAIT_FAILED);
                }
                // Nothing waited when it went to sleep, and it is woken by the first that comes.
                self.heard_all = Instant::now();
            }
        }
        for key in self.viewers.keys() {
            self.close(key, Closed::Server);
        }
        self.sender.flush();
    }

    /// One turn: live media, requests, datagrams, handshakes, timers. Returns whether there is more at once.
    fn turn(&mut self, began: Instant) -> bool {
        let mut more = self.take_live(began);
        self.let_go();
        self.sender.flush();
        self.note_delay();
        more |= self.take_control();
        more |= self.take_datagrams();
        self.capacity.note(began.elapsed());
        more |= self.take_handshakes();
        more |= self.catch_up();
        self.look_at_connecting();
        self.sweep();
        self.sender.flush();
        more
    }

    fn timeout(&self) -> Duration {
        let now = self.clock.now().at;
        let patience = if !self.backlogs.is_empty() {
            CATCH_UP_EVERY
        } else if !self.connecting.is_empty() {
            LOOK_EVERY
        } else {
            SWEEP_EVERY
        };
        match self.due.peek() {
            Some(Reverse((due, _))) => patience.min(due.saturating_duration_since(now)),
            None => patience,
        }
    }

    fn take_control(&mut self) -> bool {
        for taken in 0..CONTROL_AT_ONCE {
            let Ok(control) = self.inbox.control.try_recv() else {
                self.inbox.took(taken);
                return false;
            };
            match control {
                Control::Close(name, why) => {
                    if let Some(key) = self.viewers.named(&name) {
                        self.close(key, why);
                    }
                }
                Control::IceRestart(name, credentials) => {
                    let key = self.viewers.named(&name);
                    if let Some(viewer) = key.and_then(|key| self.viewers.viewer(key)) {
                        viewer.peer.restart_ice(credentials);
                    }
                }
                Control::Datagram(path, datagram) => {
                    self.inbox.took_datagram();
                    self.datagram(path, &datagram, true);
                }
            }
        }
        self.inbox.took(CONTROL_AT_ONCE);
        true
    }
}

/// Requests and forwarded datagrams in one turn.
const CONTROL_AT_ONCE: usize = 64;
/// Backlogs go on this often: 25 KB at 50 Mb/s.
const CATCH_UP_EVERY: Duration = Duration::from_millis(4);
/// DTLS resends after 200 ms at the earliest.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const WAIT_FAILED: Duration = Duration::from_millis(10);
