//! `sigbridge agent`: processes that provide RTM to a sigbridge server.

mod files;
mod settings;
mod web;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config;
use crate::config::SECRET_HINT;
use crate::log::Log;
use crate::upstream::EmbeddedUpstream;
use agent_link::agent_server::{AgentServer, AgentServerConfig, serve_driver};
use agent_link::handshake::{Limits, random_name};
use agent_link::openrpc::document;
use agent_link::vocabulary::Vocabulary;
use rtm_embedded::{RateTable, RtmServiceConfig};
use runtime::clock::Clock;
use tables::Tables;
use tables::platform::Platform;
use text_files::{one_line, read_text};

use crate::cli::Exit;
use crate::cli::check::{load_tables, read_tables};
use crate::cli::exit::{Error, HELP};
use crate::cli::output::data;
use crate::cli::process::{SighupStream, begin, failed, log_error, log_format, shutdown_signal};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct AgentArgs {
    #[command(subcommand)]
    kind: AgentKind,
}

#[derive(Debug, Subcommand)]
enum AgentKind {
    /// Run an agent on the embedded RTM, for tests and development
    Embedded(EmbeddedArgs),
    /// Run RTM's Web SDK in a headless Chromium; requires Node 20.11, npm and Chromium
    Web(web::WebArgs),
    /// Print the agent link's methods as an OpenRPC document
    Openrpc(OpenrpcArgs),
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
struct OpenrpcArgs {
    /// RTM SDK platform of the document; a table of mappings/platforms
    #[arg(long, value_name = "NAME", default_value = "flutter")]
    platform: String,
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
struct EmbeddedArgs {
    /// URL of the server's agent address, `[upstream.agent] listen`
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8010/agent")]
    url: String,
    /// File with the secret of `[upstream.agent]`
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// RTM SDK platform to emulate; a table of mappings/platforms
    #[arg(long, value_name = "NAME", default_value = "flutter")]
    platform: String,
    /// RTM rate limits to apply
    #[arg(long, value_name = "web|linux", default_value = "web")]
    limits: String,
    /// Multiplier for RTM's rate limits
    #[arg(long, value_name = "N", default_value_t = 1)]
    rate_scale: u32,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Write the log as JSON lines
    #[arg(long)]
    log_json: bool,
}

pub fn run(args: &AgentArgs) -> Exit {
    match &args.kind {
        AgentKind::Web(args) => web::run(args),
        AgentKind::Openrpc(args) => openrpc(args),
        AgentKind::Embedded(args) => {
            let begun = begin();
            // Library logs need a config key, and this command reads no config.
            let log = Log::start(log_format(args.log_json), &config::Log::default());
            let run = || {
                let (runtime, hangups) = begun?;
                let tables = read_tables(args.mappings.as_ref())?;
                runtime.block_on(embedded(args, &tables, hangups)).map_err(failed)
            };
            match run() {
                Ok(()) => Exit::Ok,
                Err(error) => log_error(&log, &error),
            }
        }
    }
}

fn openrpc(args: &OpenrpcArgs) -> Exit {
    let tables = match load_tables(None) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    match platform(&tables, &args.platform) {
        Ok(platform) => data(&document(&Vocabulary::new(platform)), Exit::Ok),
        Err(error) => Error::usage(format_args!("{error:#}")).print(),
    }
}

fn platform<'t>(tables: &'t Tables, name: &str) -> anyhow::Result<&'t Platform> {
    let platform = tables.platforms.iter().find(|platform| &*platform.name == name);
    platform.with_context(|| {
        let known: Vec<&str> = tables.platforms.iter().map(|platform| &*platform.name).collect();
        format!("unknown platform `{name}`; known platforms: {}", known.join(", "))
    })
}

async fn embedded(args: &EmbeddedArgs, tables: &Tables, mut hangups: SighupStream) -> anyhow::Result<()> {
    let platform = platform(tables, &args.platform)?;
    let (limits, rates) = match args.limits.as_str() {
        "web" => (Limits::Web, RateTable::WEB),
        "linux" => (Limits::Linux, RateTable::LINUX),
        other => bail!("invalid --limits `{other}`; expected web or linux"),
    };
    let secret = match &args.secret_file {
        Some(path) => {
            let text = read_text(path).with_context(|| format!("cannot read {}", path.display()))?;
            let secret = one_line(&text).map_err(|not_one| anyhow!("{} {not_one}: {SECRET_HINT}", path.display()))?;
            Some(SecretString::from(secret))
        }
        None => None,
    };
    let clock = Clock::start();
    let service = RtmServiceConfig {
        rate_scale: args.rate_scale,
        rates,
        ..RtmServiceConfig::default()
    };
    let shutdown = CancellationToken::new();
    let local = EmbeddedUpstream::new(service, clock);
    tokio::spawn(local.clone().run(shutdown.clone()));
    let config = AgentServerConfig {
        sdk: ("sigbridge-embedded".into(), env!("CARGO_PKG_VERSION").into()),
        limits,
    };
    let host = AgentServer::new(
        random_name()?,
        config,
        Arc::new(Vocabulary::new(platform)),
        local,
        clock,
    );
    tokio::select! {
        () = serve_driver(host, &args.url, secret.as_ref(), shutdown.clone()) => {}
        () = shutdown_signal() => shutdown.cancel(),
        () = hangups.each(async || info!("SIGHUP ignored: nothing to reload")) => {}
    }
    Ok(())
}
