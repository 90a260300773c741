//! The one place that reads the wall clock.
//!
//! Everything is stamped in nanoseconds since the Unix epoch, because that is the clock in which the kernel stamps the
//! datagrams that arrive (`SO_TIMESTAMPNS`): a host's "sent" and a viewer's "arrived" can be subtracted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point on the wall clock, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    /// Now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The span from `earlier` to this stamp; zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This stamp plus `span`, saturating.
    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}
