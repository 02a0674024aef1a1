//! One loop for every listener: a limit of connections, and back-off where the system has no more to give.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::log::limit::{Bound, Cause, admits};

/// The pause after a first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause, and so the longest delay once there is room again.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A source of connections.
pub trait Listen: Send {
    /// A connection.
    type Stream: Send;

    /// Waits for the next connection; nothing is lost when the future is dropped.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub enum Accepted<S> {
    /// It is to be served; the permit is its place under the limit.
    Connection(S, SocketAddr, OwnedSemaphorePermit),
    /// It was closed at once: there are as many as may be.
    OverLimit(SocketAddr),
}

/// Accepts connections at a listener.
#[derive(Debug)]
pub struct Acceptor<L> {
    listener: L,
    /// For the log.
    name: &'static str,
    /// Room for connections.
    permits: Arc<Semaphore>,
    /// Failures since the last connection.
    failures: u32,
}

impl<L: Listen> Acceptor<L> {
    /// One that serves as many connections as there are permits; the log calls it `name`.
    pub fn new(listener: L, name: &'static str, permits: Arc<Semaphore>) -> Self {
        Self {
            listener,
            name,
            permits,
            failures: 0,
        }
    }

    /// The next connection; `None` at the shutdown.
    pub async fn next(&mut self, shutdown: &CancellationToken) -> Option<Accepted<L::Stream>> {
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return None,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.failures = 0;
                    return Some(match self.permits.clone().try_acquire_owned() {
                        Ok(permit) => Accepted::Connection(stream, peer, permit),
                        Err(_) => Accepted::OverLimit(peer),
                    });
                }
                // Only this connection is lost.
                Err(error) if concerns_connection(&error) => {}
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    self.log(&error);
                    tokio::select! {
                        () = shutdown.cancelled() => return None,
                        () = sleep(pause(self.failures)) => {}
                    }
                }
            }
        }
    }

    fn log(&mut self, error: &io::Error) {
        if admits(
            "connections that are not accepted",
            Bound::EVENT,
            Cause::from(self.name),
        ) {
            let hint =
                "others have to close first; `ulimit -n` is how many files and connections this process may have";
            warn!(listener = self.name, %error, hint, "cannot accept connections");
        }
    }
}

fn pause(failures: u32) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LONGEST_PAUSE)
}

fn concerns_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// What accepting gives, in order; then nothing any more.
    struct Script(Vec<io::Result<u8>>);

    impl Listen for Script {
        type Stream = u8;

        async fn accept(&mut self) -> io::Result<(u8, SocketAddr)> {
            match self.0.is_empty() {
                true => std::future::pending().await,
                false => self.0.remove(0).map(|n| (n, SocketAddr::from(([127, 0, 0, 1], 1)))),
            }
        }
    }

    fn acceptor(script: Vec<io::Result<u8>>, permits: usize) -> Acceptor<Script> {
        Acceptor::new(Script(script), "test", Arc::new(Semaphore::new(permits)))
    }

    /// Out of file descriptors: EMFILE has no name of its own.
    fn full() -> io::Result<u8> {
        Err(io::Error::from_raw_os_error(24))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_pause_longer_and_longer() {
        let mut script: Vec<_> = (0..8).map(|_| full()).collect();
        script.extend([Ok(1), full(), Ok(2)]);
        let (mut acceptor, stop) = (acceptor(script, 9), CancellationToken::new());
        let start = Instant::now();
        assert!(matches!(acceptor.next(&stop).await, Some(Accepted::Connection(1, ..))));
        // 10, 20, 40, 80, 160, 320, 500, 500
        assert_eq!(start.elapsed(), Duration::from_millis(1630));
        assert!(matches!(acceptor.next(&stop).await, Some(Accepted::Connection(2, ..))));
        assert_eq!(start.elapsed(), Duration::from_millis(1640));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_gone_costs_no_time() {
        let gone = || Err(io::ErrorKind::ConnectionAborted.into());
        let (mut acceptor, stop) = (acceptor(vec![gone(), gone(), Ok(1)], 9), CancellationToken::new());
        let start = Instant::now();
        assert!(matches!(acceptor.next(&stop).await, Some(Accepted::Connection(1, ..))));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn there_are_no_more_connections_than_permits() {
        let (mut acceptor, stop) = (acceptor(vec![Ok(1), Ok(2), Ok(3)], 1), CancellationToken::new());
        let first = acceptor.next(&stop).await;
        assert!(matches!(first, Some(Accepted::Connection(1, ..))));
        assert!(matches!(acceptor.next(&stop).await, Some(Accepted::OverLimit(_))));
        drop(first);
        assert!(matches!(acceptor.next(&stop).await, Some(Accepted::Connection(3, ..))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_shutdown_ends_it_also_in_a_pause() {
        let (mut acceptor, stop) = (acceptor(vec![full(), full()], 1), CancellationToken::new());
        let stopping = stop.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(5)).await;
            stopping.cancel();
        });
        assert!(acceptor.next(&stop).await.is_none());
        assert!(acceptor.next(&stop).await.is_none());
    }
}
