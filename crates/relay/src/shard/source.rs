use std::sync::Arc;

use super::{BroadcastId, ShardId};
use crate::hub::{Audience, Hub};

/// Where a shard gets its broadcasts from. Neither call waits.
pub trait Source: Send + Sync + 'static {
    /// From now on the shard gets the broadcast: first a snapshot, then every batch. Again: a new snapshot. Returns
    /// where its viewers are counted; `None` when there is no such broadcast any more.
    fn subscribe(&self, shard: ShardId, broadcast: BroadcastId) -> Option<Arc<Audience>>;

    /// The shard has no viewers of the broadcast any more.
    fn unsubscribe(&self, shard: ShardId, broadcast: BroadcastId);

    /// A viewer of the broadcast has lost pictures, and the newest keyframe is old: another one is wanted of whoever can
    /// make it. Called at most once a second by each shard.
    fn request_keyframe(&self, broadcast: BroadcastId);
}

impl Source for Hub {
    fn subscribe(&self, shard: ShardId, broadcast: BroadcastId) -> Option<Arc<Audience>> {
        Self::subscribe(self, shard, broadcast)
    }

    fn unsubscribe(&self, shard: ShardId, broadcast: BroadcastId) {
        Self::unsubscribe(self, shard, broadcast);
    }

    fn request_keyframe(&self, broadcast: BroadcastId) {
        Self::request_keyframe(self, broadcast);
    }
}
