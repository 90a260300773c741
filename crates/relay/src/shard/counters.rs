use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::Histogram;
use crate::viewer::Tally;

/// What one shard did. Written by the shard alone, read by anyone; totals since the start.
#[derive(Debug, Default)]
pub struct ShardCounters {
    /// Sessions whose transport was proved: viewers begun.
    pub viewers_opened: AtomicU64,
    /// Viewers gone. Live ones are the difference.
    pub viewers_closed: AtomicU64,
    /// Sessions that a first valid address brought to this shard.
    pub sessions_opened: AtomicU64,
    /// Sessions over, by [`Closed::index`].
    pub sessions_closed: [AtomicU64; Closed::ALL.len()],
    /// RTP packets put out, retransmissions included.
    pub packets: AtomicU64,
    /// Their bytes, without UDP and IP headers.
    pub bytes: AtomicU64,
    /// Video frames put out, counted once for each viewer.
    pub frames: AtomicU64,
    /// Packets sent again for a NACK.
    pub retransmitted: AtomicU64,
    /// Packets asked for by NACK and not sent again: too old, or beyond the viewer's budget.
    pub not_retransmitted: AtomicU64,
    /// Requests for a keyframe (PLI, FIR).
    pub keyframe_requests: AtomicU64,
    /// Newest groups sent again for such a request.
    pub groups_replayed: AtomicU64,
    /// Groups that viewers did without because their link was too slow.
    pub groups_skipped: AtomicU64,
    /// Live batches that found this shard's queue full.
    pub queue_dropped: AtomicU64,
    /// Live batches that the shard came to too late to send them at once.
    pub late: AtomicU64,
    /// Times that the shard stayed behind, and left out the groups that it was at.
    pub left_out: AtomicU64,
    /// Gaps seen in a broadcast's batches, each healed by a snapshot or the next keyframe.
    pub gaps: AtomicU64,
    /// Datagrams of nobody.
    pub datagrams_unknown: AtomicU64,
    /// Datagrams handed to the shard that owns their session.
    pub datagrams_forwarded: AtomicU64,
    /// Datagrams dropped because a queue was full: the owner's, or the one for handshakes.
    pub datagrams_dropped: AtomicU64,
    /// Panics caught; each ended one viewer.
    pub panics: AtomicU64,
    /// Packets on which viewers have reported, and how many of these had not come. What was sent again counts as lost
    /// here: it is how the network is, not what the viewer saw.
    pub reported_packets: AtomicU64,
    /// See [`ShardCounters::reported_packets`].
    pub reported_lost: AtomicU64,
    /// Bits a second of viewers that the shard could carry, as far as its time tells; 0: more than anyone can tell. Not a
    /// total.
    pub capacity: AtomicU64,
    /// DTLS datagrams that wait for their turn now. Not a total.
    pub handshakes_waiting: AtomicU64,
    /// How long things take.
    pub times: Times,
}

/// How long things take on a shard.
#[derive(Debug)]
pub struct Times {
    /// From the POST to the first media packet, of those who did not have to wait for the host.
    pub join: Histogram,
    /// A join's first step: from the POST to the first valid connectivity check.
    pub ice: Histogram,
    /// Its second: from there until the keys stand.
    pub dtls: Histogram,
    /// Its last: from there to the first media packet, of the same.
    pub media: Histogram,
    /// From when a live picture was whole in the server until the shard has handed it to the kernel for the last of its
    /// viewers.
    pub relay: Histogram,
    /// There and back between server and viewer, as reports tell; those that nobody can have are left out.
    pub round_trip: Histogram,
    /// One turn of the shard's loop. Their sum is how long it was busy.
    pub turn: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            join: Histogram::new(&JOIN_BUCKETS),
            ice: Histogram::new(&JOIN_BUCKETS),
            dtls: Histogram::new(&JOIN_BUCKETS),
            media: Histogram::new(&JOIN_BUCKETS),
            relay: Histogram::new(&RELAY_BUCKETS),
            round_trip: Histogram::new(&JOIN_BUCKETS),
            turn: Histogram::new(&TURN_BUCKETS),
        }
    }
}

/// A picture goes to 1,000 viewers of one core in about 11 ms; later than 400 ms it is not sent at once.
const RELAY_BUCKETS: [Duration; 10] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
];

const TURN_BUCKETS: [Duration; 9] = [
    Duration::from_micros(10),
    Duration::from_micros(50),
    Duration::from_micros(200),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
];

/// From a viewer in the next room to one on the other side of the world.
const JOIN_BUCKETS: [Duration; 10] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The player said so: DELETE, or DTLS close.
    Left,
    /// Nothing heard for 15 s.
    Silent,
    /// The session never connected.
    NeverConnected,
    /// The DTLS handshake failed.
    Handshake,
    /// The server ended it: channel gone, shutdown.
    Server,
    /// What let the viewer in is over.
    Expired,
    /// A bug, caught.
    Panic,
}

impl Closed {
    /// All of them, in the order of [`Closed::index`].
    pub const ALL: [Self; 7] = [
        Self::Left,
        Self::Silent,
        Self::NeverConnected,
        Self::Handshake,
        Self::Server,
        Self::Expired,
        Self::Panic,
    ];

    /// Its place in [`ShardCounters::sessions_closed`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Silent => "silent",
            Self::NeverConnected => "never_connected",
            Self::Handshake => "handshake",
            Self::Server => "server",
            Self::Expired => "expired",
            Self::Panic => "panic",
        }
    }
}

impl ShardCounters {
    pub(super) fn absorb(&self, tally: &Tally) {
        add(&self.packets, tally.packets);
        add(&self.bytes, tally.bytes);
        add(&self.frames, tally.batches);
        add(&self.retransmitted, tally.retransmitted);
        add(&self.not_retransmitted, tally.not_retransmitted);
        add(&self.groups_replayed, tally.groups_replayed);
        add(&self.groups_skipped, tally.groups_skipped);
        add(&self.reported_packets, tally.reported);
        add(&self.reported_lost, tally.reported_lost);
    }

    pub(super) fn closed(&self, why: Closed) {
        if let Some(counter) = self.sessions_closed.get(why.index()) {
            add(counter, 1);
        }
    }
}

/// Adds to a counter that this thread alone writes: a load and a store, no locked instruction.
pub(super) fn add(counter: &AtomicU64, amount: usize) {
    if amount > 0 {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        counter.store(
            counter.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }
}
