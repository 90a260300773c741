use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Decision;

/// What hooks have counted. Shared by those who write, post and ask.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) queued: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) waiting_now: AtomicU64,
    pub(super) dead_now: AtomicU64,
    pub(super) allowed: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) redirected: AtomicU64,
    pub(super) unanswered: AtomicU64,
}

/// [`Counts`] at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Deliveries put into the outbox.
    pub queued: u64,
    /// Deliveries not put into it, because their endpoint had too many waiting.
    pub refused: u64,
    /// Events that never reached the outbox.
    pub lost: u64,
    /// Posts that the endpoint took.
    pub delivered: u64,
    /// Posts that failed and are tried again.
    pub failed: u64,
    /// Posts that failed for the last time.
    pub dead: u64,
    /// Deliveries in the outbox that will be tried.
    pub waiting_now: u64,
    /// Deliveries in the outbox that were given up.
    pub dead_now: u64,
    /// Publishes that `hooks.on_publish` allowed.
    pub allowed: u64,
    /// Publishes that it denied.
    pub denied: u64,
    /// Publishes that it sent to another channel.
    pub redirected: u64,
    /// Publishes that it gave no usable answer to, so that the fallback decided.
    pub unanswered: u64,
}

impl Counts {
    /// The counts now.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Stats {
            queued: read(&self.queued),
            refused: read(&self.refused),
            lost: read(&self.lost),
            delivered: read(&self.delivered),
            failed: read(&self.failed),
            dead: read(&self.dead),
            waiting_now: read(&self.waiting_now),
            dead_now: read(&self.dead_now),
            allowed: read(&self.allowed),
            denied: read(&self.denied),
            redirected: read(&self.redirected),
            unanswered: read(&self.unanswered),
        }
    }

    pub(super) fn count_decision(&self, decision: &Decision) {
        let count = match decision {
            Decision::Allow => &self.allowed,
            Decision::Deny(_) => &self.denied,
            Decision::Redirect(_) => &self.redirected,
        };
        count.fetch_add(1, Relaxed);
    }
}
