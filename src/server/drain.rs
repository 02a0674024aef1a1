//! Drain: the orderly end of service. Clients are closed one after another, so that they do not arrive elsewhere at once.
//!
//! 1. [`begin`](Drain::begin): `/readyz` reports `draining`. Clients are still accepted, because a load balancer needs
//!    some time to notice.
//! 2. [`close`](Drain::close): listeners close, and each connection gets a time of its own to close.
//! 3. The shutdown of the server closes the remaining connections.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::info;

use runtime::backoff::random;

/// State of the drain.
#[derive(Debug)]
pub struct Drain {
    begun: CancellationToken,
    closing: CancellationToken,
    connections: TaskTracker,
    slots: OnceLock<Slots>,
}

/// Times at which connections close: one for each, at a random place of its own part of the spread.
///
/// Random places in the whole spread would let some parts of it have far more than the mean rate.
#[derive(Debug)]
struct Slots {
    begin: Instant,
    spread: Duration,
    count: u32,
    taken: AtomicU64,
}

impl Drain {
    /// Creates the state of a serving process. The shutdown implies all steps of the drain.
    pub fn new(shutdown: &CancellationToken) -> Self {
        let closing = shutdown.child_token();
        Self {
            begun: CancellationToken::new(),
            closing,
            connections: TaskTracker::new(),
            slots: OnceLock::new(),
        }
    }

    /// Makes the process not ready for new clients.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Waits for the beginning of the drain.
    pub fn begun(&self) -> WaitForCancellationFuture<'_> {
        self.begun.cancelled()
    }

    /// Returns true after the beginning of the drain or the shutdown.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled() || self.closing.is_cancelled()
    }

    /// Waits until clients are closed and no new ones are accepted.
    pub fn closing(&self) -> WaitForCancellationFuture<'_> {
        self.closing.cancelled()
    }

    /// Returns the signal of [`closing`](Self::closing).
    pub fn closing_token(&self) -> &CancellationToken {
        &self.closing
    }

    /// Registers a connection until the drop of the token.
    pub fn enter(&self) -> TaskTrackerToken {
        self.connections.token()
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns the time at which a connection closes. Each call takes another one.
    pub fn close_at(&self) -> Instant {
        self.slots.get().map_or_else(Instant::now, |slots| slots.next(random()))
    }

    /// Closes the listeners, and all connections over `spread`. Returns when none is left, at most `grace` later.
    async fn close(&self, spread: Duration, grace: Duration) {
        let count = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let _ = self.slots.set(Slots {
            begin: Instant::now(),
            spread,
            count,
            taken: AtomicU64::new(0),
        });
        self.closing.cancel();
        self.connections.close();
        let _ = timeout(spread + grace, self.connections.wait()).await;
    }

    /// Runs the drain: `delay` as a ready server, then the closes over `spread`.
    pub async fn run(&self, delay: Duration, spread: Duration, grace: Duration) {
        self.begin();
        info!(
            delay_ms = delay.as_millis(),
            connections = self.connections(),
            "draining: not ready for new clients"
        );
        sleep(delay).await;
        info!(
            spread_ms = spread.as_millis(),
            connections = self.connections(),
            "draining: closing clients"
        );
        self.close(spread, grace).await;
    }
}

impl Slots {
    /// Returns the next time; `random` is uniformly distributed. Connections above the counted ones close at the end.
    fn next(&self, random: u32) -> Instant {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        if taken >= u64::from(self.count) {
            return self.begin + self.spread;
        }
        let place = (taken as f64 + f64::from(random) / f64::from(u32::MAX)) / f64::from(self.count);
        self.begin + self.spread.mul_f64(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number of times in a window that slides over the spread, as a multiple of the mean.
    fn peak(times: &[Duration], window: Duration, spread: Duration) -> f64 {
        let within = |from: &Duration| times.iter().filter(|at| (*from..*from + window).contains(*at)).count();
        let most = times.iter().map(within).max().unwrap_or(0);
        let mean = times.len() as f64 * window.as_secs_f64() / spread.as_secs_f64();
        most as f64 / mean
    }

    #[tokio::test(start_paused = true)]
    async fn connections_close_evenly_over_the_spread() {
        let spread = Duration::from_secs(20);
        let begin = Instant::now();
        let slots = Slots {
            begin,
            spread,
            count: 5_000,
            taken: AtomicU64::new(0),
        };
        let times: Vec<Duration> = (0..5_000).map(|_| slots.next(random()) - begin).collect();
        assert!(times.iter().all(|at| *at <= spread));
        let peak = peak(&times, Duration::from_millis(500), spread);
        assert!(peak <= 1.1, "{peak}");
        let whole = times.iter().filter(|at| at.as_millis() % 4 == 0).count();
        assert!(whole < 4_000, "no jitter: {whole}");
        assert_eq!(slots.next(0) - begin, spread, "one that was not counted");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_last_connection() {
        let shutdown = CancellationToken::new();
        let drain = Drain::new(&shutdown);
        let connection = drain.enter();
        let (delay, spread, grace) = (Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(5));
        let begin = Instant::now();
        let client = async {
            drain.begun().await;
            assert!(drain.has_begun() && !drain.closing_token().is_cancelled());
            drain.closing().await;
            assert_eq!(begin.elapsed(), delay);
            tokio::time::sleep_until(drain.close_at()).await;
            drop(connection);
        };
        tokio::join!(drain.run(delay, spread, grace), client);
        assert!(begin.elapsed() <= delay + spread, "{:?}", begin.elapsed());
        // Without connections it does not wait.
        let begin = Instant::now();
        drain.run(Duration::ZERO, spread, grace).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_shutdown_implies_it() {
        let shutdown = CancellationToken::new();
        let drain = Drain::new(&shutdown);
        assert!(!drain.has_begun());
        shutdown.cancel();
        assert!(drain.has_begun() && drain.closing_token().is_cancelled());
    }
}
