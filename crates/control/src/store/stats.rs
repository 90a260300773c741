use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Error;

/// What a store counts; only ever grows.
#[derive(Debug, Default)]
pub struct Counters {
    done: AtomicU64,
    micros: AtomicU64,
    /// In the order of [`Error::FAULTS`].
    failed: [AtomicU64; Error::FAULTS.len()],
}

/// What a store has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests answered, a refusal for the asker's own fault included.
    pub done: u64,
    /// Requests that failed by the store's fault, for each of [`Error::FAULTS`].
    pub failed: Vec<(&'static str, u64)>,
    /// Time that all of them took, waiting for their turn included.
    pub time: Duration,
}

impl Counters {
    /// The counts now.
    pub fn stats(&self) -> Stats {
        Stats {
            done: self.done.load(Ordering::Relaxed),
            failed: Error::FAULTS
                .into_iter()
                .zip(&self.failed)
                .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
                .collect(),
            time: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
        }
    }

    pub(super) fn count<T>(&self, result: &Result<T, Error>, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let fault = result.as_ref().err().and_then(Error::fault);
        let place = fault.and_then(|fault| Error::FAULTS.iter().position(|one| *one == fault));
        let counter = place.and_then(|place| self.failed.get(place));
        counter
            .unwrap_or(&self.done)
            .fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_a_full_disk_is_none() {
        let counters = Counters::default();
        let took = Duration::from_millis(2);
        counters.count(&Ok(()), took);
        let unknown = Error::ChannelUnknown("nobody".parse().unwrap());
        counters.count::<()>(&Err(unknown), took);
        counters.count::<()>(&Err(Error::DiskFull("there".into())), took);
        let stats = counters.stats();
        assert_eq!(stats.done, 2);
        for (reason, count) in stats.failed {
            assert_eq!(count, u64::from(reason == "disk_full"), "{reason}");
        }
        assert_eq!(stats.time, 3 * took);
    }
}
