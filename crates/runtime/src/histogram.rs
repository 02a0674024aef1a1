//! Histogram without a lock or an allocation: fixed buckets of relaxed atomics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Histogram of integers, such as nanoseconds or numbers of receivers.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Upper bounds, ascending.
    bounds: &'static [u64],
    /// One counter for each bound, and one above them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// Units of an observation in one unit of the output.
    scale: f64,
}

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;
/// Bounds of work in this process.
const SHORT: &[u64] = &[
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    MS,
    5 * MS,
    20 * MS,
    100 * MS,
];
/// Bounds for network round trips.
const LONG: &[u64] = &[
    MS,
    2 * MS,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    1000 * MS,
    2500 * MS,
    5000 * MS,
    10_000 * MS,
];
/// Bounds of numbers.
const COUNTS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

impl Histogram {
    /// Creates a histogram of work in this process, 2 µs to 100 ms.
    pub fn short() -> Self {
        Self::new(SHORT, 1e9)
    }

    /// Creates a histogram of waits, 1 ms to 10 s.
    pub fn long() -> Self {
        Self::new(LONG, 1e9)
    }

    /// Creates a histogram of numbers, 1 to 5000.
    pub fn counts() -> Self {
        Self::new(COUNTS, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Self {
        Self(Arc::new(Inner {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            scale,
        }))
    }

    /// Adds an observation.
    pub fn observe(&self, value: u64) {
        let Inner {
            bounds, counts, sum, ..
        } = &*self.0;
        let at = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        counts[at].fetch_add(1, Ordering::Relaxed);
        sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds a duration.
    pub fn took(&self, duration: Duration) {
        self.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Returns the number of observations.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Inner {
            bounds,
            counts,
            sum,
            scale,
        } = &*self.0;
        let uppers = bounds.iter().map(|bound| *bound as f64 / scale).chain([f64::INFINITY]);
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = uppers.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = sum.load(Ordering::Relaxed) as f64 / scale;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn buckets_are_cumulative_and_in_seconds() {
        let histogram = Histogram::long();
        for ms in [0, 1, 3, 60_000] {
            histogram.took(Duration::from_millis(ms));
        }
        let mut registry = Registry::default();
        registry.register("wait_seconds", "Waits", histogram.clone());
        let mut text = String::new();
        encode(&mut text, &registry).expect("a String takes all");
        for line in [
            "# TYPE wait_seconds histogram",
            "wait_seconds_sum 60.004",
            "wait_seconds_count 4",
            "wait_seconds_bucket{le=\"0.001\"} 2",
            "wait_seconds_bucket{le=\"0.005\"} 3",
            "wait_seconds_bucket{le=\"10.0\"} 3",
            "wait_seconds_bucket{le=\"+Inf\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        assert_eq!(histogram.count(), 4);
    }
}
