//! Start of a server: addresses, shared state, tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Metrics, serve_admin};
use crate::config::Config;
use crate::otel::Tracer;
use crate::server::http::{ListenerContext, serve_http};
use crate::server::native_listener::serve_tcp;
use crate::server::tls::{Tls, watch_files};
use crate::server::udp::UdpSockets;
pub use crate::start_error::StartError;
use crate::webhook::Webhooks;
use agent_link::driver::Driver;
use runtime::net::Shortages;
use tables::Tables;

use crate::server::{Server, TableSet};
use crate::upstream::rtm_tokens::AppTokens;
use crate::upstream::start_upstreams;
use runtime::clock::Clock;

/// Running server.
pub struct Running {
    /// Shared state; [`Server::stop`] stops the server.
    pub server: Arc<Server>,
    /// HTTP address of legacy clients.
    pub http: SocketAddr,
    /// TCP address of native clients, if configured.
    pub tcp: Option<SocketAddr>,
    /// UDP addresses for lookups of native clients, in the order of the config.
    pub udp: Vec<SocketAddr>,
    /// UDP address that discards login reports of native clients, if configured.
    pub reports: Option<SocketAddr>,
    /// Second HTTP address, if configured.
    pub wss: Option<SocketAddr>,
    /// Certificate of both HTTP addresses.
    pub tls: Arc<Tls>,
    /// Admin address, if configured.
    pub admin: Option<SocketAddr>,
    /// RTM tokens of agents, if an app uses them.
    pub tokens: Option<Arc<AppTokens>>,
    /// Address for agent servers, if an app uses them.
    pub agents: Option<SocketAddr>,
    /// Address for users of the embedded RTM, if configured.
    pub users: Option<SocketAddr>,
    /// Driver of agent links, if an app uses them.
    pub driver: Option<Arc<Driver>>,
}

/// Longest wait of the start for the key of session lines that sidecars on one Redis share.
const LINE_KEY_WAIT: Duration = Duration::from_secs(1);

/// Starts a server in the current tokio runtime.
///
/// # Errors
/// [`StartError`]; then all addresses are closed.
pub async fn start(config: Config, tables: Tables) -> Result<Running, StartError> {
    start_with(config, tables, Clock::start()).await
}

/// Starts a server with a clock.
///
/// # Errors
/// As [`start`].
pub async fn start_with(config: Config, tables: Tables, clock: Clock) -> Result<Running, StartError> {
    let (http, http_addr) = StartError::bind(config.listen.http)?;
    let tcp = match config.listen.tcp {
        Some(addr) => Some(StartError::bind(addr)?),
        None => None,
    };
    let tcp_port = tcp.as_ref().map(|(_, addr)| addr.port());
    let udp = UdpSockets::bind(&config, tcp_port).await;
    let udp = udp.map_err(|(addr, source)| StartError::Bind { addr, source })?;
    let wss = match config.listen.wss {
        Some(addr) => Some(StartError::bind(addr)?),
        None => None,
    };
    let tls = Arc::new(Tls::new(config.tls.as_ref())?);
    let admin = match config.admin.listen {
        Some(addr) => Some(StartError::bind(addr)?),
        None => None,
    };
    let tables = Arc::new(tables);
    let set = TableSet::new(tables.clone()).ok_or(StartError::NoWire)?;
    let shortages = Arc::new(Shortages::new(clock));
    let mut metrics = Metrics::new();
    metrics.lacks(&shortages);
    metrics.begin_tables(&tables);
    let metrics = Arc::new(metrics);
    let webhooks = Arc::new(Webhooks::start(&config.webhook, clock, metrics.clone())?);
    let tracer = Arc::new(Tracer::start(&config.otel, clock, &metrics)?);
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let shared = (&metrics, &webhooks, &shortages);
    let upstreams = start_upstreams(&config, &tables, shared, clock, &tasks, &shutdown).await?;
    let guard = shutdown.clone().drop_guard();
    let upstream = (upstreams.upstream, upstreams.driver.clone(), upstreams.redis);
    let server = Server::new(
        config,
        set,
        upstream,
        clock,
        (metrics, webhooks, shortages, tracer),
        (tasks, shutdown),
    )?;
    // First, so that `/readyz` reports the start.
    let admin = admin.map(|(listener, addr)| {
        server.admin.tasks.spawn(serve_admin(server.clone(), listener));
        addr
    });
    server.load_lines().map_err(StartError::Mailbox)?;
    server.usage_keeper.load();
    if server.config().record.folder.is_some() {
        server.record().await.map_err(StartError::Record)?;
    }
    server.run_sessions();
    // Lines of the first logins should be valid at all sidecars.
    let shares = tokio::spawn(server.clone().share_line_key());
    let _ = timeout(LINE_KEY_WAIT, shares).await;
    let tasks = &server.tasks;
    let tcp = tcp.map(|(listener, addr)| {
        tasks.spawn(serve_tcp(server.clone(), listener));
        addr
    });
    let (udp, reports) = udp.serve(&server);
    let front = ListenerContext::new(server.clone(), tls.clone(), http_addr.port());
    tasks.spawn(serve_http(front.clone(), http));
    let wss = wss.map(|(listener, addr)| {
        tasks.spawn(serve_http(front, listener));
        addr
    });
    tasks.spawn(watch_files(server.clone(), tls.clone()));
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
        tokens: upstreams.tokens,
        agents: upstreams.agents,
        users: upstreams.users,
        driver: upstreams.driver,
    })
}
