//! Datagrams come in: whose each is, and which shard's.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zongzi_transport::{Class, Inbound, Path};
use zongzi_webrtc::stun;

use super::{Channel, Worker};
use crate::shard::counters::add;
use crate::shard::feed::Feed;
use crate::shard::inbox::Control;
use crate::shard::session::Claim;
use crate::shard::viewers::ViewerKey;
use crate::shard::{BroadcastId, ShardId};

/// Addresses whose datagrams come to this shard's socket but belong to another's session.
#[derive(Default)]
pub(super) struct Strangers {
    owners: BTreeMap<SocketAddr, ShardId>,
    order: VecDeque<SocketAddr>,
}

impl Worker {
    pub(super) fn take_datagrams(&mut self) -> bool {
        let Some(mut inbound) = self.inbound.take() else {
            return false;
        };
        let mut more = false;
        let began = Instant::now();
        for _ in 0..RECEIVE_AT_ONCE {
            let looked = Instant::now();
            let received = inbound.receive(&self.socket).unwrap_or_else(|error| {
                tracing::debug!(%error, shard = self.id.0, "receiving failed");
                0
            });
            for datagram in inbound.datagrams() {
                self.datagram(datagram.path, datagram.data, false);
            }
            more = received == Inbound::BATCH;
            if !more {
                self.heard_all = looked;
                break;
            }
            if began.elapsed() > RECEIVE_BUDGET {
                break;
            }
        }
        self.inbound = Some(inbound);
        more
    }

    /// A datagram has come, by our socket or from another shard.
    pub(super) fn datagram(&mut self, path: Path, data: &[u8], forwarded: bool) {
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
            Class::Dtls => self.queue_handshake(key, path, data),
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
            pictures_due: None,
            cadence: super::cadence::Cadence::default(),
            audience: self.source.subscribe(self.id, broadcast),
            viewers: Vec::new(),
            sessions: 0,
            subscribed: self.clock.started,
            asked: None,
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

/// Batches of datagrams in one turn: 256 datagrams, most of them reports of 5 µs.
const RECEIVE_AT_ONCE: usize = 8;
/// Nor more than one batch beyond this: a datagram may ask for thousands of packets.
const RECEIVE_BUDGET: Duration = Duration::from_millis(10);
/// Addresses remembered that belong to other shards' sessions: phones that changed networks.
const STRANGERS_MAX: usize = 4_096;
