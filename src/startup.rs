//! The start of a server: bind, join the parts, set the tasks going.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Metrics, serve_admin};
use crate::config::Config;
use crate::server::http::{Front, serve_http};
use crate::server::native_listener::serve_tcp;
use crate::server::tls::{Tls, watch_files};
use crate::server::udp::UdpSockets;
use crate::upstream::RestError;
use crate::webhook::Webhooks;
use agent_link::driver::Driver;
use identity::access_token::BadProject;
use protocol::encoders;
use rtm::AppId;
use runtime::net;
use runtime::net::Shortages;
use tables::Tables;

use crate::server::Server;
use crate::upstream::start_upstreams;
use runtime::clock::Clock;

/// A server that serves.
pub struct Running {
    /// What its sessions and sockets share; [`Server::stop`] ends it.
    pub server: Arc<Server>,
    /// The address that legacy clients come in at.
    pub http: SocketAddr,
    /// The address that native clients come in at, when the config has one.
    pub tcp: Option<SocketAddr>,
    /// The addresses that native clients ask at, in the order of the config.
    pub udp: Vec<SocketAddr>,
    /// The address at which native clients' login reports vanish, when the config has one.
    pub reports: Option<SocketAddr>,
    /// The second address of the same service, when the config has one.
    pub wss: Option<SocketAddr>,
    /// The certificate of both, when the config has one.
    pub tls: Option<Arc<Tls>>,
    /// The admin address, when the config has one.
    pub admin: Option<SocketAddr>,
    /// The address that agents come in at, when an app has its RTM there.
    pub agents: Option<SocketAddr>,
    /// The address that users of the embedded RTM come in at, when the config has one.
    pub users: Option<SocketAddr>,
    /// The link to agents, when an app has its RTM there.
    pub driver: Option<Arc<Driver>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, not this machine's, or not for this user.
    #[error("cannot listen on {addr}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody took the wire out of the tables.
    #[error("the tables have no wire for a profile")]
    NoWire,
    /// The file with what an earlier process has left is there, but cannot be read and removed.
    #[error("cannot take up the messages of [mailbox] file")]
    Mailbox(#[source] io::Error),
    /// The folder of traces cannot be made or written.
    #[error("cannot record to [record] folder")]
    Record(#[source] io::Error),
    /// The system has no randomness for the key of session lines.
    #[error("cannot make a key for session lines")]
    Random(#[from] getrandom::Error),
    /// The RESTful API cannot be asked.
    #[error("cannot use [upstream.rest]")]
    Rest(#[from] RestError),
    /// RTM would take no token of an app.
    #[error("cannot make tokens of RTM for the app {app}")]
    Token {
        /// The app.
        app: AppId,
        /// Why.
        source: BadProject,
    },
    /// The library takes no certificate at all.
    #[error("cannot set TLS up")]
    Tls(#[from] rustls::Error),
}

/// Starts a server; in a tokio runtime.
///
/// # Errors
/// [`StartError`]; nothing is left listening then.
pub async fn start(config: Config, tables: Tables) -> Result<Running, StartError> {
    let (http, http_addr) = bind(config.listen.http)?;
    let tcp = match config.listen.tcp {
        Some(addr) => Some(bind(addr)?),
        None => None,
    };
    let tcp_port = tcp.as_ref().map(|(_, addr)| addr.port());
    let udp = UdpSockets::bind(&config, tcp_port).await;
    let udp = udp.map_err(|(addr, source)| StartError::Bind { addr, source })?;
    let wss = match config.listen.wss {
        Some(addr) => Some(bind(addr)?),
        None => None,
    };
    let tls = match &config.tls {
        Some(tls) => Some(Arc::new(Tls::new(tls)?)),
        None => None,
    };
    let admin = match config.admin.listen {
        Some(addr) => Some(bind(addr)?),
        None => None,
    };
    let tables = Arc::new(tables);
    let encoders = encoders(&tables).ok_or(StartError::NoWire)?;
    let clock = Clock::start();
    let strain = Arc::new(Shortages::new(clock));
    let mut metrics = Metrics::new();
    metrics.lacks(&strain);
    let metrics = Arc::new(metrics);
    let webhooks = Arc::new(Webhooks::start(&config.webhook, clock, metrics.clone())?);
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let told = (&metrics, &webhooks, &strain);
    let upstreams = start_upstreams(&config, &tables, told, clock, &tasks, &shutdown).await?;
    let guard = shutdown.clone().drop_guard();
    let upstream = (upstreams.upstream, upstreams.driver.clone(), upstreams.redis);
    let server = Server::new(
        config,
        tables,
        encoders,
        upstream,
        clock,
        (metrics, webhooks, strain),
        (tasks, shutdown),
    )?;
    // First, so that `/readyz` reports the start.
    let admin = admin.map(|(listener, addr)| {
        server.admin.tasks.spawn(serve_admin(server.clone(), listener));
        addr
    });
    server.load_lines().map_err(StartError::Mailbox)?;
    if server.config.record.folder.is_some() {
        server.record().await.map_err(StartError::Record)?;
    }
    // These work until no session is left, so they are not waited for.
    tokio::spawn(server.runs.clone().work(server.ended.clone()));
    tokio::spawn(server.timers.clone().work(server.clock, server.ended.clone()));
    let tasks = &server.tasks;
    tasks.spawn(server.clone().sweep());
    let tcp = tcp.map(|(listener, addr)| {
        tasks.spawn(serve_tcp(server.clone(), listener));
        addr
    });
    let (udp, reports) = udp.serve(&server);
    let front = Front::new(server.clone(), tls.clone(), http_addr.port());
    tasks.spawn(serve_http(front.clone(), http));
    let wss = wss.map(|(listener, addr)| {
        tasks.spawn(serve_http(front, listener));
        addr
    });
    if let Some(tls) = &tls {
        tasks.spawn(watch_files(server.clone(), tls.clone()));
    }
    server.started.set();
    guard.disarm();
    Ok(Running {
        server,
        http: http_addr,
        tcp,
        udp,
        reports,
        wss,
        tls,
        admin,
        agents: upstreams.agents,
        users: upstreams.users,
        driver: upstreams.driver,
    })
}

/// Binds an address; the real one comes with it.
pub(super) fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    net::bind(addr).map_err(|source| StartError::Bind { addr, source })
}
