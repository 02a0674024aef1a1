//! Room for connections: how many there may be, and which go first when it runs out.
//!
//! A connection that has not logged in costs its opener nothing. So no address may have more of them than three times what is
//! left for all, and beyond that the oldest that has waited for a while makes room: of the address that has the most.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection has this long to log in before it may have to make room for another.
const HEAD_START: Duration = Duration::from_secs(2);
/// What one address may have before login, in multiples of what is left.
const SHARE: usize = 3;

/// The connections that there are.
#[derive(Debug)]
pub struct ConnectionLimits(Mutex<Rooms>);

/// A connection's place; dropped, it is free.
#[derive(Debug)]
pub struct ConnectionPermit {
    entrance: Arc<ConnectionLimits>,
    number: u64,
    origin: IpAddr,
    /// Cancelled when it must make room.
    pub away: CancellationToken,
}

#[derive(Debug)]
struct Rooms {
    most: usize,
    open: usize,
    last: u64,
    /// Connections before their login, by origin, the oldest first.
    before_login: HashMap<IpAddr, BTreeMap<u64, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    away: CancellationToken,
}

impl ConnectionLimits {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Rooms {
            most,
            open: 0,
            last: 0,
            before_login: HashMap::new(),
        })))
    }

    /// A connection comes from `peer`; none when there is no room for it.
    pub fn enter(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Option<Arc<ConnectionPermit>> {
        let origin = origin(peer);
        let (number, away) = self.0.lock().enter(origin, now)?;
        Some(Arc::new(ConnectionPermit {
            entrance: self.clone(),
            number,
            origin,
            away,
        }))
    }
}

impl ConnectionPermit {
    /// Its client logs in: the connection need not make room for another any more.
    pub fn logs_in(&self) {
        self.entrance.0.lock().logs_in(self.origin, self.number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut rooms = self.entrance.0.lock();
        rooms.logs_in(self.origin, self.number);
        rooms.open -= 1;
    }
}

impl Rooms {
    fn enter(&mut self, origin: IpAddr, now: Instant) -> Option<(u64, CancellationToken)> {
        let left = self.most.saturating_sub(self.open);
        let own = self.before_login.get(&origin).map_or(0, BTreeMap::len);
        if left == 0 || own >= SHARE * left {
            // It is on its way out, and the newcomer in its place.
            self.make_room(now)?;
        }
        self.open += 1;
        self.last += 1;
        let away = CancellationToken::new();
        let waiting = Waiting {
            since: now,
            away: away.clone(),
        };
        self.before_login.entry(origin).or_default().insert(self.last, waiting);
        Some((self.last, away))
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

/// Who has one IPv6 address has 2⁶⁴ of them.
fn origin(peer: IpAddr) -> IpAddr {
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
        let entrance = ConnectionLimits::new(400);
        let now = Instant::now();
        let held: Vec<_> = std::iter::from_fn(|| entrance.enter(HERE, now)).collect();
        assert_eq!(held.len(), 300);
        // Its own next one takes the place of its oldest, once that has had its time.
        assert!(entrance.enter(HERE, now + HEAD_START / 2).is_none());
        let next = entrance.enter(HERE, now + HEAD_START).unwrap();
        assert!(held[0].away.is_cancelled() && !held[1].away.is_cancelled());
        let others: Vec<_> = (0..60).filter_map(|_| entrance.enter(THERE, now)).collect();
        assert_eq!(others.len(), 60);
        drop((held, next, others));
        assert_eq!(entrance.0.lock().open, 0);
        assert!(entrance.0.lock().before_login.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_logged_in_stays() {
        let entrance = ConnectionLimits::new(4);
        let now = Instant::now();
        let held: Vec<_> = (0..3).filter_map(|_| entrance.enter(HERE, now)).collect();
        held.iter().for_each(|ticket| ticket.logs_in());
        let last = entrance.enter(THERE, now).unwrap();
        let later = now + HEAD_START;
        let next = entrance.enter(HERE, later).unwrap();
        assert!(last.away.is_cancelled(), "the one before login makes room");
        assert!(entrance.enter(HERE, later).is_none());
        assert!(held.iter().all(|ticket| !ticket.away.is_cancelled()));
        next.logs_in();
        assert!(entrance.enter(HERE, later + HEAD_START).is_none(), "there is none left");
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
