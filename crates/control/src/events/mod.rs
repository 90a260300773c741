//! What happens in a server, as it happens: one bounded stream in the process that webhooks, the console and whoever else
//! wants to know listen to.
//!
//! Who makes an event calls [`Events::emit`], which never waits. Each listener has a [`Subscription`]; one that falls
//! [`BACKLOG_MAX`] events behind loses the oldest and is told how many.

mod kind;
mod what;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::sync::broadcast::{self, error::RecvError};
use zongzi_http::Timestamp;

use crate::id;

pub use kind::{InvalidKind, Kind};
pub use what::{Host, What};

/// How many events a listener may fall behind. A busy server makes a few a second.
pub const BACKLOG_MAX: usize = 1_024;

/// Something that happened, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its own name, the same wherever it is told.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

impl Event {
    /// An event of this instant.
    pub fn now(what: What) -> Self {
        Self {
            id: Id::random(),
            at: SystemTime::now().into(),
            what,
        }
    }
}

/// An event's name: `evt_` and 80 random bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    pub(crate) fn random() -> Self {
        Self(id::random("evt_"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The stream of events. Cheap to clone; all clones are the same stream.
#[derive(Debug, Clone)]
pub struct Events {
    /// `None` once it is closed. Locked for a few instructions, and never per packet or viewer.
    sender: Arc<RwLock<Option<broadcast::Sender<Event>>>>,
}

impl Default for Events {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(BACKLOG_MAX);
        Self {
            sender: Arc::new(RwLock::new(Some(sender))),
        }
    }
}

impl Events {
    /// Tells everyone who listens. After [`Events::close`] nobody does.
    pub fn emit(&self, what: What) {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*sender {
            let event = Event::now(what);
            tracing::debug!(event = %event.id, kind = event.what.kind().as_str(), "event");
            // Nobody listens: nothing is lost.
            let _ = sender.send(event);
        }
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> Subscription {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        let receiver = match &*sender {
            Some(sender) => sender.subscribe(),
            // A stream that ends at once.
            None => broadcast::channel(1).1,
        };
        Subscription { receiver, lost: 0 }
    }

    /// Ends the stream: each listener still gets what was told before.
    pub fn close(&self) {
        *self.sender.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// One listener's place in the stream.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Event>,
    lost: u64,
}

impl Subscription {
    /// The next event; `None` when the stream has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(lost)) => self.lost = self.lost.saturating_add(lost),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next event and those that have come already, at most `most`, the oldest first; empty when the stream has ended.
    /// Cancel-safe.
    pub async fn next_batch(&mut self, most: usize) -> VecDeque<Event> {
        let mut batch = VecDeque::new();
        batch.extend(self.next().await);
        while !batch.is_empty() && batch.len() < most {
            match self.receiver.try_recv() {
                Ok(event) => batch.push_back(event),
                Err(broadcast::error::TryRecvError::Lagged(lost)) => {
                    self.lost = self.lost.saturating_add(lost);
                }
                Err(_empty_or_closed) => break,
            }
        }
        batch
    }

    /// Whether nothing more will be told.
    pub(crate) fn has_ended(&self) -> bool {
        self.receiver.is_closed()
    }

    /// Events that were lost because this listener was too slow, since this was last asked.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests;
