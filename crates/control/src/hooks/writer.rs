use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::Counts;
use super::envelope::of_event;
use crate::events::{Event, Subscription};
use crate::store::Outbox;

/// Puts events into the outbox, for the endpoints that want them.
#[derive(Debug)]
pub struct Writer<S> {
    store: S,
    events: Subscription,
    counts: Arc<Counts>,
    written: Arc<Notify>,
}

/// Events written in one transaction.
const BATCH_MAX: usize = 64;
/// Wait after the store failed. Meanwhile events wait in the stream, which is bounded.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a batch is tried when no more events come, because the server stops.
const LAST_TRIES_MAX: u32 = 2;

impl<S: Outbox> Writer<S> {
    /// Writes what `events` tells into `store` and notifies `written`.
    pub fn new(store: S, events: Subscription, counts: Arc<Counts>, written: Arc<Notify>) -> Self {
        Self {
            store,
            events,
            counts,
            written,
        }
    }

    /// Runs until the stream of events has ended.
    pub async fn run(mut self) {
        loop {
            let batch = self.events.next_batch(BATCH_MAX).await;
            let lost = self.events.take_lost();
            if lost > 0 {
                self.counts.lost.fetch_add(lost, Relaxed);
                tracing::error!(lost, "events came faster than the outbox could be written");
            }
            if batch.is_empty() {
                return;
            }
            self.write(&batch).await;
        }
    }

    /// Writes a batch, however long the store takes; a store that is to be closed gets a few tries.
    async fn write(&self, batch: &VecDeque<Event>) {
        let outgoing: Vec<_> = batch.iter().map(of_event).collect();
        let mut tries_left = LAST_TRIES_MAX;
        let mut complained = false;
        loop {
            let now = SystemTime::now().into();
            match self.store.enqueue(outgoing.clone(), now).await {
                Ok(enqueued) => {
                    self.counts.queued.fetch_add(enqueued.queued, Relaxed);
                    self.counts.refused.fetch_add(enqueued.refused, Relaxed);
                    if enqueued.refused > 0 {
                        tracing::warn!(
                            refused = enqueued.refused,
                            "a hook's outbox is full, newer events are left out"
                        );
                    }
                    self.written.notify_one();
                    return;
                }
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::error!(%error, "the outbox of hooks can't be written, trying on");
                    }
                    if self.events.has_ended() {
                        tries_left -= 1;
                    }
                    if tries_left == 0 {
                        let lost = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                        self.counts.lost.fetch_add(lost, Relaxed);
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
