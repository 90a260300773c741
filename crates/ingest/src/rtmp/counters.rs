use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Close {
    /// The limit of connections was reached.
    Full,
    /// The limit of connections from one address was reached.
    AddressFull,
    /// It left, or broke, before it asked to publish.
    Gone,
    /// It had not published when the deadline came.
    Deadline,
    /// It broke the protocol.
    Protocol,
    /// It went past a limit of bytes, messages, streams or depth.
    Limit,
    /// It sent no stream key.
    NoKey,
    /// Its stream key opens nothing.
    BadKey,
    /// Its address has guessed too often.
    Throttled,
    /// Keys can't be checked.
    KeysUnavailable,
    /// The key was good and the publish refused all the same.
    Refused,
    /// The host ended its stream in order.
    Orderly,
    /// The host's connection broke while it published.
    Lost,
    /// The host fell silent while it published.
    Idle,
    /// The host did not take what was sent to it.
    WriteTimeout,
    /// Another host took over.
    TakenOver,
    /// The stream key was revoked.
    KeyRevoked,
    /// An operator ended the stream.
    Kicked,
    /// The server is stopping.
    Shutdown,
    /// A bug of ours ended the connection's task.
    Panic,
}

impl Close {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 20] = [
        Self::Full,
        Self::AddressFull,
        Self::Gone,
        Self::Deadline,
        Self::Protocol,
        Self::Limit,
        Self::NoKey,
        Self::BadKey,
        Self::Throttled,
        Self::KeysUnavailable,
        Self::Refused,
        Self::Orderly,
        Self::Lost,
        Self::Idle,
        Self::WriteTimeout,
        Self::TakenOver,
        Self::KeyRevoked,
        Self::Kicked,
        Self::Shutdown,
        Self::Panic,
    ];

    /// The reason as a metric label and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::AddressFull => "address_full",
            Self::Gone => "gone",
            Self::Deadline => "deadline",
            Self::Protocol => "protocol",
            Self::Limit => "limit",
            Self::NoKey => "no_key",
            Self::BadKey => "bad_key",
            Self::Throttled => "throttled",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Refused => "refused",
            Self::Orderly => "orderly",
            Self::Lost => "lost",
            Self::Idle => "idle",
            Self::WriteTimeout => "write_timeout",
            Self::TakenOver => "taken_over",
            Self::KeyRevoked => "key_revoked",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
        }
    }

    /// A publish that was asked for and not granted.
    pub fn is_rejection(self) -> bool {
        matches!(
            self,
            Self::NoKey | Self::BadKey | Self::Throttled | Self::KeysUnavailable | Self::Refused
        )
    }
}

/// What the RTMP listener counts. Only ever grows; what is open now is the difference of two counters.
///
/// Relaxed: each figure is right by itself, and a scrape needs no more.
#[derive(Debug, Default)]
pub struct Counters {
    opened: AtomicU64,
    published: AtomicU64,
    received_bytes: AtomicU64,
    closed: [AtomicU64; Close::ALL.len()],
}

impl Counters {
    /// Connections that were accepted, those that were closed unheard included.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Publishes that were accepted.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Bytes received.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Connections closed for `reason`.
    pub fn closed(&self, reason: Close) -> u64 {
        self.closed
            .get(reason as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        let closed: u64 = Close::ALL
            .into_iter()
            .map(|reason| self.closed(reason))
            .sum();
        self.opened().saturating_sub(closed)
    }

    pub(super) fn count_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_closed(&self, reason: Close) {
        if let Some(count) = self.closed.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_label() {
        let counters = Counters::default();
        for (index, reason) in Close::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.count_opened();
            counters.count_closed(reason);
            assert_eq!(counters.closed(reason), 1);
        }
        assert_eq!((counters.opened(), counters.open()), (20, 0));
        let labels: std::collections::BTreeSet<_> = Close::ALL.map(Close::as_str).into();
        assert_eq!(labels.len(), 20);
    }
}
