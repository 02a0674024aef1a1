//! One client that sends to a channel; deliveries a second are constant for any number of members.

use std::collections::HashMap;

use anyhow::{Result, ensure};

use super::{Figures, Pace, Span, Tally, Target, drain, measure, micros, put, put_commands};
use crate::net::Net;

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Members of the channel, the sender among them
    #[arg(long, default_value_t = 100)]
    pub members: usize,
    /// Deliveries a second to all members together
    #[arg(long, default_value_t = 8000.0)]
    pub rate: f64,
    #[command(flatten)]
    pub span: Span,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in or join.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    let members = args.members;
    ensure!(members >= 1, "--members must be above 0");
    ensure!(args.rate > 0.0, "--rate must be above 0");
    net.open(members)?;
    let joining = net.now();
    net.join_all()?;
    let start = net.now();
    let mut tally = Tally::new(start, args.span);
    tally.times = Some(HashMap::new());
    let mut figures = Figures::new();
    put(&mut figures, "joins_ms", micros(start - joining) / 1000.0);

    let (mut sent, mut pace) = (0, Pace::new(start, tally.to, args.rate / members as f64));
    measure(net, target, &mut tally, |net, _, mut now| {
        while pace.take(now).is_some() {
            sent += u64::from(net.send_channel(0));
            now = net.now();
        }
        pace.next()
    })?;
    (tally.sent, tally.expected) = (sent, sent * members as u64);
    drain(net, &mut tally);
    put_commands(&mut figures, target, &tally, members);
    pace.figures(&mut figures);
    tally.figures(false, &mut figures);
    Ok(figures)
}
