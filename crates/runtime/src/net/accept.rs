//! Accept loop for all listeners: keep-alive, and back-off if the system is out of resources.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::log_limit::{Bound, Cause, admits};

use crate::backoff::Backoff;
use crate::net::shortage::{Shortage, Shortages};

/// Delays after failures; the longest is also the longest delay after recovery.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
/// Keep-alive detects a vanished peer after about two minutes.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMES: u32 = 4;

/// Source of connections.
pub trait Listen: Send {
    type Stream: Send;

    /// Waits for the next connection. Cancel-safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        prepare(&stream);
        Ok((stream, peer))
    }
}

fn prepare(stream: &TcpStream) {
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_AFTER)
        .with_interval(KEEP_ALIVE_EVERY)
        .with_retries(KEEP_ALIVE_TIMES);
    // A read reports a connection that is already closed.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keep_alive);
}

/// Accepts connections of a listener.
#[derive(Debug)]
pub struct Acceptor<L> {
    listener: L,
    /// Name in log lines.
    name: &'static str,
    /// Records a shortage of file descriptors.
    shortages: Arc<Shortages>,
    /// Failures since the last connection.
    failures: u32,
}

impl<L: Listen> Acceptor<L> {
    /// Creates an acceptor; `name` appears in log lines.
    pub fn new(listener: L, name: &'static str, shortages: Arc<Shortages>) -> Self {
        Self {
            listener,
            name,
            shortages,
            failures: 0,
        }
    }

    /// Returns the next connection; `None` at shutdown.
    pub async fn next(&mut self, shutdown: &CancellationToken) -> Option<(L::Stream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return None,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    self.failures = 0;
                    return Some(accepted);
                }
                // Only this connection is lost.
                Err(error) if concerns_connection(&error) => {}
                Err(error) => {
                    let delay = BACKOFF.delay(self.failures);
                    self.failures = self.failures.saturating_add(1);
                    self.note(&error);
                    tokio::select! {
                        () = shutdown.cancelled() => return None,
                        () = sleep(delay) => {}
                    }
                }
            }
        }
    }

    fn note(&self, error: &io::Error) {
        if is_out_of_descriptors(error) {
            return self.shortages.note(Shortage::Descriptors);
        }
        let cause = Cause::from(self.name);
        if admits("failed accepts", Bound::EVENT, cause) {
            let hint = "the listener retries; other connections may have to close first";
            warn!(listener = self.name, %error, hint, "accept failed");
        }
    }
}

fn concerns_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Checks EMFILE (process) and ENFILE (system), which the standard library does not name.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::clock::Clock;
    use crate::net::listen::bind;

    /// Scripted accept results; pending afterwards.
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

    fn acceptor(script: Vec<io::Result<u8>>) -> Acceptor<Script> {
        Acceptor::new(Script(script), "test", Arc::new(Shortages::new(Clock::start())))
    }

    /// Out of file descriptors.
    fn full() -> io::Result<u8> {
        Err(io::Error::from_raw_os_error(24))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_pause_longer_and_longer() {
        let mut script: Vec<_> = (0..8).map(|_| full()).collect();
        script.extend([Ok(1), full(), Ok(2)]);
        let (mut acceptor, stop) = (acceptor(script), CancellationToken::new());
        let start = Instant::now();
        assert!(matches!(acceptor.next(&stop).await, Some((1, _))));
        // 10, 20, 40, 80, 160, 320, 500, 500
        assert_eq!(start.elapsed(), Duration::from_millis(1630));
        assert!(matches!(acceptor.next(&stop).await, Some((2, _))));
        assert_eq!(start.elapsed(), Duration::from_millis(1640));
        assert_eq!(acceptor.shortages.counter(Shortage::Descriptors).get(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_lost_costs_no_time() {
        let lost = || Err(io::ErrorKind::ConnectionAborted.into());
        let (mut acceptor, stop) = (acceptor(vec![lost(), lost(), Ok(1)]), CancellationToken::new());
        let start = Instant::now();
        assert!(matches!(acceptor.next(&stop).await, Some((1, _))));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_shutdown_ends_it_also_in_a_pause() {
        let (mut acceptor, stop) = (acceptor(vec![full(), full()]), CancellationToken::new());
        let stopping = stop.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(5)).await;
            stopping.cancel();
        });
        assert!(acceptor.next(&stop).await.is_none());
        assert!(acceptor.next(&stop).await.is_none());
    }

    #[tokio::test]
    async fn a_connection_that_is_accepted_is_kept_alive() {
        let (listener, addr) = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let _client = TcpStream::connect(addr).await.unwrap();
        let mut acceptor = Acceptor::new(listener, "test", Arc::new(Shortages::new(Clock::start())));
        let (stream, _) = acceptor.next(&CancellationToken::new()).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE_AFTER);
        assert!(stream.nodelay().unwrap());
    }
}
