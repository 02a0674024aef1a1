//! A load of legacy Web clients for a server on the loopback interface. Prints its figures as one line of JSON.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sigbridge_bench::load::{Target, drain, fanout, idle, peer, sessions, slow, storm};
use sigbridge_bench::net::Net;
use sigbridge_bench::process::{self, Process};
use sigbridge_bench::redis::Monitor;
use sigbridge_bench::wire::{self, Writer};

/// Load legacy Web clients onto a server, or onto an echo behind a proxy
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    load: Load,
    /// Address of the server, or several, which get clients in turn; loopback only
    #[arg(long, global = true, value_delimiter = ',', default_value = "127.0.0.1:8001")]
    address: Vec<SocketAddr>,
    /// The processes whose CPU time and memory are measured, with their children
    #[arg(long, global = true, value_delimiter = ',')]
    pid: Vec<u32>,
    /// Processes whose CPU time is a figure of its own, such as Redis
    #[arg(long, global = true, value_delimiter = ',')]
    beside: Vec<u32>,
    /// The Redis of the server
    #[arg(long, global = true)]
    redis: Option<SocketAddr>,
    /// Count the commands that Redis receives, by MONITOR: other figures of this run are then higher
    #[arg(long, global = true, requires = "redis")]
    commands: bool,
    /// The admin address of the server
    #[arg(long, global = true)]
    admin: Option<SocketAddr>,
    /// The core that the load runs on
    #[arg(long, global = true)]
    core: Option<usize>,
    /// The other end sends each frame back: no logins, and latency is that of the round trip
    #[arg(long, global = true)]
    echo: bool,
    /// Bytes of a message's content
    #[arg(long, global = true, default_value_t = 200, value_parser = clap::value_parser!(u16).range(wire::SHORTEST as i64..=8000))]
    bytes: u16,
    /// Contents are JSON, as many apps have them
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Load {
    /// Peer messages at a fixed rate, or as fast as they are served
    Peer(peer::Args),
    /// One sender, a channel of many members
    Fanout(fanout::Args),
    /// Many logins at once
    Storm(storm::Args),
    /// Memory of clients that only ping
    Idle(idle::Args),
    /// One member of a channel stops reading
    Slow(slow::Args),
    /// The list of sessions of the admin address
    Sessions(sessions::Args),
    /// SIGTERM; closed clients log in at the second address
    Drain(drain::Args),
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    process::raise_files();
    if let Some(core) = args.core {
        process::pin(core)?;
    }
    let writer = Writer::new(args.bytes.into(), args.json);
    let mut net = Net::new(args.address.clone(), args.echo, writer)?;
    let find = |pids: &[u32]| (!pids.is_empty()).then(|| Process::find(pids)).transpose();
    let mut target = Target {
        process: find(&args.pid)?,
        beside: find(&args.beside)?,
        redis: args.redis,
        admin: args.admin,
        monitor: args.redis.filter(|_| args.commands).map(Monitor::start).transpose()?,
    };
    let figures = match &args.load {
        Load::Peer(load) => peer::run(&mut net, &target, load),
        Load::Fanout(load) => fanout::run(&mut net, &target, load),
        Load::Storm(load) => storm::run(&mut net, &target, load),
        Load::Idle(load) => idle::run(&mut net, &target, load),
        Load::Slow(load) => slow::run(&mut net, &target, load),
        Load::Sessions(load) => sessions::run(&mut net, &target, load),
        Load::Drain(load) => drain::run(&mut net, &target, load),
    };
    if let Some(monitor) = target.monitor.take() {
        monitor.stop();
    }
    if let Some(trouble) = &net.trouble {
        eprintln!("{trouble}");
    }
    println!("{}", serde_json::to_string(&figures?)?);
    Ok(())
}
