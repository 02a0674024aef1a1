//! A load of legacy Web clients for a server on the loopback interface. Prints its figures as one line of JSON.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sigbridge_bench::load::{fanout, idle, peer, slow, storm};
use sigbridge_bench::net::Net;
use sigbridge_bench::process::{self, Process};
use sigbridge_bench::wire::{self, Writer};

/// Load legacy Web clients onto a server, or onto an echo behind a proxy
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    load: Load,
    /// Where the server is, or several, which get clients in turn; loopback only
    #[arg(long, global = true, value_delimiter = ',', default_value = "127.0.0.1:8001")]
    address: Vec<SocketAddr>,
    /// The processes whose CPU time and memory are measured, with their children
    #[arg(long, global = true, value_delimiter = ',')]
    pid: Vec<u32>,
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
    let process = (!args.pid.is_empty()).then(|| Process::find(&args.pid)).transpose()?;
    let process = process.as_ref();
    let figures = match &args.load {
        Load::Peer(load) => peer::run(&mut net, process, load),
        Load::Fanout(load) => fanout::run(&mut net, process, load),
        Load::Storm(load) => storm::run(&mut net, process, load),
        Load::Idle(load) => idle::run(&mut net, process, load),
        Load::Slow(load) => slow::run(&mut net, process, load),
    };
    if let Some(trouble) = &net.trouble {
        eprintln!("{trouble}");
    }
    println!("{}", serde_json::to_string(&figures?)?);
    Ok(())
}
