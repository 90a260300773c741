use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{ChannelStatus, Channels};

/// How many may follow events at once. One costs a connection and about 10 KiB, so this is at most 100 MiB.
pub(super) const FOLLOWERS_MAX: usize = 10_000;
/// How often a followed channel is looked at. Changes in between are told as one.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Tells the followers of each channel its changes.
///
/// However many follow a channel, one task looks at it, and it ends when the last follower has gone.
pub(super) struct Feed<C> {
    channels: Arc<C>,
    places: Arc<Semaphore>,
    followed: Mutex<BTreeMap<String, watch::Receiver<Option<ChannelStatus>>>>,
}

/// One follower's place and view. `None` in the view means that the channel is gone.
pub(super) struct Follower {
    pub(super) view: watch::Receiver<Option<ChannelStatus>>,
    _place: OwnedSemaphorePermit,
}

impl<C: Channels> Feed<C> {
    pub(super) fn new(channels: Arc<C>, followers_max: usize) -> Self {
        Self {
            channels,
            places: Arc::new(Semaphore::new(followers_max)),
            followed: Mutex::new(BTreeMap::new()),
        }
    }

    /// Follows the channel that `now` was just read from; `None` when all places are taken.
    pub(super) fn follow(self: &Arc<Self>, now: ChannelStatus) -> Option<Follower> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let view = match self.lock().entry(now.channel.clone()) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let channel = entry.key().clone();
                let (tell, view) = watch::channel(Some(now));
                // The map's own receiver does not count as a follower: `look` subtracts it.
                entry.insert(view.clone());
                tokio::spawn(Arc::clone(self).look(channel, tell));
                view
            }
        };
        Some(Follower {
            view,
            _place: place,
        })
    }

    async fn look(self: Arc<Self>, channel: String, tell: watch::Sender<Option<ChannelStatus>>) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // When the store can't be asked, the followers keep what they know.
            if let Ok(status) = self.channels.status(&channel).await {
                let gone = status.is_none();
                tell.send_if_modified(|last| {
                    let changed = *last != status;
                    *last = status;
                    changed
                });
                if gone {
                    self.lock().remove(&channel);
                    return;
                }
            }
            let mut followed = self.lock();
            if tell.receiver_count() <= 1 {
                followed.remove(&channel);
                return;
            }
        }
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<String, watch::Receiver<Option<ChannelStatus>>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn followed_count(&self) -> usize {
        self.lock().len()
    }
}
