//! The event loop of the load: one thread, one epoll, sockets that do not block.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use socket2::{Domain, Socket, Type};

use crate::client::{Call, Client, Event, State};
use crate::wire::Writer;

/// Nanoseconds.
pub const MICROSECOND: u64 = 1_000;
pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// The vendor's SDK acknowledges so long after a message, and pings so often.
const ACKNOWLEDGE: u64 = SECOND;
const PING: u64 = 10 * SECOND;

/// Connections that may wait for their login at once: fewer than a listener's usual backlog.
const OPENING: usize = 500;
/// How long all of that may take without any progress.
const STALLED: u64 = 20 * SECOND;

/// What a client does by itself at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Acknowledge,
    Ping,
}

/// All clients of a load, and its clock.
pub struct Net {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    begun: Instant,
    addresses: Vec<SocketAddr>,
    /// The only address of new clients, by its number; without it they get all in turn.
    pub only: Option<usize>,
    /// Whether the first pings of new clients are spread over their interval.
    pub spread_pings: bool,
    /// Whether the other end is an echo, without logins.
    pub echo: bool,
    clients: Vec<Client>,
    due: BinaryHeap<Reverse<(u64, usize, Due)>>,
    buffer: Vec<u8>,
    writer: Writer,
    events: Vec<Event>,
    /// Nanoseconds between two connections.
    pub spacing: u64,
    /// The client that gets a small receive buffer: it soon blocks its server when it stops reading.
    pub slow: Option<usize>,
    /// The first failure of a connection, or the first refusal.
    pub trouble: Option<String>,
}

impl Net {
    /// Makes a loop without clients.
    ///
    /// # Errors
    /// Addresses outside the loopback network, and those of epoll.
    pub fn new(addresses: Vec<SocketAddr>, echo: bool, writer: Writer) -> Result<Self> {
        for address in &addresses {
            ensure!(
                address.is_ipv4() && address.ip().is_loopback(),
                "loads go to 127.0.0.0/8 only, not to {address}"
            );
        }
        // The default of 50 µs would be added to every pause.
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?;
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(256),
            begun: Instant::now(),
            addresses,
            only: None,
            spread_pings: false,
            echo,
            clients: Vec::new(),
            due: BinaryHeap::new(),
            buffer: vec![0; 1 << 16],
            writer,
            events: Vec::new(),
            spacing: 250 * MICROSECOND,
            slow: None,
            trouble: None,
        })
    }

    /// Returns the time since the start, in nanoseconds.
    pub fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Returns how many clients there are, closed ones included.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Returns how far a client has got.
    pub fn state(&self, client: usize) -> State {
        self.clients[client].state()
    }

    /// Whether a client's session works.
    pub fn is_ready(&self, client: usize) -> bool {
        self.state(client) == State::Ready
    }

    /// Returns how many addresses there are.
    pub fn addresses(&self) -> usize {
        self.addresses.len()
    }

    /// Begins one more connection.
    ///
    /// # Errors
    /// No socket.
    pub fn connect(&mut self) -> Result<()> {
        let (index, opened) = (self.clients.len(), self.now());
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).context("no socket: raise `ulimit -n`")?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.slow == Some(index) {
            // Loopback's segments of 64 KiB let the kernel keep 4 MB for a client; those of a network do not.
            socket.set_tcp_mss(1448)?;
            socket.set_recv_buffer_size(4096)?;
        }
        let address = self.only.unwrap_or(index) % self.addresses.len();
        let address = self.addresses[address];
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error).with_context(|| format!("cannot connect to {address}"));
            }
            _ => {}
        }
        let client = Client::new(index, TcpStream::from(socket), opened);
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, client.tcp(), data, interest(&client))?;
        self.clients.push(client);
        Ok(())
    }

    /// Opens so many more connections, spaced, and waits until all are ready. Returns the latency of each login.
    ///
    /// # Errors
    /// A connection that ends, and a server that makes no progress.
    pub fn open(&mut self, count: usize) -> Result<Vec<u64>> {
        let end = self.clients.len() + count;
        let mut logins = Vec::with_capacity(count);
        let (mut ready, mut next, mut progress) = (0, self.now(), self.now());
        while ready < count {
            let now = self.now();
            let opening = self.clients.len() + count - end - ready;
            let may_open = self.clients.len() < end && opening < OPENING;
            if may_open && now >= next {
                self.connect()?;
                // Never in a burst, also when this loop was late.
                next = (next + self.spacing).max(now);
                continue;
            }
            self.poll(if may_open { next } else { now + 100 * MILLISECOND });
            for event in self.take_events() {
                match event {
                    Event::LoggedIn { after, .. } => logins.push(after),
                    Event::Ready { .. } => (ready, progress) = (ready + 1, self.now()),
                    Event::Closed { client, reason } => bail!("client {client} is not in: {reason}"),
                    _ => {}
                }
            }
            ensure!(
                self.now() - progress < STALLED,
                "{ready} of {count} clients are in, and no more for 20 s"
            );
        }
        Ok(logins)
    }

    /// Has all clients join the channel, one after another, and waits until its news have arrived.
    ///
    /// # Errors
    /// A join that is refused or not answered, and a connection that ends.
    pub fn join_all(&mut self) -> Result<()> {
        for index in 0..self.clients.len() {
            let now = self.now();
            self.act(index, |client, writer| client.join(writer, now));
            loop {
                self.poll(now + STALLED);
                ensure!(self.now() - now < STALLED, "the join of client {index} is not answered");
                let mut joined = false;
                for event in self.take_events() {
                    match event {
                        Event::Answered {
                            call: Call::Join, ok, ..
                        } => {
                            ensure!(ok, "the join of client {index} is refused");
                            joined = true;
                        }
                        Event::Closed { client, reason } => bail!("client {client} is closed: {reason}"),
                        _ => {}
                    }
                }
                if joined {
                    break;
                }
            }
        }
        // The news of joins, at most for ten seconds.
        let end = self.now() + 10 * SECOND;
        while self.poll(self.now() + 200 * MILLISECOND) && self.now() < end {}
        let lost = |event: &Event| matches!(event, Event::Closed { .. });
        ensure!(
            !self.take_events().iter().any(lost),
            "clients are closed while others join"
        );
        Ok(())
    }

    /// Sends a message to another client. Returns whether the sender was ready.
    pub fn send_peer(&mut self, from: usize, to: usize) -> bool {
        let now = self.now();
        self.is_ready(from) && self.act(from, |client, writer| client.send_peer(writer, to, now))
    }

    /// Sends a message to the channel. Returns whether the sender was ready.
    pub fn send_channel(&mut self, from: usize) -> bool {
        let now = self.now();
        self.is_ready(from) && self.act(from, |client, writer| client.send_channel(writer, now))
    }

    /// Stops or continues to read frames for a client.
    pub fn set_reading(&mut self, index: usize, reads: bool) {
        self.clients[index].reads = reads;
        self.watch(index);
    }

    /// Updates the interest of a client in epoll. A closed client is not registered.
    fn watch(&self, index: usize) {
        let client = &self.clients[index];
        let data = epoll::EventData::new_u64(index as u64);
        let _ = epoll::modify(&self.epoll, client.tcp(), data, interest(client));
    }

    /// Closes all connections.
    pub fn close_all(&mut self) {
        self.clients.clear();
        self.due.clear();
    }

    /// Returns what has happened since the last time.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Handles ready sockets, or waits for one, at most until `deadline`. Returns true if a socket was ready.
    pub fn poll(&mut self, deadline: u64) -> bool {
        let now = self.now();
        let next = self.due.peek().map_or(deadline, |Reverse((at, ..))| deadline.min(*at));
        let wait = next.saturating_sub(now);
        let timeout = Timespec {
            tv_sec: (wait / SECOND) as i64,
            tv_nsec: (wait % SECOND) as _,
        };
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("epoll: {error}"),
        }
        for event in &ready {
            self.ready(event.data.u64() as usize, event.flags);
        }
        let some = !ready.is_empty();
        self.ready = ready;
        self.do_due();
        some
    }

    fn ready(&mut self, index: usize, flags: epoll::EventFlags) {
        if self
            .clients
            .get(index)
            .is_none_or(|client| client.state() == State::Closed)
        {
            return;
        }
        let (begun, echo) = (self.begun, self.echo);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut events = std::mem::take(&mut self.events);
        let first = events.len();
        self.act(index, |client, writer| {
            if flags.contains(epoll::EventFlags::OUT) {
                client.flush()?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                let clock = || begun.elapsed().as_nanos() as u64;
                client.receive(&mut buffer, clock, echo, writer, &mut events)?;
            }
            Ok(())
        });
        let now = self.now();
        if events[first..]
            .iter()
            .any(|event| matches!(event, Event::LoggedIn { .. }))
        {
            let first = match self.spread_pings {
                true => PING / 1000 * (index as u64 * 619 % 1000 + 1),
                false => PING,
            };
            self.due.push(Reverse((now + first, index, Due::Ping)));
        }
        if self.clients[index].wants_poll() {
            self.due.push(Reverse((now + ACKNOWLEDGE, index, Due::Acknowledge)));
        }
        self.buffer = buffer;
        events.append(&mut self.events);
        self.events = events;
    }

    fn do_due(&mut self) {
        let now = self.now();
        while let Some(Reverse((at, index, due))) = self.due.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
            self.due.pop();
            if !self.is_ready(index) {
                continue;
            }
            if due == Due::Ping {
                self.due.push(Reverse((at + PING, index, Due::Ping)));
            }
            self.act(index, |client, writer| match due {
                Due::Acknowledge => client.poll(writer, now),
                Due::Ping => client.ping(writer),
            });
        }
    }

    /// Has a client do something; one whose connection fails by it is closed. Returns whether it did not.
    fn act(&mut self, index: usize, what: impl FnOnce(&mut Client, &mut Writer) -> Result<()>) -> bool {
        let client = &mut self.clients[index];
        let was_blocked = client.is_blocked();
        let done = what(client, &mut self.writer);
        if let Err(error) = &done {
            client.trouble = Some(format!("client {index}: {error:#}"));
            client.close();
            self.events.push(Event::Closed {
                client: index,
                reason: "connection",
            });
        }
        if let Some(trouble) = client.trouble.take() {
            self.trouble.get_or_insert(trouble);
        }
        if client.state() == State::Closed {
            let _ = epoll::delete(&self.epoll, client.tcp());
        } else if client.is_blocked() != was_blocked {
            self.watch(index);
        }
        done.is_ok()
    }
}

/// Returns what a client waits for.
fn interest(client: &Client) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, client.reads);
    flags.set(epoll::EventFlags::OUT, client.is_blocked());
    flags
}
