use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zongzi_transport::{Path, Waker};
use zongzi_webrtc::ice::Credentials;

use super::counters::{Closed, ShardCounters};
use super::{FromHub, ShardId};
use crate::hub::ShardLink;

/// The ways into all shards: two bounded queues each, and a wake. Live media has its own, so that nothing else can
/// stand in its way.
#[derive(Debug)]
pub struct Links {
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    live: SyncSender<FromHub>,
    control: SyncSender<Control>,
    waiting: Arc<AtomicUsize>,
    waker: Waker,
    counters: Arc<ShardCounters>,
}

/// A shard's end of its queues.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) live: Receiver<FromHub>,
    pub(super) control: Receiver<Control>,
    waiting: Arc<AtomicUsize>,
}

/// What others than the hub tell a shard.
#[derive(Debug)]
pub(crate) enum Control {
    /// End this session, for this reason.
    Close(String, Closed),
    /// This session restarts ICE with these credentials of ours.
    IceRestart(String, Credentials),
    /// A datagram for a session of this shard came in at another one's socket.
    Datagram(Path, Box<[u8]>),
    /// End all sessions and the thread.
    Shutdown,
}

impl Links {
    /// Links to as many shards as there are wakers.
    pub(super) fn new(wakers: Vec<Waker>) -> (Self, Vec<(Inbox, Arc<ShardCounters>)>) {
        let (links, inboxes) = wakers.into_iter().map(link).unzip();
        (Self { links }, inboxes)
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.links.len()
    }

    /// Tells a shard something. `false`: its queue is full.
    pub(crate) fn tell(&self, shard: ShardId, control: Control) -> bool {
        let Some(link) = self.links.get(usize::from(shard.0)) else {
            return false;
        };
        let sent = link.control.try_send(control).is_ok();
        link.notify(sent);
        sent
    }
}

impl ShardLink for Links {
    fn send(&self, shard: ShardId, message: FromHub) -> bool {
        let Some(link) = self.links.get(usize::from(shard.0)) else {
            return false;
        };
        let sent = link.live.try_send(message).is_ok();
        if !sent {
            // Several broadcasts' owners write this one.
            link.counters.queue_dropped.fetch_add(1, Ordering::Relaxed);
        }
        link.notify(sent);
        sent
    }
}

impl Link {
    fn notify(&self, sent: bool) {
        if sent {
            self.waiting.fetch_add(1, Ordering::Release);
        }
        self.waker.wake();
    }
}

impl Inbox {
    /// Whether nothing waits in the queues.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// `count` messages were taken.
    pub(super) fn took(&self, count: usize) {
        // A message may be taken before its sender has counted it; the sum is right in the end, and wraps meanwhile,
        // which only makes the shard look once more.
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

fn link(waker: Waker) -> (Link, (Inbox, Arc<ShardCounters>)) {
    let (live, live_end) = sync_channel(LIVE_MAX);
    let (control, control_end) = sync_channel(CONTROL_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let counters = Arc::<ShardCounters>::default();
    let inbox = Inbox {
        live: live_end,
        control: control_end,
        waiting: Arc::clone(&waiting),
    };
    let link = Link {
        live,
        control,
        waiting,
        waker,
        counters: Arc::clone(&counters),
    };
    (link, (inbox, counters))
}

/// Batches that wait for a shard: half a second of 200 broadcasts. They are references of 40 bytes. What has waited for
/// nearly as long is late anyhow.
const LIVE_MAX: usize = 8_192;
/// Everything else: 1,000 players leaving at once. A datagram that finds no room is dropped, like any on its way.
const CONTROL_MAX: usize = 2_048;
