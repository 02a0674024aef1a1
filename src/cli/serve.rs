//! `sigbridge serve`: the story of a start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::mapping::Tables;
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
    /// Listen here instead of where the config says; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
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

fn start_log(json: bool) {
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

fn serve(config: Config, tables: Tables) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let running = start(config, tables).await?;
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
    for addr in &running.udp {
        info!(%addr, "telling native clients where to connect to, by UDP");
    }
    if let Some(addr) = running.reports {
        info!(%addr, "swallowing native clients' login reports, by UDP");
    }
    if let Some(addr) = running.admin {
        info!(%addr, "serving /metrics and /healthz");
    }
    if running.server.config.auth.certificate.is_none() {
        warn!("any token passes: [auth] has no certificate");
    }
    info!("RTM is the embedded one, for development: nothing of it outlives this process");
    eprintln!(
        "\nPoint a legacy Web client (1.4) here, before its login:\n\n    \
         signal.setup_debugging('ap_url', 'ws://{addr}/');\n\nor talk from a terminal:\n\n    \
         sigbridge call --url ws://{addr}/ --account alice\n"
    );
}

async fn told_to_stop() {
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
