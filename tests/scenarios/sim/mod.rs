//! A simulation in one thread: legacy clients, a sidecar, RTM-native users, one RTM, one clock that
//! only a scenario advances.
//!
//! The program's tasks, sockets and inboxes are one first-in first-out queue, so the same steps
//! have the same outputs in the same order.

mod bridge;
mod calls;
mod client;
mod effects;
mod ends;
mod frames;
pub mod invert;
mod link;
mod native;
mod native_lines;
pub mod observed;
mod queue;
mod recording;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bridge::Bridge;
use client::Client;
use link::Link;
use native::Native;
use observed::Observed;
use queue::Item;

use agent_link::vocabulary::Vocabulary;
use engine::{AppNames, Input, Names, SessionContext, SessionLimits};
use identity::TokenPolicy;
use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::Value;
use rtm::{AppId, CallKind};
use rtm_embedded::{ClientId, RtmService, RtmServiceConfig};
use tables::Tables;

pub use bridge::Socket;

/// The app id of every scenario.
pub const VID: &str = "app";

/// Start of every scenario: 2020-06-30 00:00:00 UTC.
const START: Time = Time::from_millis(1_593_475_200_000);

/// Returns the names of the app, as a sidecar maps them.
fn names() -> AppNames {
    AppNames {
        app: AppId::new(VID).expect("a legal app id"),
        numbers: Arc::default(),
    }
}

/// The settings of a scenario.
#[derive(Default)]
pub struct Config {
    pub limits: SessionLimits,
    pub world: RtmServiceConfig,
    pub policy: TokenPolicy,
    /// Calls that the upstream does not support.
    pub lacks: Vec<CallKind>,
    /// The vocabulary of the link to RTM; `None` for no link.
    pub words: Option<Arc<Vocabulary>>,
}

/// The simulation.
pub struct Sim {
    pub now: Time,
    pub tables: Arc<Tables>,
    pub clients: BTreeMap<String, Client>,
    pub natives: BTreeMap<String, Native>,
    native_names: BTreeMap<ClientId, String>,
    pub bridge: Bridge,
    world: RtmService,
    link: Option<Link>,
    queue: VecDeque<Item>,
    observed: Vec<Observed>,
    next_socket: u64,
    /// Clients behind one address.
    pub nat: BTreeSet<String>,
}

impl Sim {
    /// Creates a simulation without users.
    pub fn new(tables: Arc<Tables>, config: Config) -> Self {
        let lacks = config.lacks;
        let context = SessionContext {
            tables: tables.clone(),
            wire: tables.wire("web").expect("a web wire").clone(),
            names: Arc::new(names()),
            offline_messages: config.world.offline_messages,
            durable: false,
            can: Arc::new(move |kind| !lacks.contains(&kind)),
            limits: config.limits,
        };
        Self {
            now: START,
            tables,
            clients: BTreeMap::new(),
            natives: BTreeMap::new(),
            native_names: BTreeMap::new(),
            bridge: Bridge::new(context, config.policy),
            world: RtmService::new(config.world),
            link: config.words.map(Link::new),
            queue: VecDeque::new(),
            observed: Vec::new(),
            next_socket: 1,
            nat: BTreeSet::new(),
        }
    }

    /// Takes all new events.
    pub fn take_observed(&mut self) -> Vec<Observed> {
        std::mem::take(&mut self.observed)
    }

    /// Returns the number of an account.
    pub fn uid(&self, account: &str) -> i64 {
        names().uid(&account.into())
    }

    /// Returns the client of that name; creates a Web client at its first use.
    pub fn client(&mut self, name: &str) -> &mut Client {
        if !self.clients.contains_key(name) {
            self.family("web", name).expect("the web wire");
        }
        self.clients.get_mut(name).expect("just made")
    }

    /// Creates a client of a family.
    ///
    /// # Errors
    /// The family is unknown, or the client already exists.
    pub fn family(&mut self, family: &str, name: &str) -> Result<(), String> {
        let wire = self.tables.wire(family).ok_or_else(|| format!("no family {family}"))?;
        let client = Client::new(name, self.tables.clone(), wire.clone());
        match self.clients.insert(name.into(), client) {
            None => Ok(()),
            Some(_) => Err(format!("{name} is there already")),
        }
    }

    /// Opens a new socket of a client.
    fn connect(&mut self, name: &str) -> SocketId {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        let client = self.client(name);
        let (transport, old) = (client.transport(), client.old);
        let connection = Socket {
            transport,
            profile: self.bridge.profile(transport, &Value::Null, old),
            peer: peer(if self.nat.contains(name) {
                "the one address"
            } else {
                name
            }),
            accepted: self.now,
            logged_in: false,
            session: None,
            line: 0,
            old,
        };
        self.bridge.sockets.insert(socket, connection);
        socket
    }

    /// Logs a client in on a new socket, besides its current one.
    pub fn login(&mut self, name: &str) {
        let socket = self.connect(name);
        self.client(name).login(socket);
        self.settle();
    }

    /// Resumes a client's session by its line on a new socket; `cid` replaces the channel's number.
    pub fn resume(&mut self, name: &str, cid: Option<&str>) {
        let socket = self.connect(name);
        self.client(name).resume(socket, cid);
        self.settle();
    }

    /// Loses a client's socket without the sidecar's notice.
    pub fn lose_socket(&mut self, name: &str) {
        let client = self.client(name);
        client.lost(None);
        client.take();
    }

    /// Closes a client's socket; `left`: closed by the client.
    pub fn drop_socket(&mut self, name: &str, left: bool) {
        if let Some(socket) = self.client(name).socket {
            self.bridge.closed(self.now, socket, left);
            let client = self.client(name);
            client.lost(None);
            client.take();
            self.settle();
        }
    }

    /// Closes the older of a client's two sockets.
    pub fn drop_older(&mut self, name: &str) {
        if let Some(socket) = self.client(name).older.take() {
            self.bridge.closed(self.now, socket, true);
            self.settle();
        }
    }

    /// Returns the RTM-native user of that name; created at its first use.
    pub fn native(&mut self, name: &str, blind: bool) -> &mut Native {
        if !self.natives.contains_key(name) {
            let client = self.world.open();
            self.native_names.insert(client, name.into());
            self.natives.insert(name.into(), Native::new(name, client, blind));
        }
        self.natives.get_mut(name).expect("just made")
    }

    /// Makes a call of an RTM-native user.
    ///
    /// # Errors
    /// The error of the call.
    pub fn native_call(&mut self, name: &str, words: &[String]) -> Result<(), String> {
        let native = self.native(name, false);
        let (request, call) = native.call(words)?;
        let client = native.client;
        self.rtm(client, request, call);
        self.settle();
        Ok(())
    }

    /// Sets the link of a legacy session's RTM client, or of an RTM-native user.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn link(&mut self, name: &str, up: bool) -> Result<(), String> {
        let account = self.clients.get(name).map(|client| client.account.clone());
        let session = account.and_then(|account| self.bridge.session_named(&account));
        let sim_session = session
            .and_then(|id| self.bridge.running.get(&id))
            .map(|sim_session| sim_session.client);
        let client = sim_session.or_else(|| self.natives.get(name).map(|native| native.client));
        let mut out = Vec::new();
        self.world
            .link(self.now, client.ok_or("there is no user of that name")?, up, &mut out);
        self.queue.extend(out.into_iter().map(Item::Output));
        self.settle();
        Ok(())
    }

    /// Connects or disconnects the upstream of all sessions.
    pub fn upstream(&mut self, up: bool) {
        for id in self.bridge.running.keys().copied().collect::<Vec<_>>() {
            self.bridge.step(self.now, id, Input::Upstream(up));
        }
        self.settle();
    }

    /// Advances the time.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let polls = self.clients.values().filter_map(|client| client.next_poll);
            let expired = polls.chain(self.world.deadline()).chain(self.bridge.deadline()).min();
            let Some(at) = expired.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            let mut out = Vec::new();
            self.world.tick(self.now, &mut out);
            self.queue.extend(out.into_iter().map(Item::Output));
            self.settle();
            self.bridge.fire(self.now);
            self.settle();
            for client in self.clients.values_mut() {
                if client.next_poll.is_some_and(|at| at <= self.now) {
                    client.poll(self.now);
                }
            }
            self.settle();
        }
        self.now = until;
    }
}

/// Returns a client's address: each client has its own, shared by its sockets.
fn peer(name: &str) -> IpAddr {
    let sum = name
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    IpAddr::from((0x0a00_0000 | (sum & 0x00ff_ffff)).to_be_bytes())
}
