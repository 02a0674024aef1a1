//! Metrics of a link.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use runtime::histogram::Histogram;

/// Reason of a lost call.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabel {
    /// From the source, never from a peer.
    pub reason: &'static str,
}

/// Metrics of a link.
#[derive(Clone, Debug, Default)]
pub struct LinkHealth {
    /// 1 while an agent is connected.
    pub up: Gauge,
    /// Agents lost with undelivered events.
    pub gaps: Counter,
    /// Sessions affected by a lost agent.
    pub gap_sessions: Counter,
    /// Events dropped by an agent's full queue.
    pub events_lost: Counter,
    /// Lost calls, by reason.
    pub failed: Family<ReasonLabel, Counter>,
    /// Time from a request to its answer.
    pub round_trip: RoundTrip,
    watch: Watch,
}

/// Histogram of round trips.
#[derive(Clone, Debug)]
pub struct RoundTrip(Histogram);

impl Default for RoundTrip {
    fn default() -> Self {
        Self(Histogram::long())
    }
}

impl RoundTrip {
    /// Returns the histogram.
    pub fn histogram(&self) -> Histogram {
        self.0.clone()
    }
}

/// Link event for observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// An agent connected.
    Up,
    /// The agent or its connection is lost.
    Down,
    /// An agent is lost with undelivered events.
    Gap {
        /// Number of the first missing event.
        first_missing: u64,
        /// Affected sessions.
        sessions: u64,
    },
}

/// Optional observer.
#[derive(Clone, Default)]
struct Watch(Option<Arc<dyn Fn(LinkEvent) + Send + Sync>>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch(..)")
    }
}

impl LinkHealth {
    /// Adds an observer, which must not block.
    pub fn watched(mut self, notify: impl Fn(LinkEvent) + Send + Sync + 'static) -> Self {
        self.watch = Watch(Some(Arc::new(notify)));
        self
    }

    pub(super) fn up(&self, up: bool) {
        if self.up.set(i64::from(up)) != i64::from(up) {
            self.notify(if up { LinkEvent::Up } else { LinkEvent::Down });
        }
    }

    fn notify(&self, news: LinkEvent) {
        if let Watch(Some(notify)) = &self.watch {
            notify(news);
        }
    }

    pub(super) fn gap(&self, first_missing: u64, sessions: u64) {
        self.notify(LinkEvent::Gap {
            first_missing,
            sessions,
        });
        self.gaps.inc();
        self.gap_sessions.inc_by(sessions);
    }

    pub(super) fn lost(&self, events: u64) {
        self.events_lost.inc_by(events);
    }

    /// Creates the counter of a reason.
    pub fn begin_failure(&self, reason: &'static str) {
        let _ = self.failed.get_or_create(&ReasonLabel { reason });
    }

    pub(super) fn answered(&self, took: Duration) {
        self.round_trip.0.took(took);
    }

    pub(super) fn failed(&self, reason: &'static str) {
        self.failed.get_or_create(&ReasonLabel { reason }).inc();
    }
}
