//! A small load: what a peer message costs a running `sigbridge serve`, and what idle clients weigh.
//!
//! `cargo run --release --example load -- --pid PID [--url ws://127.0.0.1:8001/] [--idle 1000] [--pairs 50] [--seconds 8]`
//!
//! Reads the CPU time and the memory of the process from Linux's /proc. The load is bounded in count and time, and goes
//! to the loopback interface only.

#![expect(clippy::print_stdout, reason = "what it measures is for people")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use sigbridge::client::{Connection, LegacyClient, Login, Output};
use sigbridge::mapping::Tables;
use sigbridge::value::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

#[derive(Debug, Parser)]
struct Args {
    /// The process to measure
    #[arg(long)]
    pid: u32,
    /// Where it serves; loopback only
    #[arg(long, default_value = "ws://127.0.0.1:8001/")]
    url: String,
    /// Idle clients
    #[arg(long, default_value_t = 1000)]
    idle: u32,
    /// Pairs of clients, one of which sends to the other
    #[arg(long, default_value_t = 50)]
    pairs: u32,
    /// Messages a second of each pair, below the bridge's own limit of 60
    #[arg(long, default_value_t = 40)]
    rate: u32,
    /// Messages are JSON, as many apps have them
    #[arg(long)]
    json: bool,
    /// How long the pairs talk
    #[arg(long, default_value_t = 8)]
    seconds: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.url.starts_with("ws://127."),
        "loads go to the loopback interface only"
    );
    let tables = Arc::new(Tables::built_in().map_err(|diags| anyhow::anyhow!("{diags}"))?);

    let before = resident(args.pid)?;
    let mut idle = Vec::new();
    for n in 0..args.idle {
        idle.push(connect(&args, &tables, &format!("idle{n}")).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident(args.pid)?;
    println!(
        "resident      {before} KiB, with {} idle clients {after} KiB",
        args.idle
    );
    println!(
        "per client    {:.1} KiB",
        (after.saturating_sub(before)) as f64 / f64::from(args.idle.max(1))
    );
    drop(idle);

    let mut pairs = Vec::new();
    for n in 0..args.pairs {
        let receiver = connect(&args, &tables, &format!("to{n}")).await?;
        pairs.push((
            connect(&args, &tables, &format!("from{n}")).await?,
            receiver,
            format!("to{n}"),
        ));
    }
    let (cpu, begun) = (cpu_time(args.pid)?, Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for (sender, receiver, to) in pairs {
        tasks.spawn(send(sender, to, args.json, args.rate, args.seconds));
        tasks.spawn(receive(receiver, args.seconds + 1));
    }
    let (mut sent, mut received) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        match done?? {
            Count::Sent(n) => sent += n,
            Count::Received(n) => received += n,
        }
    }
    let used = cpu_time(args.pid)? - cpu;
    println!(
        "sent          {sent} messages in {:.1} s, {received} received",
        begun.elapsed().as_secs_f64()
    );
    println!(
        "CPU           {:.1} µs for each message, from call to acknowledgement",
        used as f64 / 1000.0 / f64::from(sent.max(1))
    );
    Ok(())
}

enum Count {
    Sent(u32),
    Received(u32),
}

async fn connect(args: &Args, tables: &Arc<Tables>, account: &str) -> anyhow::Result<Connection> {
    let wire = tables.wire("web").context("the web wire")?.clone();
    let login = Login {
        vid: "load".into(),
        account: account.into(),
        token: "".into(),
    };
    let client = LegacyClient::new(tables.clone(), wire, login);
    Connection::login(&args.url, client)
        .await
        .with_context(|| format!("{account} cannot log in"))
}

async fn send(mut connection: Connection, to: String, json: bool, rate: u32, seconds: u64) -> anyhow::Result<Count> {
    let mut tick = interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sent = 0;
    while Instant::now() < end {
        tick.tick().await;
        // 200 bytes, each time others: who remembers texts is not to gain by it.
        let text = if json {
            format!("{{\"type\":\"chat\",\"id\":{sent},\"to\":\"{to}\",\"text\":\"{sent:-<140} to {to:->10}\"}}")
        } else {
            format!("{sent:-<170} to {to:->26}")
        };
        let args = [
            ("account".into(), Value::text(to.as_str())),
            ("msg".into(), Value::text(text)),
        ];
        let reply = connection.call("messageInstantSend", &args).await?;
        if let Err(reason) = reply.result {
            bail!("refused: {reason}");
        }
        sent += 1;
    }
    Ok(Count::Sent(sent))
}

async fn receive(mut connection: Connection, seconds: u64) -> anyhow::Result<Count> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut received = 0;
    while let Ok(output) = tokio::time::timeout_at(end, connection.next()).await {
        match output {
            Some(Output::Event(event)) if &*event.name == "onMessageInstantReceive" => received += 1,
            Some(_) => {}
            None => bail!("the connection is gone"),
        }
    }
    Ok(Count::Received(received))
}

/// Resident memory, KiB.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("no such process")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// CPU time of all threads, ns.
fn cpu_time(pid: u32) -> anyhow::Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
    }
    Ok(total)
}
