//! Following the store: what another process changes there, a running server knows within a second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::Channel;
use crate::store::{Change, Error, Sequence, Store};

/// How often the log of changes is read. With the time to end a session this stays well within a second.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How many changes are read at once.
const BATCH_MAX: u32 = 500;
/// How many changes may wait for the server; the rest wait in the store's log.
const WAITING_MAX: usize = 256;
/// How many unknown names are looked up in the store between two polls: enough for channels that were made this instant,
/// too few for a flood of made-up names to keep the store busy.
const MISSES_MAX: u32 = 50;
/// How many channels are read at once.
const PAGE_ROWS: u32 = 1_000;

/// All channels, in memory.
#[derive(Debug)]
pub struct Directory<S> {
    store: S,
    channels: RwLock<BTreeMap<ChannelName, Channel>>,
    misses_left: AtomicU32,
}

/// A [`Change`] as a server hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What has changed.
    pub change: Change,
    /// It was told before.
    pub again: bool,
}

/// Follows a store from now on.
///
/// Each [`Change`] is told in order. Those that may end something (a channel deleted or changed, a key revoked) are told a
/// second time one poll later: who was let in a moment ago may not yet have been there when it was told first.
#[derive(Debug)]
pub struct Watch<S> {
    directory: Arc<Directory<S>>,
    since: Sequence,
    again: Vec<Change>,
    failing: bool,
}

impl<S: Store + Clone> Watch<S> {
    /// Reads the channels and the log's end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(store: &S) -> Result<Self, Error> {
        // The end first: a change between the two reads is then told although it is known.
        let since = store.last_change().await?;
        let directory = Arc::new(Directory {
            store: store.clone(),
            channels: RwLock::new(load(store).await?),
            misses_left: AtomicU32::new(MISSES_MAX),
        });
        Ok(Self {
            directory,
            since,
            again: Vec::new(),
            failing: false,
        })
    }

    /// The channels, kept up to date by [`Watch::run`].
    pub fn directory(&self) -> Arc<Directory<S>> {
        Arc::clone(&self.directory)
    }

    /// Follows the store on a task of its own, until the receiver is dropped.
    pub fn run(mut self) -> mpsc::Receiver<Told> {
        let (tell, told) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            while !tell.is_closed() {
                for news in self.poll(SystemTime::now().into()).await {
                    // A closed channel ends the loop above.
                    let _ = tell.send(news).await;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        });
        told
    }

    /// What is to be told now.
    async fn poll(&mut self, now: Timestamp) -> Vec<Told> {
        let again = std::mem::take(&mut self.again).into_iter();
        let told = |change, again| Told { change, again };
        let mut tell: Vec<_> = again.map(|change| told(change, true)).collect();
        match self.read(now).await {
            Ok(changes) => {
                self.again = changes
                    .iter()
                    .filter(|change| ends(change))
                    .cloned()
                    .collect();
                tell.extend(changes.into_iter().map(|change| told(change, false)));
                self.failing = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the store can't be followed; live sessions go on");
                }
            }
        }
        self.directory.misses_left.store(MISSES_MAX, Relaxed);
        tell
    }

    async fn read(&mut self, now: Timestamp) -> Result<Vec<Change>, Error> {
        // Every server that follows the store does this; whoever is first writes it into the log for all.
        self.directory.store.expire_keys(now).await?;
        let changes = self.directory.store.changes(self.since, BATCH_MAX).await?;
        let mut told = Vec::with_capacity(changes.len());
        for (sequence, change) in changes {
            if let Change::ChannelCreated(name)
            | Change::ChannelUpdated(name)
            | Change::ChannelDeleted(name) = &change
            {
                self.directory.refresh(name).await?;
            }
            self.since = sequence;
            told.push(change);
        }
        Ok(told)
    }
}

/// Whether it may end something: a channel with other settings may be private now.
fn ends(change: &Change) -> bool {
    matches!(
        change,
        Change::ChannelUpdated(_) | Change::ChannelDeleted(_) | Change::KeyRevoked { .. }
    )
}

async fn load<S: Store>(store: &S) -> Result<BTreeMap<ChannelName, Channel>, Error> {
    let mut channels = BTreeMap::new();
    loop {
        let after = channels
            .last_key_value()
            .map(|(name, _): (&ChannelName, _)| name.clone());
        let page = store.channels(after, PAGE_ROWS).await?;
        if page.is_empty() {
            return Ok(channels);
        }
        channels.extend(
            page.into_iter()
                .map(|channel| (channel.name.clone(), channel)),
        );
    }
}

impl<S: Store> Directory<S> {
    /// The channel of that name as last known. One that another process made this instant may be missing.
    pub fn get(&self, name: &ChannelName) -> Option<Channel> {
        self.channels
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// The channel of that name; the store is asked for one that is not known, unless too many unknown ones were asked
    /// for lately.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, name: &ChannelName) -> Result<Option<Channel>, Error> {
        if let Some(channel) = self.get(name) {
            return Ok(Some(channel));
        }
        if self
            .misses_left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .is_err()
        {
            return Ok(None);
        }
        self.refresh(name).await?;
        Ok(self.get(name))
    }

    /// Reads one channel anew.
    async fn refresh(&self, name: &ChannelName) -> Result<(), Error> {
        let channel = self.store.channel(name.clone()).await?;
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match channel {
            Some(channel) => channels.insert(name.clone(), channel),
            None => channels.remove(name),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
