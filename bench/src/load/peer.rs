//! Peer messages between clients, at a fixed rate or each client as fast as it is served. With an echo, round trips.

use anyhow::{Result, ensure};

use super::{Figures, Pace, Span, Tally, Target, drain, measure, micros, put, put_commands, seconds};
use crate::admin::Viewer;
use crate::client::{Call, Event};
use crate::net::Net;

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Clients; each sends to another one
    #[arg(long, default_value_t = 100)]
    pub clients: usize,
    /// Messages a second of all clients together
    #[arg(long, default_value_t = 4000.0)]
    pub rate: f64,
    /// Send the next message when the last one is answered and delivered, in place of a rate
    #[arg(long)]
    pub closed: bool,
    /// Further clients that are logged in and only ping. The cost of all pings is measured before the messages, for as
    /// long, and taken off
    #[arg(long)]
    pub idle: Option<usize>,
    /// View the first client's session live, at the admin address
    #[arg(long)]
    pub viewer: bool,
    #[command(flatten)]
    pub span: Span,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    let count = args.clients;
    ensure!(count >= 2 && count.is_multiple_of(2), "--clients must be even");
    ensure!(args.rate > 0.0, "--rate must be above 0");
    net.spread_pings = args.idle.is_some();
    net.open(count)?;
    let mut figures = Figures::new();
    let pings = args.idle.map(|idle| pings(net, target, args.span, idle)).transpose()?;
    let viewer = args.viewer.then(|| Viewer::open(target.admin()?, "c0")).transpose()?;
    let start = net.now();
    let mut tally = Tally::new(start, args.span);
    // With several servers the receiver is at another one than its sender: clients get them in turn.
    let is_spread = net.addresses() > 1;
    let opposite = |client: usize| match is_spread {
        true => client ^ 1,
        false => (client + count / 2) % count,
    };

    let sent = if args.closed {
        let mut sent = 0;
        // Events that a sender still waits for: the answer and the delivery of its message.
        let mut lacks = vec![0_u8; count];
        let mut begun = false;
        let echo = net.echo;
        measure(net, target, &mut tally, |net, events, now| {
            let mut may_send: Vec<usize> = Vec::new();
            for event in events {
                let sender = match *event {
                    Event::Delivered { client, .. } if !echo => opposite(client),
                    Event::Delivered { client, .. } => client,
                    Event::Answered {
                        client,
                        call: Call::Send,
                        ..
                    } => client,
                    _ => continue,
                };
                lacks[sender] = lacks[sender].saturating_sub(1);
                if lacks[sender] == 0 {
                    may_send.push(sender);
                }
            }
            if !std::mem::replace(&mut begun, true) {
                may_send.extend(0..count);
            }
            for sender in may_send {
                if net.send_peer(sender, opposite(sender)) {
                    lacks[sender] = if echo { 1 } else { 2 };
                    sent += 1;
                }
            }
            now + super::SECOND
        })?;
        sent
    } else {
        let (mut sent, mut pace) = (0, Pace::new(start, tally.to, args.rate));
        measure(net, target, &mut tally, |net, _, mut now| {
            while let Some(number) = pace.take(now) {
                let sender = number as usize % count;
                sent += u64::from(net.send_peer(sender, opposite(sender)));
                now = net.now();
            }
            pace.next()
        })?;
        pace.figures(&mut figures);
        sent
    };
    (tally.sent, tally.expected) = (sent, sent);
    drain(net, &mut tally);
    put_commands(&mut figures, target, &tally, 1);
    if let Some(pings) = pings {
        let messages = tally.counters.cpu.saturating_sub(pings);
        let share = pings as f64 / seconds(args.span.seconds) as f64;
        put(&mut figures, "pings_core_share", share);
        put(&mut figures, "message_cpu_us", micros(messages) / tally.in_span as f64);
    }
    tally.figures(net.echo, &mut figures);
    if let Some(viewer) = viewer {
        let events = viewer.close();
        ensure!(events > 0, "the live view has no events");
        put(&mut figures, "viewed_events", events as f64);
    }
    if let Some(process) = &target.process {
        put(&mut figures, "rss_kib", process.resident()? as f64);
    }
    Ok(figures)
}

/// Opens further clients, and returns the CPU time of a span in which all only ping.
fn pings(net: &mut Net, target: &Target, span: Span, idle: usize) -> Result<u64> {
    if idle > 0 {
        net.open(idle)?;
    }
    let mut tally = Tally::new(net.now(), span);
    measure(net, target, &mut tally, |_, _, now| now + super::SECOND)?;
    Ok(tally.counters.cpu)
}
