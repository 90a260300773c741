use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::address::Family;
use crate::{Waker, sys};

/// One shard's socket on the media port. Sending goes through a [`Sender`](crate::Sender), receiving through an
/// [`Inbound`](crate::Inbound).
#[derive(Debug)]
pub struct MediaSocket {
    pub(crate) socket: socket2::Socket,
    pub(crate) family: Family,
    pub(crate) gso: bool,
    address: SocketAddr,
    waker: Waker,
    counters: Arc<SocketCounters>,
}

/// Why [`MediaSocket::wait`] returned; neither: the time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// There are datagrams to read.
    pub readable: bool,
    /// Somebody used the [`Waker`].
    pub woken: bool,
}

/// What one socket did. Written by its shard, read by anyone; totals since the start.
#[derive(Debug, Default)]
pub struct SocketCounters {
    /// Datagrams that the kernel took.
    pub sent_datagrams: AtomicU64,
    /// Their bytes, without UDP and IP headers.
    pub sent_bytes: AtomicU64,
    /// Messages that the kernel took; a GSO message carries many datagrams.
    pub sent_messages: AtomicU64,
    /// `sendmmsg` calls.
    pub send_calls: AtomicU64,
    /// Times the send buffer was full and the shard waited for it.
    pub send_waits: AtomicU64,
    /// Datagrams given up because the send buffer stayed full.
    pub dropped_full: AtomicU64,
    /// Datagrams that the kernel refused: no route, no such source address.
    pub dropped_refused: AtomicU64,
    /// Messages that the kernel would not segment, and that went out datagram by datagram.
    pub segmented_here: AtomicU64,
    /// Datagrams received.
    pub received_datagrams: AtomicU64,
    /// Datagrams received that were too long for any protocol here, and dropped.
    pub received_oversize: AtomicU64,
}

impl MediaSocket {
    pub(crate) fn new(socket: socket2::Socket, address: SocketAddr, gso: bool) -> io::Result<Self> {
        Ok(Self {
            family: Family::of(address),
            socket,
            gso,
            address,
            waker: Waker::new()?,
            counters: Arc::default(),
        })
    }

    /// Where it listens, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether a datagram must be told which of our addresses it leaves from: not where the socket has but one.
    pub(crate) fn has_many_addresses(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// Wakes whoever waits on this socket.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// What it did so far.
    pub fn counters(&self) -> Arc<SocketCounters> {
        Arc::clone(&self.counters)
    }

    /// Sleeps until datagrams have arrived, somebody woke the shard, or `timeout` is over (`None`: no time limit).
    /// `idle` is asked once the shard has announced its sleep: whether there is really nothing in its queues.
    ///
    /// # Errors
    /// When the kernel cannot wait, which means that it is out of memory.
    pub fn wait(
        &self,
        timeout: Option<Duration>,
        idle: impl FnOnce() -> bool,
    ) -> io::Result<Ready> {
        self.waker.going_to_sleep();
        let timeout = if idle() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        let event = self.waker.event();
        let result = sys::wait(self.socket.as_fd(), false, Some(event), timeout);
        let (readable, woken) = *result.as_ref().unwrap_or(&(false, false));
        self.waker.awake(woken);
        result.map(|_| Ready { readable, woken })
    }

    /// Waits for room in the send buffer.
    pub(crate) fn wait_writable(&self, timeout: Duration) -> bool {
        self.count(&self.counters.send_waits, 1);
        sys::wait(self.socket.as_fd(), true, None, Some(timeout)).is_ok_and(|(ready, _)| ready)
    }

    /// Adds to one of the counters. Only the socket's shard does, so that no atomic addition is needed.
    pub(crate) fn count(&self, counter: &AtomicU64, amount: usize) {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        counter.store(
            counter.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }

    pub(crate) fn tally(&self) -> &SocketCounters {
        &self.counters
    }
}
