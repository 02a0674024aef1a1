//! Limits on connections, and selection of connections to close at a limit.
//!
//! A connection before login costs the client nothing. So an address may have at most `SHARE` times the free places.
//! At a limit, a connection of the address with the most connections is closed: its oldest, after `HEAD_START`.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::server::limit::Limit;

/// Minimum time for a login before a connection may be closed for another.
const HEAD_START: Duration = Duration::from_secs(2);
/// Maximum of connections before login of one address, as a multiple of the free places.
const SHARE: usize = 3;

/// Limits on all connections.
#[derive(Debug)]
pub struct ConnectionLimits(Mutex<ConnectionCounts>);

/// Place of a connection, freed on drop.
#[derive(Debug)]
pub struct ConnectionPermit {
    connection_limits: Arc<ConnectionLimits>,
    number: u64,
    origin: IpAddr,
    /// Cancelled to close the connection for another.
    pub away: CancellationToken,
}

#[derive(Debug)]
struct ConnectionCounts {
    most: usize,
    /// Largest number of connections of one origin; 0 for no limit.
    most_of_origin: usize,
    open: usize,
    open_by_origin: HashMap<IpAddr, usize>,
    last: u64,
    /// Connections before login by origin, oldest first.
    before_login: HashMap<IpAddr, BTreeMap<u64, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    away: CancellationToken,
}

impl ConnectionLimits {
    /// Creates limits for `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ConnectionCounts {
            most,
            most_of_origin: 0,
            open: 0,
            open_by_origin: HashMap::new(),
            last: 0,
            before_login: HashMap::new(),
        })))
    }

    /// Changes the limits, for further connections: of all, and of one address (0 for none).
    pub fn limit(&self, most: usize, most_of_origin: u32) {
        let mut rooms = self.0.lock();
        (rooms.most, rooms.most_of_origin) = (most, most_of_origin as usize);
    }

    /// Returns a permit for a connection from `peer`.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn enter(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Result<Arc<ConnectionPermit>, Limit> {
        let origin = origin(peer);
        let (number, away) = self.0.lock().enter(origin, now)?;
        Ok(Arc::new(ConnectionPermit {
            connection_limits: self.clone(),
            number,
            origin,
            away,
        }))
    }
}

impl ConnectionPermit {
    /// Marks the connection as logged in, so that it is not closed for another.
    pub fn logs_in(&self) {
        self.connection_limits.0.lock().logs_in(self.origin, self.number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut rooms = self.connection_limits.0.lock();
        rooms.logs_in(self.origin, self.number);
        rooms.open -= 1;
        if let Some(open) = rooms.open_by_origin.get_mut(&self.origin) {
            *open -= 1;
            if *open == 0 {
                rooms.open_by_origin.remove(&self.origin);
            }
        }
    }
}

impl ConnectionCounts {
    fn enter(&mut self, origin: IpAddr, now: Instant) -> Result<(u64, CancellationToken), Limit> {
        let open = self.open_by_origin.get(&origin).copied().unwrap_or(0);
        if self.most_of_origin > 0 && open >= self.most_of_origin {
            return Err(Limit::AddressConnections);
        }
        let left = self.most.saturating_sub(self.open);
        let own = self.before_login.get(&origin).map_or(0, BTreeMap::len);
        if left == 0 || own >= SHARE * left {
            // The new connection gets the place of the closing one.
            self.make_room(now).ok_or(Limit::Sockets)?;
        }
        self.open += 1;
        *self.open_by_origin.entry(origin).or_default() += 1;
        self.last += 1;
        let away = CancellationToken::new();
        let waiting = Waiting {
            since: now,
            away: away.clone(),
        };
        self.before_login.entry(origin).or_default().insert(self.last, waiting);
        Ok((self.last, away))
    }

    fn make_room(&mut self, now: Instant) -> Option<()> {
        let (origin, oldest) = self
            .before_login
            .iter()
            .max_by_key(|(_, waiting)| waiting.len())
            .and_then(|(origin, waiting)| Some((*origin, waiting.first_key_value()?)))?;
        let (number, waiting) = oldest;
        if now.duration_since(waiting.since) < HEAD_START {
            return None;
        }
        waiting.away.cancel();
        self.logs_in(origin, *number);
        Some(())
    }

    fn logs_in(&mut self, origin: IpAddr, number: u64) {
        if let Some(waiting) = self.before_login.get_mut(&origin) {
            waiting.remove(&number);
            if waiting.is_empty() {
                self.before_login.remove(&origin);
            }
        }
    }
}

/// Returns the origin of an address. An IPv6 origin is a /64 network, since one client has 2⁶⁴ addresses.
pub fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let network = u128::from(ip) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[tokio::test(start_paused = true)]
    async fn one_address_leaves_room_for_others() {
        let connection_limits = ConnectionLimits::new(400);
        let now = Instant::now();
        let held: Vec<_> = std::iter::from_fn(|| connection_limits.enter(HERE, now).ok()).collect();
        assert_eq!(held.len(), 300);
        // The next connection replaces the oldest one after its minimum time.
        assert!(connection_limits.enter(HERE, now + HEAD_START / 2).is_err());
        let next = connection_limits.enter(HERE, now + HEAD_START).unwrap();
        assert!(held[0].away.is_cancelled() && !held[1].away.is_cancelled());
        let others: Vec<_> = (0..60)
            .filter_map(|_| connection_limits.enter(THERE, now).ok())
            .collect();
        assert_eq!(others.len(), 60);
        drop((held, next, others));
        assert_eq!(connection_limits.0.lock().open, 0);
        assert!(connection_limits.0.lock().before_login.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn logged_in_connections_are_not_evicted() {
        let connection_limits = ConnectionLimits::new(4);
        let now = Instant::now();
        let held: Vec<_> = (0..3).filter_map(|_| connection_limits.enter(HERE, now).ok()).collect();
        held.iter().for_each(|permit| permit.logs_in());
        let last = connection_limits.enter(THERE, now).unwrap();
        let later = now + HEAD_START;
        let next = connection_limits.enter(HERE, later).unwrap();
        assert!(last.away.is_cancelled(), "the connection before login is closed");
        assert!(connection_limits.enter(HERE, later).is_err());
        assert!(held.iter().all(|permit| !permit.away.is_cancelled()));
        next.logs_in();
        assert!(
            connection_limits.enter(HERE, later + HEAD_START).is_err(),
            "no connection before login is left"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_a_limit_of_its_own() {
        let connection_limits = ConnectionLimits::new(400);
        connection_limits.limit(400, 2);
        let now = Instant::now();
        let held: Vec<_> = (0..2).map(|_| connection_limits.enter(HERE, now).unwrap()).collect();
        assert_eq!(
            connection_limits.enter(HERE, now).unwrap_err(),
            Limit::AddressConnections
        );
        assert!(connection_limits.enter(THERE, now).is_ok());
        drop(held);
        assert!(connection_limits.enter(HERE, now).is_ok());
        assert!(connection_limits.0.lock().open_by_origin.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_origin() {
        let of = |ip: &str| origin(ip.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), HERE);
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
