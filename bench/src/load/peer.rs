//! Peer messages between clients, at a fixed rate or each client as fast as it is served. With an echo, round trips.

use anyhow::{Result, ensure};

use super::{Figures, Pace, Span, Tally, drain, measure, put};
use crate::client::{Call, Event};
use crate::net::Net;
use crate::process::Process;

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
    #[command(flatten)]
    pub span: Span,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in.
pub fn run(net: &mut Net, process: Option<&Process>, args: &Args) -> Result<Figures> {
    let count = args.clients;
    ensure!(count >= 2 && count.is_multiple_of(2), "--clients must be even");
    ensure!(args.rate > 0.0, "--rate must be above 0");
    net.open(count)?;
    let start = net.now();
    let mut tally = Tally::new(start, args.span);
    let mut figures = Figures::new();
    let opposite = |client: usize| (client + count / 2) % count;

    let sent = if args.closed {
        let mut sent = 0;
        // What a message still lacks before its sender goes on: its answer and its delivery.
        let mut lacks = vec![0_u8; count];
        let mut begun = false;
        let echo = net.echo;
        measure(net, process, &mut tally, |net, events, now| {
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
        measure(net, process, &mut tally, |net, _, mut now| {
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
    tally.figures(net.echo, &mut figures);
    if let Some(process) = process {
        put(&mut figures, "rss_kib", process.resident()? as f64);
    }
    Ok(figures)
}
