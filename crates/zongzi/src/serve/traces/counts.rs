use std::sync::atomic::{AtomicU64, Ordering};

/// What became of traces; only ever grows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Each count by its name.
    pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("sent", &self.sent),
            ("failed", &self.failed),
            ("dropped", &self.dropped),
        ];
        all.map(|(name, count)| (name, count.load(Ordering::Relaxed)))
            .to_vec()
    }

    pub(super) fn sent(&self, traces: usize) {
        add(&self.sent, traces);
    }

    /// The collector did not take them.
    pub(super) fn failed(&self, traces: usize) {
        add(&self.failed, traces);
    }

    /// Too many waited already.
    pub(super) fn dropped(&self, traces: usize) {
        add(&self.dropped, traces);
    }
}

fn add(count: &AtomicU64, traces: usize) {
    count.fetch_add(u64::try_from(traces).unwrap_or(u64::MAX), Ordering::Relaxed);
}
