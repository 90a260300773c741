use std::sync::Arc;

use crate::host_clock::HostClock;
use crate::packetize::Batch;

/// Names a shard: its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Names a channel's place in the hub for as long as viewers or a host are there. Viewers who wait for a host wait on
/// the same id that the host's broadcast will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BroadcastId(pub u64);

/// What the hub tells a shard about a broadcast it is subscribed to. Sent over a bounded queue; one wake per message
/// at the most.
#[derive(Debug, Clone)]
pub enum FromHub {
    /// The answer to a subscription: everything cached, oldest first, so that joins and retransmissions can begin.
    /// Starts with a keyframe where there is video. What follows by `Batch` goes on from here without gap.
    ///
    /// It replaces whatever the shard has cached. It also comes unasked, and empty, when the pictures of a host turn out
    /// to be unplayable: nothing may be joined or sent again from then on until a new keyframe comes; the sound goes on.
    Snapshot {
        /// Whose.
        broadcast: BroadcastId,
        /// The newest group of video; may be empty. Sound has no backlog (RTP.md 30).
        batches: Vec<Arc<Batch>>,
        /// When the host's pictures come, also while they are held up.
        clock: HostClock,
    },
    /// One live frame.
    Batch {
        /// Whose.
        broadcast: BroadcastId,
        /// The frame's packets.
        batch: Arc<Batch>,
    },
    /// The broadcast ended for good or its channel is gone: its viewers fall back to waiting. Caches are void. The
    /// subscription stands: when another host comes, `Batch`es come, sequence and group numbers and time going on.
    Ended {
        /// Whose.
        broadcast: BroadcastId,
    },
}
