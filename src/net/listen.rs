//! Listening and accepting, the same for every address.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;
use tracing::debug;

use super::strain::{Lack, Strain};

/// Connections that may wait to be accepted: the system cuts it to what it allows.
const BACKLOG: u32 = 65_535;
/// How long a listener that fails is left alone: others must close first.
const PAUSE: Duration = Duration::from_millis(50);
/// A peer that is gone without a word is missed after some two minutes, whatever is said to it.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMES: u32 = 4;

/// Listens at an address; the real one comes with it.
///
/// # Errors
/// The system's.
pub fn bind(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // As the standard library does it: on Windows the option would let two processes have one address.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// The next connection. A listener that fails is tried again after a while.
pub async fn accept(listener: &TcpListener, strain: &Strain) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                prepare(&stream);
                return (stream, peer);
            }
            // It was given up before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                debug!(%error, "cannot accept");
                strain.note(Lack::Descriptors);
                sleep(PAUSE).await;
            }
        }
    }
}

fn prepare(stream: &TcpStream) {
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_AFTER)
        .with_interval(KEEP_ALIVE_EVERY)
        .with_retries(KEEP_ALIVE_TIMES);
    // A connection that is gone already says so when it is read.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keep_alive);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn a_connection_that_is_accepted_is_kept_alive() {
        let (listener, addr) = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let _client = TcpStream::connect(addr).await.unwrap();
        let (stream, _) = accept(&listener, &Strain::new(Clock::start())).await;
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE_AFTER);
        assert!(stream.nodelay().unwrap());
    }

    /// More than the 128 that the standard library asks for connect before any is accepted.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        const BURST: usize = 300;
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        if most.trim().parse::<usize>().unwrap() < BURST {
            return;
        }
        let (listener, addr) = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let connect = async {
            let mut clients = Vec::new();
            for _ in 0..BURST {
                clients.push(TcpStream::connect(addr).await.unwrap());
            }
            clients
        };
        // Beyond the backlog the system asks a client to try again a second later.
        let clients = tokio::time::timeout(Duration::from_millis(900), connect).await;
        assert_eq!(clients.expect("none waits for its turn").len(), BURST);
        drop(listener);
    }
}
