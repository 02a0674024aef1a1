//! Recent resource shortages: for the log, metrics and readiness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::warn;

use crate::clock::Clock;

/// Period in which a shortage counts as recent.
const LATELY: Duration = Duration::from_secs(10);

/// Exhausted resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Sockets, by `[limits] sockets`.
    Sockets,
    /// File descriptors, by the limit of the process.
    Descriptors,
    /// Slots for unauthenticated connections at an agent address.
    Strangers,
}

impl Shortage {
    pub const ALL: &[Shortage] = &[Self::Sockets, Self::Descriptors, Self::Strangers];

    /// Returns the text for logs and readiness.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "out of sockets",
            Self::Descriptors => "out of file descriptors",
            Self::Strangers => "too many unauthenticated connections at an agent address",
        }
    }

    /// Returns true if the shortage rejects clients.
    const fn is_for_clients(self) -> bool {
        !matches!(self, Self::Strangers)
    }

    /// Returns the counter's name and help text.
    pub const fn counted(self) -> (&'static str, &'static str) {
        match self {
            Self::Sockets => (
                "connections_without_room",
                "Connections rejected at the [limits] sockets limit",
            ),
            Self::Descriptors => (
                "connections_without_descriptor",
                "Failed accepts for lack of file descriptors",
            ),
            Self::Strangers => (
                "connections_without_secret",
                "Unauthenticated connections to an agent address closed to make room",
            ),
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Sockets => "raise [limits] sockets, or check for an address that opens sockets without logging in",
            Self::Descriptors => "raise the limit of open files (ulimit -n, LimitNOFILE=), or lower [limits] sockets",
            Self::Strangers => "restrict network access to [upstream.agent] listen to agents",
        }
    }
}

/// Recorder of resource shortages.
#[derive(Debug)]
pub struct Shortages {
    clock: Clock,
    /// Time of the last shortage in milliseconds; 0 for never.
    last: [AtomicU64; Shortage::ALL.len()],
    counters: [Counter; Shortage::ALL.len()],
}

impl Shortages {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            last: Default::default(),
            counters: Default::default(),
        }
    }

    /// Returns the counter of a shortage.
    pub fn counter(&self, shortage: Shortage) -> Counter {
        self.counters[shortage as usize].clone()
    }

    /// Records a rejected connection; logs once per period of shortage.
    pub fn note(&self, shortage: Shortage) {
        self.counters[shortage as usize].inc();
        let now = self.clock.now().as_millis();
        let before = self.last[shortage as usize].swap(now, Ordering::Relaxed);
        if !lately(before, now) {
            warn!(hint = shortage.hint(), "rejecting connections: {}", shortage.name());
        }
    }

    /// Returns a recent shortage, which makes the process not ready.
    pub fn current(&self) -> Option<Shortage> {
        let now = self.clock.now().as_millis();
        let was = |shortage: &&Shortage| {
            shortage.is_for_clients() && lately(self.last[**shortage as usize].load(Ordering::Relaxed), now)
        };
        Shortage::ALL.iter().find(was).copied()
    }
}

fn lately(then: u64, now: u64) -> bool {
    u128::from(now.saturating_sub(then)) < LATELY.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn recent_shortages_are_listed_and_counted() {
        let shortages = Shortages::new(Clock::start());
        assert_eq!(shortages.current(), None);
        shortages.note(Shortage::Descriptors);
        shortages.note(Shortage::Descriptors);
        assert_eq!(shortages.current(), Some(Shortage::Descriptors));
        shortages.note(Shortage::Sockets);
        assert_eq!(shortages.current(), Some(Shortage::Sockets));
        tokio::time::advance(LATELY).await;
        assert_eq!(shortages.current(), None);
        assert_eq!(shortages.counter(Shortage::Descriptors).get(), 2);
    }
}
