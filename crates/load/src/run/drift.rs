//! What the server holds while all watch, from its second minute to its last: what leaks, grows.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::report::{float, mebibytes};
use crate::server::Usage;

/// Between two looks at the server.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The first minute fills caches and pools; the second and the last are held against each other.
const MINUTE: Duration = Duration::from_secs(60);

/// What the server held at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Held {
    /// Since all watch.
    pub(crate) seconds: f64,
    /// Resident.
    pub(crate) memory_mib: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
}

/// The course of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drift {
    begin: Option<Instant>,
    looked: Option<Instant>,
    held: Vec<Held>,
}

impl Drift {
    /// Begins at `now`.
    pub(super) fn begin(&mut self, now: Instant) {
        *self = Self {
            begin: Some(now),
            ..Self::default()
        };
    }

    /// No more looks.
    pub(super) fn end(&mut self) {
        self.begin = None;
    }

    /// Looks, when it is time to.
    pub(super) fn look(&mut self, now: Instant, usage: impl FnOnce() -> Option<Usage>) {
        let Some(begin) = self.begin else { return };
        let last = self.looked.unwrap_or(begin);
        if now.saturating_duration_since(last) < LOOK_EVERY {
            return;
        }
        self.looked = Some(now);
        if let Some(usage) = usage() {
            self.held.push(Held::new(now - begin, usage));
        }
    }

    /// All that was seen, in order.
    pub(crate) fn held(&self) -> &[Held] {
        &self.held
    }

    /// The medians of the second minute and of the last. `None` when those are not two minutes with one between them.
    pub(crate) fn ends(&self) -> Option<[Held; 2]> {
        let last = self.held.last()?.seconds;
        let minute = MINUTE.as_secs_f64();
        if last < minute * 4.0 {
            return None;
        }
        let within = |from: f64| {
            let held = self.held.iter();
            let some: Vec<Held> = held
                .filter(|held| held.seconds > from && held.seconds <= from + minute)
                .copied()
                .collect();
            median(&some)
        };
        Some([within(minute)?, within(last - minute)?])
    }
}

impl Held {
    fn new(since: Duration, usage: Usage) -> Self {
        let number = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
        Self {
            seconds: since.as_secs_f64(),
            memory_mib: mebibytes(usage),
            descriptors: number(usage.descriptors),
            threads: number(usage.threads),
        }
    }
}

fn median(held: &[Held]) -> Option<Held> {
    let middle = |of: fn(&Held) -> f64| {
        let mut values: Vec<f64> = held.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some(Held {
        seconds: middle(|held| held.seconds)?,
        memory_mib: middle(|held| held.memory_mib)?,
        descriptors: middle(|held| held.descriptors)?,
        threads: middle(|held| held.threads)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of `seconds` with a look every two of them, at a server that holds `mebibytes(second)`.
    fn run(seconds: u64, mebibytes: impl Fn(u64) -> u64) -> Drift {
        let begin = Instant::now();
        let mut drift = Drift::default();
        drift.look(begin, || unreachable!("nobody watches yet"));
        drift.begin(begin);
        for second in (0..=seconds).step_by(2) {
            drift.look(begin + Duration::from_secs(second), || {
                Some(Usage {
                    cpu: Duration::ZERO,
                    memory: mebibytes(second) << 20,
                    descriptors: 20,
                    threads: 6,
                })
            });
        }
        drift.end();
        drift.look(begin + Duration::from_secs(seconds + 60), || {
            unreachable!("nobody watches any more")
        });
        drift
    }

    #[test]
    fn the_last_minute_is_held_against_the_second() {
        // 100 MiB in the first minute, then one more each minute, and for one look a hundred more.
        let drift = run(600, |second| match second {
            0..60 => 100,
            570 => 300,
            _ => 100 + second / 60,
        });
        assert_eq!(drift.held().len(), 60, "one look in ten seconds");
        let [early, late] = drift.ends().expect("long enough");
        assert_eq!((early.memory_mib, late.memory_mib), (101.0, 109.0));
        assert_eq!((late.descriptors, late.threads), (20.0, 6.0));
    }

    #[test]
    fn a_short_run_tells_nothing_of_growth() {
        assert!(run(230, |_| 100).ends().is_none());
        assert!(run(240, |_| 100).ends().is_some());
        assert!(Drift::default().ends().is_none());
    }

    #[test]
    fn a_server_that_cannot_be_looked_at_is_not_one_that_holds_nothing() {
        let begin = Instant::now();
        let mut drift = Drift::default();
        drift.begin(begin);
        for second in 0..600 {
            drift.look(begin + Duration::from_secs(second), || None);
        }
        assert!(drift.held().is_empty() && drift.ends().is_none());
    }
}
