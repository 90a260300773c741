use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::StatusCode;

use super::places::Taken;

/// Counts of one listener, shared between its connections and whoever reads them.
#[derive(Debug, Default)]
pub struct Counters {
    opened: AtomicU64,
    closed: AtomicU64,
    refused_full: AtomicU64,
    refused_address: AtomicU64,
    /// Answers by the first digit of their status, 1 to 5.
    answers: [AtomicU64; 5],
}

/// What [`Counters`] held at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were let in.
    pub opened: u64,
    /// Connections of those that have ended.
    pub closed: u64,
    /// Connections turned away because all places were taken.
    pub refused_full: u64,
    /// Connections turned away because their address held too many.
    pub refused_address: u64,
    /// Answers by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
}

impl Counters {
    /// The counts now.
    pub fn stats(&self) -> Stats {
        // Closed before opened, so that the difference is never negative.
        let closed = self.closed.load(Relaxed);
        Stats {
            opened: self.opened.load(Relaxed).max(closed),
            closed,
            refused_full: self.refused_full.load(Relaxed),
            refused_address: self.refused_address.load(Relaxed),
            answers: std::array::from_fn(|class| self.answers[class].load(Relaxed)),
        }
    }

    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    pub(super) fn turned_away(&self, taken: Taken) {
        let counter = match taken {
            Taken::All => &self.refused_full,
            Taken::ByAddress => &self.refused_address,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Relaxed);
        }
    }
}
