//! A simulation in one thread: legacy clients, sidecars, RTM-native users, one RTM, one clock that only a scenario
//! advances.
//!
//! The sidecars are the program's server: its tasks run in a runtime with virtual time. Only the sockets are replaced.
//! A step ends when no task can continue without time, so the same steps have the same outputs.

mod calls;
mod client;
mod frames;
mod idle;
pub mod invert;
mod link;
mod native;
mod native_lines;
mod network;
pub mod observed;
mod recording;
mod service;
mod sidecar;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep_until;

use client::Client;
use idle::Idle;
use native::Native;
use network::{ClientEnd, Item, Network, connection};
use observed::Observed;
use recording::Records;
use service::{Disturbance, Service, ServiceClient, SidecarRtm};
use sidecar::Sidecar;

use agent_link::vocabulary::Vocabulary;
use engine::{AppNames, Input, Names};
use identity::SessionLineKey;
use protocol::event::{Event, SocketId};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{AppId, CallKind};
use runtime::clock::Clock;
use sigbridge::server::run_queue::enter;
use sigbridge::server::{Message, TableSet};
use sigbridge::upstream::embedded_config;

/// The app id of every scenario.
pub const VID: &str = "app";

/// Close code of a page that is closed.
const CLOSED_BY_PAGE: u16 = 1001;

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
    /// The config of the sidecars.
    pub server: sigbridge::config::Config,
    /// Calls that the upstream does not support.
    pub lacks: Vec<CallKind>,
    /// The vocabulary of the link to RTM; `None` for no link.
    pub words: Option<Arc<Vocabulary>>,
    /// The sidecars record all sessions. Notes and drops are events of recorded sessions only.
    pub records: bool,
    /// Clients with a sidecar of their own.
    pub alone: BTreeSet<String>,
}

/// The simulation.
pub struct Sim {
    runtime: Rc<Runtime>,
    idle: Arc<Idle>,
    clock: Clock,
    config: Config,
    set: Arc<TableSet>,
    pub now: Time,
    pub clients: BTreeMap<String, Client>,
    pub natives: BTreeMap<String, Native>,
    service: Arc<Service>,
    /// The sidecars by the client that each has alone; the common one by the empty name.
    sidecars: BTreeMap<String, Sidecar>,
    network: Arc<Network>,
    /// Open connections.
    connections: HashMap<SocketId, Arc<ClientEnd>>,
    observed: Vec<Observed>,
    next_socket: u64,
    /// Clients behind one address.
    pub nat: BTreeSet<String>,
}

impl Sim {
    /// Creates a simulation without users.
    pub fn new(set: Arc<TableSet>, mut config: Config) -> Self {
        let idle: Arc<Idle> = Arc::default();
        let parks = idle.clone();
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || parks.reach())
            .build()
            .expect("a runtime");
        let key = SessionLineKey::new(b"the scenarios' key").expect("long enough");
        config.server.session.line_key = Some(key);
        let (clock, service) = {
            let _context = runtime.enter();
            let clock = Clock::start_at(START);
            (
                clock,
                Service::start(embedded_config(&config.server), clock, config.words.clone()),
            )
        };
        Self {
            runtime: Rc::new(runtime),
            idle,
            clock,
            config,
            set,
            now: START,
            clients: BTreeMap::new(),
            natives: BTreeMap::new(),
            service,
            sidecars: BTreeMap::new(),
            network: Arc::default(),
            connections: HashMap::new(),
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
        let tables = &self.set.tables;
        let wire = tables.wire(family).ok_or_else(|| format!("no family {family}"))?;
        let client = Client::new(name, tables.clone(), wire.clone());
        match self.clients.insert(name.into(), client) {
            None => Ok(()),
            Some(_) => Err(format!("{name} is there already")),
        }
    }

    /// Returns the sidecar of a client; started at its first use.
    fn sidecar(&mut self, client: &str) -> &mut Sidecar {
        let name = self.config.alone.get(client).cloned().unwrap_or_default();
        let Self {
            config,
            set,
            clock,
            service,
            network,
            runtime,
            ..
        } = self;
        self.sidecars.entry(name).or_insert_with(|| {
            let _context = runtime.enter();
            let rtm = SidecarRtm::new(service, &config.lacks);
            let records = config.records.then(|| Records::new(network));
            Sidecar::start(set.clone(), config.server.clone(), rtm, *clock, records)
        })
    }

    /// Opens a new socket of a client.
    fn connect(&mut self, name: &str) -> SocketId {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        let kind = self.client(name).transport();
        let (client, transport) = connection(socket, kind, &self.network);
        let peer = peer(if self.nat.contains(name) {
            "the one address"
        } else {
            name
        });
        self.connections.insert(socket, client);
        let runtime = self.runtime.clone();
        let _context = runtime.enter();
        self.sidecar(name).accept(transport, peer);
        socket
    }

    /// Logs a client in on a new socket, besides its current one.
    pub fn login(&mut self, name: &str) {
        let socket = self.connect(name);
        self.client(name).login(socket);
        self.settle();
    }

    /// Logs a client in on a second socket, which races with its current one. A kick of the first is a fault.
    pub fn twin(&mut self, name: &str) {
        self.client(name).is_older_kicked = false;
        self.login(name);
        let client = self.client(name);
        if client.is_older_kicked {
            client.fault("the first of two racing sockets is kicked");
            self.settle();
        }
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
            self.lose_socket(name);
            self.close(socket, left);
        }
    }

    /// Closes the older of a client's two sockets.
    pub fn drop_older(&mut self, name: &str) {
        if let Some(socket) = self.client(name).older.take() {
            self.close(socket, true);
        }
    }

    fn close(&mut self, socket: SocketId, left: bool) {
        if let Some(connection) = self.connections.remove(&socket) {
            connection.close(left.then_some(CLOSED_BY_PAGE));
        }
        self.settle();
    }

    /// Returns the RTM-native user of that name; created at its first use.
    pub fn native(&mut self, name: &str, blind: bool) -> &mut Native {
        if !self.natives.contains_key(name) {
            let (network, user) = (self.network.clone(), name.to_owned());
            let sink = move |event| network.push(Item::Native(user.clone(), event));
            let client = self.service.open(Arc::new(sink));
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
        let client = native.client.clone();
        self.act(|sim| sim.service.call(&client, request, call));
        Ok(())
    }

    /// Acts in the runtime, and then settles.
    fn act(&mut self, act: impl FnOnce(&mut Self)) {
        {
            let runtime = self.runtime.clone();
            let _context = runtime.enter();
            let _run = enter();
            act(self);
        }
        self.settle();
    }

    /// Returns the RTM user id of a client.
    fn user(&self, name: &str) -> Option<Text> {
        let client = self.clients.get(name)?;
        Some(names().user_id(&client.account.as_str().into()))
    }

    /// Returns the RTM client of a client's session.
    fn session_client(&mut self, name: &str) -> Option<ServiceClient> {
        let user = self.user(name)?;
        self.sidecar(name).rtm.client(&user)
    }

    /// Sets the link of a legacy session's RTM client, or of an RTM-native user.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn link(&mut self, name: &str, up: bool) -> Result<(), String> {
        let session = self.session_client(name);
        let client = session.or_else(|| Some(self.natives.get(name)?.client.clone()));
        let client = client.ok_or("there is no user of that name")?;
        self.act(|sim| sim.service.disturb(&client, Disturbance::Link(up)));
        Ok(())
    }

    /// Bans the user in RTM.
    ///
    /// # Errors
    /// There is no such session.
    pub fn ban(&mut self, name: &str) -> Result<(), String> {
        let client = self.session_client(name);
        let client = client.ok_or_else(|| format!("{name} has no session"))?;
        self.act(|sim| sim.service.disturb(&client, Disturbance::Ban));
        Ok(())
    }

    /// Connects or disconnects the upstream of all sessions.
    pub fn upstream(&mut self, up: bool) {
        self.act(|sim| sim.sidecars.values().for_each(|sidecar| sidecar.rtm.set_up(up, None)));
    }

    /// Disconnects the session's upstream, and its link.
    ///
    /// # Errors
    /// There is no such session.
    pub fn lose_upstream(&mut self, name: &str) -> Result<(), String> {
        self.link(name, false)?;
        let user = self.user(name);
        self.act(|sim| sim.sidecar(name).rtm.set_up(false, user.as_ref()));
        Ok(())
    }

    /// Ends the sidecar of a client: by SIGTERM, or killed.
    ///
    /// # Errors
    /// Other clients have the same sidecar.
    pub fn stop(&mut self, name: &str, in_order: bool) -> Result<(), String> {
        if !self.config.alone.contains(name) {
            return Err(format!("{name} shares a sidecar"));
        }
        self.act(|sim| match in_order {
            true => sim.sidecar(name).stop(),
            false => sim.sidecar(name).kill(),
        });
        Ok(())
    }

    /// Passes lines of an earlier session to the session of an account.
    ///
    /// # Errors
    /// There is no such session.
    pub fn deliver_offline(&mut self, account: &str, lines: Vec<Event>) -> Result<(), String> {
        let session = self.sidecar(account).session(account).ok_or("no session")?;
        let lines = lines.into_iter().map(|line| (line, self.now)).collect();
        let message = Message::Input(Box::new(Input::OfflineLines(lines)));
        self.act(|_| session.inbox.send(message).expect("a session"));
        Ok(())
    }

    /// Advances the time.
    pub fn pass(&mut self, time: Duration) {
        let (runtime, until) = (self.runtime.clone(), self.now + time);
        runtime.block_on(self.run_until(until));
    }

    /// Continues until no task can continue without time.
    pub fn settle(&mut self) {
        let runtime = self.runtime.clone();
        runtime.block_on(self.settled());
    }

    async fn run_until(&mut self, until: Time) {
        loop {
            self.settled().await;
            let timers = self.clients.values().filter_map(Client::deadline);
            let next = timers.chain([until]).min().unwrap_or(until);
            let network = self.network.clone();
            tokio::select! {
                biased;
                () = poll_fn(|context| network.poll_filled(context)) => continue,
                () = sleep_until(self.clock.instant(next)) => {}
            }
            // Timers of the sidecars and of RTM come before those of clients.
            self.settled().await;
            self.clients.values_mut().for_each(|client| client.fire(self.now));
            self.settled().await;
            if self.now >= until {
                return;
            }
        }
    }

    async fn settled(&mut self) {
        self.now = self.clock.now();
        self.send();
        loop {
            self.idle.reached().await;
            if !self.receive() {
                return;
            }
        }
    }

    /// Handles the outputs of the sidecars and of RTM. Returns false if there were none.
    fn receive(&mut self) -> bool {
        let mut any = false;
        while let Some(item) = self.network.pop() {
            any = true;
            self.item(item);
            self.send();
        }
        any
    }

    fn item(&mut self, item: Item) {
        let mut clients = self.clients.values_mut();
        match item {
            Item::Frame(socket, text) if text.starts_with(r#"["kick""#) => {
                for client in clients {
                    client.is_older_kicked |= client.older == Some(socket);
                    if client.socket == Some(socket) {
                        client.frame(self.now, text.as_str());
                    }
                }
            }
            Item::Frame(socket, text) => {
                if let Some(client) = clients.find(|client| client.socket == Some(socket)) {
                    client.frame(self.now, text.as_str());
                }
            }
            Item::Closed(socket, code) => {
                self.connections.remove(&socket);
                if let Some(client) = clients.find(|client| client.socket == Some(socket)) {
                    client.lost(code);
                }
            }
            Item::Noted(noted) => self.observed.push(noted),
            Item::Native(name, event) => {
                let native = self.natives.get_mut(&name);
                self.observed.extend(native.and_then(|native| native.observe(event)));
            }
        }
    }

    /// Takes the events of the clients, and sends their frames.
    fn send(&mut self) {
        for client in self.clients.values_mut() {
            let socket = client.socket;
            let (observed, frames) = client.take();
            self.observed.extend(observed);
            if frames.is_empty() {
                continue;
            }
            client.sent_at = self.now;
            if let Some(connection) = socket.and_then(|socket| self.connections.get(&socket)) {
                frames.into_iter().for_each(|frame| connection.send(frame));
            }
        }
    }

    /// Stops all sidecars, and replays what they have recorded.
    ///
    /// # Errors
    /// Returns a session that continues, or a difference.
    pub fn finish(&mut self) -> Result<(), String> {
        self.act(|sim| sim.sidecars.values().for_each(Sidecar::stop));
        self.sidecars.values().try_for_each(Sidecar::check)
    }
}

/// Sessions and their server refer to each other; the stop ends the sessions.
impl Drop for Sim {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.finish();
        }
    }
}

/// Returns a client's address: each client has its own, shared by its sockets.
fn peer(name: &str) -> IpAddr {
    let sum = name
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    IpAddr::from((0x0a00_0000 | (sum & 0x00ff_ffff)).to_be_bytes())
}
