//! `sigbridge serve`: start, serve, reload, drain, stop.

mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc::Receiver;
use tracing::{info, warn};

use crate::admin::Usage;
use crate::config;
use crate::config::{Config, Discovery, UpstreamKind};
use crate::log::Log;
use crate::reload::{Reloader, note_unreachable};
use crate::server::{ReloadRequest, Server};
use crate::startup::{Running, StartError, start};
use rtm::time::Time;
use runtime::net::{inherit, raise_descriptors, unclaimed};
use tables::Tables;

use crate::cli::Exit;
use crate::cli::check::{compile_tables, read_sources};
use crate::cli::config::load_or_default;
use crate::cli::exit::{Error, HELP};
use crate::cli::messages::stderr_is_terminal;
use crate::cli::process::{SighupStream, Stop, Stops, begin, failed, log_error, log_format};
use crate::cli::service_manager::ServiceManager;
use reload::ReloadFiles;

#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct ServeArgs {
    /// Config file [default: the defaults of config.example.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override the HTTP/WebSocket listen address; port 0 selects a free port. Without --config, this also disables
    /// the native listeners, so that a second sidecar can run on the same host
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Record sessions into this directory (docs/trace.md)
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Write the log as JSON lines
    #[arg(long)]
    log_json: bool,
}

/// Time limit for closing sockets at shutdown.
const STOP: Duration = Duration::from_secs(5);
/// The same after a second signal.
const STOP_AT_ONCE: Duration = Duration::from_millis(500);

pub fn run(args: &ServeArgs) -> Exit {
    // Before the first thread, because it changes the environment.
    let inherited = inherit();
    let begun = begin();
    let config = read_config(args);
    let log_config = config
        .as_ref()
        .map_or_else(|_| config::Log::default(), |config| config.log.clone());
    let log = Log::start(log_format(args.log_json), &log_config);
    let run = || {
        let (runtime, hangups) = begun?;
        let (config, texts) = (config?, read_sources(args.mappings.as_ref())?);
        let tables = compile_tables(&texts)?;
        let files = ReloadFiles::new(args.clone(), texts, raise_descriptors());
        let served = runtime.block_on(serve(config, tables, (files, hangups), (inherited, &log)));
        served.map_err(|error| failed(error.into()))
    };
    match run() {
        Ok(()) => Exit::Ok,
        Err(error) => log_error(&log, &error),
    }
}

fn read_config(args: &ServeArgs) -> Result<Config, Error> {
    let mut config = load_or_default(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.listen.http = listen;
        if args.config.is_none() {
            config.listen.tcp = None;
            config.listen.udp.clear();
        }
    }
    if let Some(folder) = &args.record {
        config.record.folder = Some(folder.clone());
    }
    Ok(config)
}

async fn serve(
    mut config: Config,
    tables: Tables,
    (mut files, mut hangups): (ReloadFiles, SighupStream),
    (inherited, log): (usize, &Log),
) -> Result<(), StartError> {
    fit_sockets(&mut config, files.descriptors());
    let mut stops = Stops::new().map_err(StartError::Signals)?;
    let running = start(config, tables).await?;
    announce(&running, log);
    note_inherited(inherited);
    let reloader = Reloader::new(&running);
    let server = running.server;
    let began = server.clock.now();
    let manager = ServiceManager::start();
    manager.ready();
    tokio::spawn(manager.clone().watch());
    let mut requests = server.reloads.requests();
    let stop = loop {
        let request = tokio::select! {
            stop = stops.next() => break stop,
            () = server.drain.begun() => break Stop::Terminate,
            () = hangups.next() => None,
            request = next(&mut requests) => Some(request),
        };
        manager.reloading();
        let outcome = files.reload(&server, &reloader, log).await;
        manager.ready();
        if let Some(request) = request {
            // Nobody may wait for it any more.
            let _ = request.send(outcome);
        }
    };
    manager.stopping();
    info!(sessions = server.registry.len(), "stopping");
    let end = async {
        if stop == Stop::Terminate {
            server.drain().await;
        }
        server.stop(STOP).await;
    };
    tokio::select! {
        () = end => {}
        _ = stops.next() => {
            warn!(connections = server.drain.connections(), "second signal: ending at once");
            tokio::select! {
                () = server.stop(STOP_AT_ONCE) => {}
                // A third one does not wait for the disk either.
                _ = stops.next() => {}
            }
        }
    }
    report_exit(&server, began);
    Ok(())
}

/// Logs the sockets of the service manager.
fn note_inherited(count: usize) {
    let unclaimed = unclaimed();
    if count > unclaimed.len() {
        info!(
            sockets = count - unclaimed.len(),
            "using sockets of the service manager"
        );
    }
    for addr in unclaimed {
        let hint = "set the same address in [listen], or remove it from the socket unit";
        warn!(%addr, hint, "a socket of the service manager has no address in the config; closed");
    }
}

/// Logs the totals of the process.
fn report_exit(server: &Server, began: Time) {
    let (set, coverage) = server.sets.coverage();
    let totals = Usage::totals(&coverage, &set.tables);
    let dropped = server.metrics.all_dropped();
    info!(
        seconds = server.clock.now().since(began).as_secs(),
        sessions = totals.sessions,
        calls = totals.calls,
        messages = totals.messages,
        events = totals.events,
        inexact = totals.inexact,
        dropped,
        "exit report"
    );
}

/// Waits for the next request of a reload.
async fn next(requests: &mut Option<Receiver<ReloadRequest>>) -> ReloadRequest {
    match requests.as_mut() {
        Some(requests) => match requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// File descriptors reserved for listeners, agents, the admin address and files.
const OTHER_DESCRIPTORS: usize = 64;

/// Lowers `[limits] sockets` to the descriptor limit of the process.
fn fit_sockets(config: &mut Config, descriptors: Option<usize>) {
    let Some(descriptors) = descriptors else { return };
    let enough = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(1);
    if config.limits.sockets > enough {
        warn!(
            descriptors,
            sockets = enough,
            hint = "raise the hard open-file limit (ulimit -Hn, LimitNOFILE=), or lower [limits] sockets",
            "[limits] sockets exceeds the open-file limit; using a lower value"
        );
        config.limits.sockets = enough;
    }
}

/// Logs each bound address and how to connect a client.
fn announce(running: &Running, log: &Log) {
    let addr = running.http;
    info!(%addr, "listening for HTTP lookup (GET /getaddr) and WebSocket clients");
    if let Some(addr) = running.tcp {
        info!(%addr, "listening for native clients");
    }
    for addr in &running.udp {
        info!(%addr, "listening for native lookups (UDP)");
    }
    if let Some(addr) = running.reports {
        info!(%addr, "discarding native login reports (UDP)");
    }
    if let Some(addr) = running.wss {
        info!(%addr, "listening for HTTP lookup and WebSocket clients on the second address");
    }
    if running.tls.acceptor().is_some() {
        info!("TLS enabled on the HTTP addresses, in addition to plain text");
        let ports = [Some(running.http.port()), running.wss.map(|addr| addr.port())];
        if let Some(port) = unserved_port(&running.server.config().discovery, running.http.port(), ports) {
            warn!(
                port,
                hint = "set [listen] wss to this port, set [discovery] advertise_host, or run a TLS proxy on this port",
                "lookup advertises a TLS port that is not listening"
            );
        }
    }
    if let Some(addr) = running.admin {
        info!(%addr, "listening for admin requests (/metrics, /livez, /readyz)");
    }
    announce_upstreams(running);
    note_unreachable(&running.server.config(), &running.server.tables());
    // Only for a terminal, not for log files.
    if stderr_is_terminal() {
        log.text(&format!(
            "\nTo connect a legacy Web client (1.4), call before its login:\n\n    \
             signal.setup_debugging('ap_url', 'ws://{addr}/');\n\nTo connect from a terminal:\n\n    \
             sigbridge call --url ws://{addr}/ --account alice\n\n"
        ));
    }
}

fn announce_upstreams(running: &Running) {
    let config = running.server.config();
    if config.apps.is_empty() && config.auth.certificate.is_none() {
        warn!("token verification is disabled: auth.certificate is not set");
    }
    for app in config.apps.iter().filter(|app| app.auth.certificate.is_none()) {
        warn!(
            app = app.id.as_str(),
            "token verification is disabled for this app: its certificate is not set"
        );
    }
    if config.uses(UpstreamKind::Embedded) {
        info!("using the embedded in-memory RTM backend (development only)");
    }
    if let Some(addr) = running.users {
        info!(%addr, "listening for clients of the embedded RTM");
    }
    if let Some(addr) = running.agents {
        info!(%addr, "waiting for RTM agents");
    }
}

/// Returns the TLS port that Web SDKs derive from `/getaddr`, if it is not in `ports` (signaling-wire 1.3).
fn unserved_port(discovery: &Discovery, bound: u16, ports: [Option<u16>; 2]) -> Option<u32> {
    let port = u32::from(discovery.advertise_port.unwrap_or(bound)) + 1;
    let is_served = ports.into_iter().flatten().any(|served| u32::from(served) == port);
    (discovery.advertise_host.is_none() && !is_served).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostPort;

    fn check(advertise_port: Option<u16>, advertise_host: Option<HostPort>, wss: Option<u16>, expected: Option<u32>) {
        let discovery = Discovery {
            advertise_port,
            advertise_host,
            ..Discovery::default()
        };
        assert_eq!(unserved_port(&discovery, 8001, [Some(8001), wss]), expected);
    }

    #[test]
    fn no_more_sockets_are_served_than_there_are_descriptors() {
        for (descriptors, expected) in [
            (None, 10_000),
            (Some(1_000_000), 10_000),
            (Some(10_064), 10_000),
            (Some(256), 192),
            (Some(10), 1),
        ] {
            let mut config = Config::default();
            fit_sockets(&mut config, descriptors);
            assert_eq!(config.limits.sockets, expected, "{descriptors:?}");
        }
    }

    #[test]
    fn web_sdks_find_tls_on_the_port_above() {
        let host = || {
            Some(HostPort {
                host: "bridge.example.com".into(),
                port: 8443,
            })
        };
        check(None, None, Some(8002), None);
        check(None, None, Some(8443), Some(8002));
        check(None, None, None, Some(8002));
        check(None, host(), Some(8443), None);
        check(Some(8000), None, None, None);
        check(Some(80), None, Some(81), None);
        check(Some(80), None, Some(8002), Some(81));
        check(Some(65534), None, None, Some(65535));
    }
}
