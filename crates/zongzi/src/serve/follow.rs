use std::sync::Arc;

use tokio::sync::watch;
use zongzi_control::KeyId;
use zongzi_control::events::{Events, What};
use zongzi_control::store::{Change, Sqlite};
use zongzi_control::watch::{Told, Watch};
use zongzi_media::ChannelName;
use zongzi_relay::hub::Hub;

use super::bridge::{Catalog, Viewers};

/// Follows the store: ends what has been taken the right from, here or by another process, and tells of it.
pub(super) struct Follower {
    pub(super) hub: Hub,
    pub(super) catalog: Catalog,
    pub(super) viewers: Arc<Viewers>,
    pub(super) events: Events,
}

impl Follower {
    /// Until the server stops.
    pub(super) async fn run(self, watch: Watch<Sqlite>, mut stopping: watch::Receiver<bool>) {
        let mut changes = watch.run();
        loop {
            let told = tokio::select! {
                told = changes.recv() => told,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let Some(told) = told else { return };
            if let Some(what) = key_event(&told) {
                self.events.emit(what);
            }
            self.heed(told.change).await;
        }
    }

    async fn heed(&self, change: Change) {
        match change {
            Change::KeyRevoked { key, channel } => self.revoked(&key, &channel),
            Change::ChannelDeleted(channel) => self.deleted(&channel),
            Change::ChannelUpdated(channel) => self.updated(&channel).await,
            _ => {}
        }
    }

    fn revoked(&self, key: &KeyId, channel: &ChannelName) {
        if self.hub.end_key(key.as_str()) > 0 {
            tracing::info!(%channel, key_id = key.as_str(), "stream key revoked, its live session ended");
        }
    }

    fn deleted(&self, channel: &ChannelName) {
        if self.hub.kick(channel) {
            tracing::info!(%channel, "channel deleted, its live session ended");
        }
    }

    async fn updated(&self, channel: &ChannelName) {
        let found = self.catalog.find(channel.as_str()).await;
        let private = found.is_ok_and(|found| found.is_some_and(|channel| channel.private));
        if !private {
            return;
        }
        let count = self.viewers.cut_off_strangers(channel);
        if count > 0 {
            tracing::info!(%channel, count, "channel is private now, viewers without a token cut off");
        }
    }
}

/// What is to be told of a change of the store, once.
fn key_event(told: &Told) -> Option<What> {
    if told.again {
        return None;
    }
    match told.change.clone() {
        Change::KeyCreated { channel, key } => Some(What::KeyCreated { channel, key }),
        Change::KeyRevoked { channel, key } => Some(What::KeyRevoked { channel, key }),
        _ => None,
    }
}
