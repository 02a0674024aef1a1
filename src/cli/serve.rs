//! `sigbridge serve`: the story of a start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tracing::{info, warn};

use crate::config;
use crate::config::{Config, Discovery, UpstreamKind};
use crate::log::Log;
use crate::server::Server;
use crate::server::tls::Tls;
use crate::startup::{Running, StartError, start};
use runtime::net::raise_descriptors;
use tables::Tables;

use crate::cli::Exit;
use crate::cli::check::read_tables;
use crate::cli::config::load;
use crate::cli::exit::{HELP, Trouble};
use crate::cli::output::stderr_is_terminal;
use crate::cli::process::{Hangups, begin, failed, log_format, log_trouble, told_to_stop};

/// What `serve` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ServeArgs {
    /// The config file; without one, the defaults of config.example.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen here for HTTP and WebSockets instead of where the config says; port 0 takes any free one. Without a
    /// config, native clients are then not served, so that a second sidecar finds its ports free
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Record sessions into this folder (docs/trace.md)
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Log as JSON lines
    #[arg(long)]
    log_json: bool,
}

/// The hint for a config file that does not exist.
const NO_CONFIG: &str = "config.example.toml is one to begin with; without --config all keys have their defaults";

/// How long sockets may take to close at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
pub fn run(args: &ServeArgs) -> Exit {
    let begun = begin();
    let config = read_config(args);
    let log_config = config
        .as_ref()
        .map_or_else(|_| config::Log::default(), |config| config.log.clone());
    let log = Log::start(log_format(args.log_json), &log_config);
    let run = || {
        let (runtime, hangups) = begun?;
        let (config, tables) = (config?, read_tables(args.mappings.as_ref())?);
        let served = runtime.block_on(serve(config, tables, hangups, &log));
        served.map_err(|error| failed(error.into()))
    };
    match run() {
        Ok(()) => Exit::Ok,
        Err(trouble) => log_trouble(&log, &trouble),
    }
}

fn read_config(args: &ServeArgs) -> Result<Config, Trouble> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => load(path, Config::load, NO_CONFIG)?,
    };
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

async fn serve(mut config: Config, tables: Tables, mut hangups: Hangups, log: &Log) -> Result<(), StartError> {
    fit_sockets(&mut config, raise_descriptors());
    let running = start(config, tables).await?;
    announce(&running, log);
    let server = running.server;
    tokio::select! {
        () = told_to_stop() => {}
        () = hangups.each(|| reload(&server, running.tls.as_ref())) => {}
    }
    info!(sessions = server.registry.len(), "stopping");
    server.stop(DRAIN).await;
    Ok(())
}

/// SIGHUP does not end the process. What can be read anew is read anew; the log says what that is.
async fn reload(server: &Server, tls: Option<&Arc<Tls>>) {
    let hint = "the config and the tables are read at a start only";
    match tls {
        Some(tls) => {
            info!(hint, "SIGHUP: the certificate is read again, and nothing else");
            crate::server::tls::reload(server, tls).await;
        }
        None => info!(hint, "SIGHUP: nothing is read again, since there is no [tls]"),
    }
}

/// Descriptors that are not for the sockets of clients: listeners, agents, the admin address, files.
const OTHER_DESCRIPTORS: usize = 64;

/// Lowers `[limits] sockets` to what the process has descriptors for.
fn fit_sockets(config: &mut Config, descriptors: Option<usize>) {
    let Some(descriptors) = descriptors else { return };
    let enough = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(1);
    if config.limits.sockets > enough {
        warn!(
            descriptors,
            sockets = enough,
            hint = "raise the hard limit of open files (ulimit -Hn, LimitNOFILE=), or lower [limits] sockets",
            "fewer sockets are served than [limits] sockets: each takes a file descriptor"
        );
        config.limits.sockets = enough;
    }
}

/// Each bound address, and how to point a client at it.
fn announce(running: &Running, log: &Log) {
    let addr = running.http;
    info!(%addr, "serving legacy clients: GET /getaddr, and WebSocket on any path");
    if let Some(addr) = running.tcp {
        info!(%addr, "serving native clients");
    }
    for addr in &running.udp {
        info!(%addr, "telling native clients where to connect to, by UDP");
    }
    if let Some(addr) = running.reports {
        info!(%addr, "swallowing native clients' login reports, by UDP");
    }
    if let Some(addr) = running.wss {
        info!(%addr, "serving the same here");
    }
    if running.tls.is_some() {
        info!("serving TLS beside plain text on each of them");
        let ports = [Some(running.http.port()), running.wss.map(|addr| addr.port())];
        if let Some(port) = unserved_port(&running.server.config.discovery, running.http.port(), ports) {
            warn!(
                port,
                hint = "set [listen] wss to that port, or advertise_host; or have a proxy listen there",
                "Web SDKs are sent to a port by TLS that is not one of these"
            );
        }
    }
    if let Some(addr) = running.admin {
        info!(%addr, "serving /metrics, /livez and /readyz");
    }
    announce_upstreams(running);
    // For people: neither a program nor a file has use for it.
    if stderr_is_terminal() {
        log.text(&format!(
            "\nPoint a legacy Web client (1.4) here, before its login:\n\n    \
             signal.setup_debugging('ap_url', 'ws://{addr}/');\n\nor talk from a terminal:\n\n    \
             sigbridge call --url ws://{addr}/ --account alice\n\n"
        ));
    }
}

fn announce_upstreams(running: &Running) {
    let config = &running.server.config;
    if config.apps.is_empty() && config.auth.certificate.is_none() {
        warn!("any token passes: [auth] has no certificate");
    }
    for app in config.apps.iter().filter(|app| app.auth.certificate.is_none()) {
        warn!(
            app = app.id.as_str(),
            "any token passes: this [[app]] has no certificate"
        );
    }
    if config.uses(UpstreamKind::Embedded) {
        info!("RTM is the embedded one, for development: nothing of it outlives this process");
    }
    if let Some(addr) = running.users {
        info!(%addr, "serving the embedded RTM to its users, by the agent link");
    }
    if let Some(addr) = running.agents {
        info!(%addr, "RTM is where an agent is, which comes in here");
    }
}

/// The port that the Web SDKs make of the answer of `/getaddr`, when it is not one of `ports` (signaling-wire 1.3).
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
