use std::fmt;

use crate::shard::{FromHub, ShardId};

/// The hub's way to the shards.
pub trait ShardLink: Send + Sync + 'static {
    /// Hands `message` to a shard's bounded queue without waiting, and wakes the shard if it sleeps. `false`: the queue
    /// is full, the message is lost. The shard sees the gap in [`crate::packetize::Batch::sequence`] and can ask for
    /// everything again by subscribing once more ([`super::Hub::subscribe`]).
    fn send(&self, shard: ShardId, message: FromHub) -> bool;
}

impl fmt::Debug for dyn ShardLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShardLink")
    }
}
