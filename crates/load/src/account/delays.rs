use std::time::Duration;

/// Buckets to each doubling: a value is known to within 1/32 of itself.
const STEPS: usize = 32;
/// Doublings above [`STEPS`] microseconds: the last bucket begins at 2^31 µs (36 min); longer counts as that.
const OCTAVES: usize = 26;
const BUCKETS: usize = STEPS * (OCTAVES + 1);

/// A histogram of time spans with a fixed size and a relative error of at most 3 %.
///
/// Exact below 32 µs; the largest and the smallest value are kept as they are.
#[derive(Debug, Clone)]
pub(crate) struct Delays {
    counts: Box<[u64]>,
    total: u64,
    sum_us: u64,
    max_us: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            sum_us: 0,
            max_us: 0,
        }
    }
}

impl Delays {
    /// Counts one span.
    pub(crate) fn add(&mut self, span: Duration) {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(us)) {
            *count += 1;
        }
        self.total += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        self.max_us = self.max_us.max(us);
    }

    /// Takes over all that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many spans were counted.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The longest span, exactly.
    pub(crate) fn max(&self) -> Option<Duration> {
        (self.total > 0).then(|| Duration::from_micros(self.max_us))
    }

    /// The span that `permille` of 1000 spans do not exceed; `None` when nothing was counted.
    pub(crate) fn quantile(&self, permille: u64) -> Option<Duration> {
        let wanted = (self.total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(Duration::from_micros(upper(index).min(self.max_us)));
            }
        }
        None
    }
}

fn bucket(us: u64) -> usize {
    let steps = STEPS as u64;
    if us < steps {
        return usize::try_from(us).unwrap_or(0);
    }
    let octave = us.ilog2() - steps.ilog2();
    let within = (us >> octave) - steps;
    let index = (u64::from(octave) + 1) * steps + within;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest value that falls into bucket `index`.
fn upper(index: usize) -> u64 {
    let (octave, within) = (index / STEPS, index % STEPS);
    match octave.checked_sub(1) {
        None => within as u64,
        Some(shift) => (((STEPS + within + 1) as u64) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: impl IntoIterator<Item = u64>) -> Delays {
        let mut delays = Delays::default();
        for us in values {
            delays.add(Duration::from_micros(us));
        }
        delays
    }

    #[test]
    fn small_spans_are_exact() {
        let delays = filled(0..=20);
        assert_eq!(delays.quantile(500), Some(Duration::from_micros(10)));
        assert_eq!(delays.quantile(1000), Some(Duration::from_micros(20)));
    }

    #[test]
    fn every_quantile_is_at_most_three_percent_above_the_truth() {
        let delays = filled(1..=100_000);
        for permille in [1, 10, 500, 900, 990, 999, 1000] {
            let truth = 100 * permille;
            let told = delays.quantile(permille).expect("counted").as_micros();
            let told = u64::try_from(told).expect("small");
            assert!(told >= truth, "{permille}: {told} below {truth}");
            assert!(
                told <= truth + truth / 30 + 1,
                "{permille}: {told} far above {truth}"
            );
        }
    }

    #[test]
    fn merged_is_as_if_counted_together() {
        let mut left = filled(0..500);
        left.merge(&filled(500..1000));
        let whole = filled(0..1000);
        assert_eq!(left.quantile(500), whole.quantile(500));
        assert_eq!(left.count(), whole.count());
        assert_eq!(left.max(), whole.max());
    }

    #[test]
    fn nothing_counted_has_no_quantile_and_an_absurd_span_is_no_panic() {
        assert_eq!(Delays::default().quantile(500), None);
        assert_eq!(Delays::default().max(), None);
        let mut delays = Delays::default();
        delays.add(Duration::MAX);
        assert_eq!(delays.count(), 1);
    }
}
