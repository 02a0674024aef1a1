//! How an upstream behind a link does, for counters.

use std::fmt;
use std::sync::Arc;

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
    watch: Watch,
}

/// What the link does that others may want to know at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkNews {
    /// An agent is there.
    Up,
    /// The agent, or the way to it, is gone.
    Down,
    /// An agent has died, and what it had not passed on is lost.
    Gap {
        /// The number of the first that is missing.
        first_missing: u64,
        /// The sessions that it concerns.
        sessions: u64,
    },
}

/// Who is told; nobody by default.
#[derive(Clone, Default)]
struct Watch(Option<Arc<dyn Fn(LinkNews) + Send + Sync>>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch(..)")
    }
}

impl LinkHealth {
    /// The same counters, and `tell` is told; it must not block.
    pub fn watched(mut self, tell: impl Fn(LinkNews) + Send + Sync + 'static) -> Self {
        self.watch = Watch(Some(Arc::new(tell)));
        self
    }

    pub(super) fn up(&self, up: bool) {
        if self.up.set(i64::from(up)) != i64::from(up) {
            self.tell(if up { LinkNews::Up } else { LinkNews::Down });
        }
    }

    fn tell(&self, news: LinkNews) {
        if let Watch(Some(tell)) = &self.watch {
            tell(news);
        }
    }

    pub(super) fn gap(&self, first_missing: u64, sessions: u64) {
        self.tell(LinkNews::Gap {
            first_missing,
            sessions,
        });
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
