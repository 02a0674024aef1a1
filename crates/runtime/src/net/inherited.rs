//! Sockets that the service manager has opened (systemd's socket activation).
//!
//! They stay open while the process restarts, so the system refuses no connection meanwhile. A socket replaces the
//! bind of its own address.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use listenfd::ListenFd;
use parking_lot::Mutex;

/// Process-wide, as the environment variables that name the sockets.
static INHERITED: Mutex<Vec<Inherited>> = Mutex::new(Vec::new());

/// Inherited socket with its address.
#[derive(Debug)]
enum Inherited {
    Tcp(SocketAddr, TcpListener),
    Udp(SocketAddr, UdpSocket),
}

/// Takes over the sockets of the service manager; returns their number. Call it before other threads start, because it
/// changes the environment.
pub fn inherit() -> usize {
    let mut from_manager = ListenFd::from_env();
    let mut found = Vec::new();
    for at in 0..from_manager.len() {
        if let Ok(Some(listener)) = from_manager.take_tcp_listener(at) {
            found.extend(listener.local_addr().map(|addr| Inherited::Tcp(addr, listener)));
        } else if let Ok(Some(socket)) = from_manager.take_udp_socket(at) {
            found.extend(socket.local_addr().map(|addr| Inherited::Udp(addr, socket)));
        }
    }
    let count = found.len();
    INHERITED.lock().extend(found);
    count
}

/// Closes the inherited sockets that no configured address has taken; returns their addresses.
pub fn unclaimed() -> Vec<SocketAddr> {
    let left = INHERITED.lock().drain(..).collect::<Vec<_>>();
    left.iter().map(Inherited::addr).collect()
}

/// Takes the TCP listener of an address.
pub(super) fn tcp(addr: SocketAddr) -> Option<TcpListener> {
    let found = take(|socket| matches!(socket, Inherited::Tcp(bound, _) if is_of(*bound, addr)))?;
    match found {
        Inherited::Tcp(_, listener) => Some(listener),
        Inherited::Udp(..) => None,
    }
}

/// Takes the UDP socket of an address.
pub(super) fn udp(addr: SocketAddr) -> Option<UdpSocket> {
    let found = take(|socket| matches!(socket, Inherited::Udp(bound, _) if is_of(*bound, addr)))?;
    match found {
        Inherited::Udp(_, socket) => Some(socket),
        Inherited::Tcp(..) => None,
    }
}

fn take(wanted: impl Fn(&Inherited) -> bool) -> Option<Inherited> {
    let mut sockets = INHERITED.lock();
    let at = sockets.iter().position(wanted)?;
    Some(sockets.swap_remove(at))
}

/// Compares a bound address with a configured one. `[::]` also serves `0.0.0.0`, as systemd's `ListenStream=PORT`.
fn is_of(bound: SocketAddr, configured: SocketAddr) -> bool {
    let any = bound.ip().is_unspecified() && configured.ip().is_unspecified();
    bound.port() == configured.port() && (any || bound.ip() == configured.ip())
}

impl Inherited {
    fn addr(&self) -> SocketAddr {
        match self {
            Self::Tcp(addr, _) | Self::Udp(addr, _) => *addr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_that_of_its_address() {
        let check = |bound: &str, configured: &str, expected: bool| {
            let [bound, configured] = [bound, configured].map(|text| text.parse().unwrap());
            assert_eq!(is_of(bound, configured), expected, "{bound} {configured}");
        };
        check("127.0.0.1:80", "127.0.0.1:80", true);
        check("[::]:80", "0.0.0.0:80", true);
        check("127.0.0.1:80", "127.0.0.1:81", false);
        check("127.0.0.1:80", "0.0.0.0:80", false);
        check("0.0.0.0:80", "192.0.2.1:80", false);
    }
}
