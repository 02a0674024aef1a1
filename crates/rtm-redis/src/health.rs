//! Counters and readiness of the service.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::link::RedisFailure;
use crate::node::NodeStatus;

/// Reason of a failed request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Counters, and the current failure.
#[derive(Debug)]
pub struct Health {
    up: Gauge,
    round_trip: Histogram,
    batch: Histogram,
    failures: Family<ReasonLabel, Counter>,
    queue: Gauge,
    users: Gauge,
    nodes: Gauge,
    lag: Gauge<f64, AtomicU64>,
    lost_batches: Counter,
    repairs: Counter,
    dropped: Counter,
    failure: Mutex<Option<RedisFailure>>,
    /// Apps with data of another schema, by their prefixes.
    refused: Mutex<BTreeMap<String, RedisFailure>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            up: Gauge::default(),
            round_trip: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 8)),
            failures: Family::default(),
            queue: Gauge::default(),
            users: Gauge::default(),
            nodes: Gauge::default(),
            lag: Gauge::default(),
            lost_batches: Counter::default(),
            repairs: Counter::default(),
            dropped: Counter::default(),
            failure: Mutex::new(Some(RedisFailure::Unreachable("not checked yet".into()))),
            refused: Mutex::default(),
        }
    }
}

impl Health {
    /// Registers all counters.
    pub fn register(&self, registry: &mut Registry) {
        for reason in RedisFailure::NAMES {
            let _ = self.failures.get_or_create(&ReasonLabel { reason });
        }
        registry.register("redis_up", "1 while Redis answers", self.up.clone());
        registry.register(
            "redis_round_trip_seconds",
            "Time from a request to Redis to its answer",
            self.round_trip.clone(),
        );
        registry.register("redis_batch", "Operations in a request to Redis", self.batch.clone());
        registry.register(
            "redis_failures",
            "Failed requests to Redis, which are repeated",
            self.failures.clone(),
        );
        registry.register("redis_queue", "Operations that wait for Redis", self.queue.clone());
        registry.register("redis_users", "Users that are logged in here", self.users.clone());
        registry.register(
            "redis_nodes",
            "Sidecars that have a lease, in the app with most of them",
            self.nodes.clone(),
        );
        registry.register(
            "redis_lag_seconds",
            "Age of the last entry of this sidecar's stream when it was read",
            self.lag.clone(),
        );
        registry.register(
            "redis_lost_batches",
            "Executed requests that Redis has lost, as after a failover",
            self.lost_batches.clone(),
        );
        registry.register(
            "redis_repairs",
            "Logins that were restored in Redis",
            self.repairs.clone(),
        );
        registry.register(
            "redis_dropped",
            "Entries that this sidecar's full stream did not take",
            self.dropped.clone(),
        );
    }

    /// Users that are logged in here.
    pub fn users(&self) -> i64 {
        self.users.get()
    }

    /// Age of the last entry of this sidecar's stream when it was read, in seconds.
    pub fn lag_seconds(&self) -> f64 {
        self.lag.get()
    }

    /// Returns the failure that prevents service.
    pub fn failure(&self) -> Option<RedisFailure> {
        let failure = self.failure.lock().clone();
        failure.or_else(|| self.refused.lock().values().next().cloned())
    }

    /// Stores the failure of an app, or its end.
    pub(crate) fn set_app_failure(&self, prefix: &str, failure: Option<RedisFailure>) {
        let mut refused = self.refused.lock();
        match failure {
            Some(failure) => drop(refused.insert(prefix.to_owned(), failure)),
            None => drop(refused.remove(prefix)),
        }
    }

    /// Stores the state of Redis. Returns true for a change.
    pub(crate) fn set_failure(&self, failure: Option<RedisFailure>) -> bool {
        let up = i64::from(failure.is_none());
        *self.failure.lock() = failure;
        self.up.set(up) != up
    }

    pub(crate) fn answered(&self, took: Duration, operations: usize) {
        self.round_trip.observe(took.as_secs_f64());
        self.batch.observe(operations as f64);
    }

    pub(crate) fn failed(&self, failure: &RedisFailure) {
        let reason = failure.name();
        self.failures.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn lag(&self, milliseconds: u64) {
        self.lag.set(milliseconds as f64 / 1000.0);
    }

    /// Adds the changes of one node.
    pub(crate) fn changed(&self, before: NodeStatus, now: NodeStatus) {
        let delta = |before: usize, now: usize| now as i64 - before as i64;
        self.queue.inc_by(delta(before.queue, now.queue));
        self.users.inc_by(delta(before.users, now.users));
        if before.nodes != now.nodes {
            self.nodes.set(i64::try_from(now.nodes).unwrap_or(i64::MAX));
        }
        self.lost_batches.inc_by(now.lost_batches - before.lost_batches);
        self.repairs.inc_by(now.repairs - before.repairs);
        self.dropped.inc_by(now.dropped - before.dropped);
    }
}
