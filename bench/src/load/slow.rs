//! A channel in which one member stops reading: effects on the others, and on that member.

use anyhow::{Result, ensure};

use super::{Figures, Pace, Span, Tally, Target, drain, measure, micros, put};
use crate::client::State;
use crate::net::{Net, SECOND};
use crate::process::Process;
use crate::stats::quantile;

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Members of the channel; the last one stops reading
    #[arg(long, default_value_t = 100)]
    pub members: usize,
    /// Deliveries a second to all members together
    #[arg(long, default_value_t = 4000.0)]
    pub rate: f64,
    #[command(flatten)]
    pub span: Span,
}

/// Runs the load: first all members read, then all but one for twice as long.
///
/// # Errors
/// Clients that cannot log in or join.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    ensure!(args.members >= 3, "--members must be 3 or more");
    let slow = args.members - 1;
    net.slow = Some(slow);
    net.open(args.members)?;
    net.join_all()?;
    let mut figures = Figures::new();
    let process = target.process.as_ref();
    let rate = args.rate / args.members as f64;

    let mut all_read = phase(net, target, args.span, rate, slow)?;
    put(
        &mut figures,
        "before_p50_us",
        micros(quantile(&mut all_read.latencies, 0.5)),
    );
    let before_p99 = micros(quantile(&mut all_read.latencies, 0.99));
    put(&mut figures, "before_p99_us", before_p99);
    let resident = |process: &Process| process.resident().map(|kib| kib as f64);
    let rss_before = process.map(resident).transpose()?;

    net.set_reading(slow, false);
    let span = Span {
        warmup: 0.0,
        seconds: args.span.seconds * 2.0,
    };
    let mut one_stops = phase(net, target, span, rate, slow)?;
    put(
        &mut figures,
        "during_p50_us",
        micros(quantile(&mut one_stops.latencies, 0.5)),
    );
    let during_p99 = micros(quantile(&mut one_stops.latencies, 0.99));
    put(&mut figures, "during_p99_us", during_p99);
    put(&mut figures, "p99_ratio", during_p99 / before_p99);
    put(
        &mut figures,
        "others_closed",
        (all_read.closed + one_stops.closed) as f64,
    );
    if let (Some(process), Some(before)) = (process, rss_before) {
        put(&mut figures, "rss_growth_kib", resident(process)? - before);
    }

    // The slow member reads again: it gets its backlog, or a close.
    net.set_reading(slow, true);
    let end = net.now() + SECOND;
    while net.now() < end {
        net.poll(end);
        net.take_events().into_iter().for_each(|event| one_stops.take(event));
    }
    put(&mut figures, "lost", all_read.lost() + one_stops.lost());
    put(&mut figures, "slow_backlog", one_stops.excepted as f64);
    put(&mut figures, "slow_closed", f64::from(net.state(slow) == State::Closed));
    put(
        &mut figures,
        "slow_close_frame",
        f64::from(one_stops.ended == Some("close")),
    );
    put(
        &mut figures,
        "slow_told_kick",
        f64::from(one_stops.ended == Some("kick")),
    );
    Ok(figures)
}

fn phase(net: &mut Net, target: &Target, span: Span, rate: f64, slow: usize) -> Result<Tally> {
    let start = net.now();
    let mut others = Tally::new(start, span);
    others.except = Some(slow);
    let (mut sent, mut pace) = (0, Pace::new(start, others.to, rate));
    measure(net, target, &mut others, |net, _, mut now| {
        while pace.take(now).is_some() {
            sent += u64::from(net.send_channel(0));
            now = net.now();
        }
        pace.next()
    })?;
    (others.sent, others.expected) = (sent, sent * slow as u64);
    drain(net, &mut others);
    Ok(others)
}
