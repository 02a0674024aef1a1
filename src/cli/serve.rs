//! `sigbridge serve`: the story of a start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Discovery, UpstreamKind};
use crate::mapping::Tables;
use crate::net::raise_descriptors;
use crate::shell::{Running, start};

use super::check::load_tables;
use super::exit::{HELP, tell};
use super::{Exit, color};

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

/// How long sockets may take to close at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
pub fn run(args: &ServeArgs) -> Exit {
    start_log(args.log_json);
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => match Config::load(path) {
            Ok(config) => config,
            Err(diags) => {
                eprintln!("{}", diags.render(color()));
                tell("the config is wrong", Some("config.example.toml shows every key"));
                return Exit::Usage;
            }
        },
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
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    match serve(config, tables) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            tell(format_args!("{error:#}"), None);
            Exit::Failed
        }
    }
}

/// Logs to stderr, by RUST_LOG.
pub(super) fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color());
    if json {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
}

/// Descriptors that are not for the sockets of clients: listeners, agents, the admin address, files.
const OTHER_DESCRIPTORS: usize = 64;

/// Lets the process have as many descriptors as the system allows, and no more sockets than that is enough for.
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

fn serve(mut config: Config, tables: Tables) -> anyhow::Result<()> {
    fit_sockets(&mut config, raise_descriptors());
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let running = start(config, tables).await?;
        #[cfg(unix)]
        reload_at_hangup(&running)?;
        announce(&running);
        told_to_stop().await;
        let server = running.server;
        info!(sessions = server.registry.len(), "stopping");
        server.stop(DRAIN).await;
        Ok(())
    })
}

/// Each bound address, and how to point a client at it.
fn announce(running: &Running) {
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
        info!(%addr, "serving /metrics and /healthz");
    }
    announce_upstreams(running);
    eprintln!(
        "\nPoint a legacy Web client (1.4) here, before its login:\n\n    \
         signal.setup_debugging('ap_url', 'ws://{addr}/');\n\nor talk from a terminal:\n\n    \
         sigbridge call --url ws://{addr}/ --account alice\n"
    );
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

/// With a certificate, SIGHUP does not end the process: it has the certificate read again.
#[cfg(unix)]
fn reload_at_hangup(running: &Running) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    if let Some(tls) = running.tls.clone() {
        let mut hangups = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        let server = running.server.clone();
        running.server.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = server.shutdown.cancelled() => return,
                    _ = hangups.recv() => crate::front::tls::reload(&server, &tls).await,
                }
            }
        });
    }
    Ok(())
}

/// Until SIGINT or SIGTERM.
pub(super) async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
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
