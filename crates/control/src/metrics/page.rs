use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::Times;

/// A page in the making.
#[derive(Default)]
pub(super) struct Page {
    families: Vec<MetricFamily>,
}

/// A label's name and value.
pub(super) type Label<'a> = (&'static str, &'a str);

impl Page {
    /// One counter without labels.
    pub(super) fn count(&mut self, name: &str, help: &str, value: u64) {
        self.counts(name, help, [([], value)]);
    }

    /// A counter for each set of labels; nothing if there is none.
    pub(super) fn counts<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], u64)>,
    ) {
        let values = values
            .into_iter()
            .map(|(labels, value)| (labels, float(value)));
        self.float_counts(name, help, values);
    }

    /// A counter that is not whole, such as seconds.
    pub(super) fn float_counts<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], f64)>,
    ) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = Metric::from_label(pairs(labels));
            metric.set_counter(counter);
            metric
        });
        self.family(name, help, MetricType::COUNTER, metrics.collect());
    }

    /// A gauge for each set of labels; nothing if there is none.
    pub(super) fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], f64)>,
    ) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = Metric::from_label(pairs(labels));
            metric.set_gauge(gauge);
            metric
        });
        self.family(name, help, MetricType::GAUGE, metrics.collect());
    }

    /// A histogram for each set of labels; nothing if none has buckets.
    pub(super) fn histograms<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], &'a Times)>,
    ) {
        let there = values
            .into_iter()
            .filter(|(_, times)| !times.counts.is_empty());
        let metrics = there.map(|(labels, times)| {
            let mut metric = Metric::from_label(pairs(labels));
            metric.set_histogram(histogram(times));
            metric
        });
        self.family(name, help, MetricType::HISTOGRAM, metrics.collect());
    }

    /// The page's text.
    pub(super) fn text(&self) -> String {
        prometheus::TextEncoder::new()
            .encode_to_string(&self.families)
            .expect("each family has a name and metrics, and writing to a string does not fail")
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }
}

fn histogram(times: &Times) -> Histogram {
    let mut histogram = Histogram::default();
    let mut below: u64 = 0;
    let buckets = times.bounds.iter().zip(&times.counts);
    let buckets = buckets.map(|(bound, count)| {
        below = below.saturating_add(*count);
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.as_secs_f64());
        bucket.set_cumulative_count(below);
        bucket
    });
    histogram.set_bucket(buckets.collect());
    let all = times.counts.iter();
    histogram.set_sample_count(all.fold(0, |sum: u64, count| sum.saturating_add(*count)));
    histogram.set_sample_sum(times.sum.as_secs_f64());
    histogram
}

/// A count as the format has it; exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

fn pairs<const N: usize>(labels: [Label<'_>; N]) -> Vec<LabelPair> {
    labels
        .into_iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        })
        .collect()
}
