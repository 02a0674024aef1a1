//! What this process has run out of lately: for the log, for counters, and for readiness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::warn;

use crate::clock::Clock;

/// How long ago still is lately.
const LATELY: Duration = Duration::from_secs(10);

/// What there may be too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Sockets, by `[limits] sockets`.
    Sockets,
    /// File descriptors of the process, by the system's limit.
    Descriptors,
    /// Places for those who have not shown the secret yet, at an agent's address.
    Strangers,
}

impl Shortage {
    /// Every lack.
    pub const ALL: &[Shortage] = &[Self::Sockets, Self::Descriptors, Self::Strangers];

    /// What is lacking, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "out of sockets",
            Self::Descriptors => "out of file descriptors",
            Self::Strangers => "too many at once show no secret at an agent's address",
        }
    }

    /// Whether clients are turned away for lack of it.
    const fn is_for_clients(self) -> bool {
        !matches!(self, Self::Strangers)
    }

    /// The name of its counter, and what that counts.
    pub const fn counted(self) -> (&'static str, &'static str) {
        match self {
            Self::Sockets => (
                "connections_without_room",
                "Connections that found no room within [limits] sockets",
            ),
            Self::Descriptors => (
                "connections_without_descriptor",
                "Attempts to accept connections that found no file descriptor",
            ),
            Self::Strangers => (
                "connections_without_secret",
                "Connections to an agent's address that made room before they had shown the secret",
            ),
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Sockets => "raise [limits] sockets, or look for an address that opens sockets and never logs in",
            Self::Descriptors => "raise the limit of open files (ulimit -n, LimitNOFILE=), or lower [limits] sockets",
            Self::Strangers => "let nobody but agents reach [upstream.agent] listen",
        }
    }
}

/// What has been lacking, and when.
#[derive(Debug)]
pub struct Shortages {
    clock: Clock,
    /// When each was lacking last, milliseconds; 0 for never.
    last: [AtomicU64; Shortage::ALL.len()],
    counters: [Counter; Shortage::ALL.len()],
}

impl Shortages {
    /// Nothing was lacking yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            last: Default::default(),
            counters: Default::default(),
        }
    }

    /// How often something was lacking.
    pub fn counter(&self, lack: Shortage) -> Counter {
        self.counters[lack as usize].clone()
    }

    /// A connection could not be served for lack of something; the log says so once, until it was there for a while.
    pub fn note(&self, lack: Shortage) {
        self.counters[lack as usize].inc();
        let now = self.clock.now().as_millis();
        let before = self.last[lack as usize].swap(now, Ordering::Relaxed);
        if !lately(before, now) {
            warn!(hint = lack.hint(), "connections are refused: {}", lack.name());
        }
    }

    /// What was lacking lately: the process is not ready for more clients then.
    pub fn lacks(&self) -> Option<Shortage> {
        let now = self.clock.now().as_millis();
        let was =
            |lack: &&Shortage| lack.is_for_clients() && lately(self.last[**lack as usize].load(Ordering::Relaxed), now);
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
    async fn what_was_lacking_lately_is_known_and_counted() {
        let strain = Shortages::new(Clock::start());
        assert_eq!(strain.lacks(), None);
        strain.note(Shortage::Descriptors);
        strain.note(Shortage::Descriptors);
        assert_eq!(strain.lacks(), Some(Shortage::Descriptors));
        strain.note(Shortage::Sockets);
        assert_eq!(strain.lacks(), Some(Shortage::Sockets));
        tokio::time::advance(LATELY).await;
        assert_eq!(strain.lacks(), None);
        assert_eq!(strain.counter(Shortage::Descriptors).get(), 2);
    }
}
