use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    /// Those of them that are [`Control::Datagram`].
    datagrams: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    waker: Waker,
    counters: Arc<ShardCounters>,
}

/// A shard's end of its queues.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) live: Receiver<FromHub>,
    pub(super) control: Receiver<Control>,
    waiting: Arc<AtomicUsize>,
    datagrams: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
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
        let datagram = matches!(control, Control::Datagram(..));
        if datagram && link.datagrams.fetch_add(1, Ordering::Relaxed) >= DATAGRAMS_MAX {
            link.datagrams.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let sent = link.control.try_send(control).is_ok();
        if datagram && !sent {
            link.datagrams.fetch_sub(1, Ordering::Relaxed);
        }
        link.notify(sent);
        sent
    }

    /// All shards are to end their sessions and their threads, however full their queues are.
    pub(super) fn end(&self) {
        for link in &self.links {
            link.over.store(true, Ordering::Release);
            link.waker.wake();
        }
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
    /// Whether nothing waits in the queues, and the shard goes on.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0 && !self.is_over()
    }

    /// Whether the shard is to end.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A [`Control::Datagram`] was taken.
    pub(super) fn took_datagram(&self) {
        self.datagrams.fetch_sub(1, Ordering::Relaxed);
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
    let datagrams = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let counters = Arc::<ShardCounters>::default();
    let inbox = Inbox {
        live: live_end,
        control: control_end,
        waiting: Arc::clone(&waiting),
        datagrams: Arc::clone(&datagrams),
        over: Arc::clone(&over),
    };
    let link = Link {
        live,
        control,
        waiting,
        datagrams,
        over,
        waker,
        counters: Arc::clone(&counters),
    };
    (link, (inbox, counters))
}

/// Batches that wait for a shard: half a second of 200 broadcasts. They are references of 40 bytes. What has waited for
/// nearly as long is late anyhow.
const LIVE_MAX: usize = 8_192;
/// Everything else: 1,000 players leaving at once.
const CONTROL_MAX: usize = 2_048;
/// Of these, datagrams of viewers whose address another shard hears: a flood of them leaves room for what is said about
/// sessions. One that finds none is dropped, like any on its way.
const DATAGRAMS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use zongzi_transport::{MediaPort, MediaSocket, Options};

    use super::*;

    #[test]
    fn a_flood_of_datagrams_leaves_room_for_sessions_and_a_full_queue_still_ends() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let sockets = MediaPort::bind(loopback, &Options::default()).unwrap();
        let (links, mut inboxes) = Links::new(sockets.iter().map(MediaSocket::waker).collect());
        let (inbox, _) = inboxes.remove(0);
        let path = Path {
            remote: loopback,
            local: None,
        };
        let tell = |control| links.tell(ShardId(0), control);
        let datagram = || Control::Datagram(path, Box::from(&b"x"[..]));
        let close = || Control::Close(String::new(), Closed::Left);
        let sent = (0..5_000).filter(|_| tell(datagram())).count();
        assert_eq!(sent, DATAGRAMS_MAX);
        assert!(tell(close()), "there is room");
        // Each that is taken makes room for one.
        assert!(matches!(
            inbox.control.try_recv(),
            Ok(Control::Datagram(..))
        ));
        inbox.took_datagram();
        assert!(tell(datagram()) && !tell(datagram()));
        while tell(close()) {}
        inbox.took(inbox.control.try_iter().count() + 1);
        assert!(inbox.is_idle());
        while tell(close()) {}
        links.end();
        assert!(inbox.is_over());
        inbox.took(inbox.control.try_iter().count());
        assert!(!inbox.is_idle(), "it would sleep instead of ending");
    }
}
