//! How an upstream behind a link does, for counters.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Why a call came to nothing.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Why {
    /// From the source, never from a peer.
    pub reason: &'static str,
}

/// Counters of a link.
#[derive(Clone, Debug, Default)]
pub struct LinkHealth {
    /// 1 while an agent is there.
    pub up: Gauge,
    /// Agents that died with what they had not passed on.
    pub gaps: Counter,
    /// Sessions that such a death concerned.
    pub gap_sessions: Counter,
    /// Events that an agent had no room for.
    pub events_lost: Counter,
    /// Calls that came to nothing on the way.
    pub failed: Family<Why, Counter>,
}

impl LinkHealth {
    pub(super) fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    pub(super) fn gap(&self, sessions: u64) {
        self.gaps.inc();
        self.gap_sessions.inc_by(sessions);
    }

    pub(super) fn lost(&self, events: u64) {
        self.events_lost.inc_by(events);
    }

    pub(super) fn failed(&self, reason: &'static str) {
        self.failed.get_or_create(&Why { reason }).inc();
    }
}
