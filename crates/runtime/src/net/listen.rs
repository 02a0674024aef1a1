//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use crate::net::inherited;

/// Accept backlog; the system reduces it to its maximum.
const BACKLOG: u32 = 65_535;

/// Binds an address, or takes over its inherited listener; returns the listener and the bound address.
///
/// # Errors
/// An I/O error.
pub fn bind(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    if let Some(listener) = inherited::tcp(addr) {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let bound = listener.local_addr()?;
        return Ok((listener, bound));
    }
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Like the standard library: on Windows, the option would let two processes share an address.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Binds a UDP address, or takes over its inherited socket; returns the socket and the bound address.
///
/// # Errors
/// An I/O error.
pub async fn bind_udp(addr: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = match inherited::udp(addr) {
        Some(socket) => {
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)?
        }
        None => UdpSocket::bind(addr).await?,
    };
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;

    use super::*;

    /// More clients than the standard library's backlog of 128 connect before any is accepted.
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
        // Beyond the backlog, the system makes a client retry a second later.
        let clients = tokio::time::timeout(Duration::from_millis(900), connect).await;
        assert_eq!(clients.expect("none waits for its turn").len(), BURST);
        drop(listener);
    }
}
