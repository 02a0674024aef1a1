//! Many logins at once.

use anyhow::Result;

use super::{Figures, Target, micros, put};
use crate::net::{MILLISECOND, Net};
use crate::process::Process;
use crate::stats::quantile;

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Clients that log in
    #[arg(long, default_value_t = 5000)]
    pub clients: usize,
    /// Microseconds between two connections
    #[arg(long, default_value_t = 250)]
    pub spacing: u64,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    net.spacing = args.spacing * super::MICROSECOND;
    let mut figures = Figures::new();
    let process = target.process.as_ref();
    let before = process.map(Process::cpu).transpose()?;
    let start = net.now();
    let mut logins = net.open(args.clients)?;
    put(&mut figures, "all_ms", (net.now() - start) as f64 / MILLISECOND as f64);
    put(&mut figures, "p50_us", micros(quantile(&mut logins, 0.5)));
    put(&mut figures, "p99_us", micros(quantile(&mut logins, 0.99)));
    if let (Some(process), Some(before)) = (process, before) {
        let used = process.cpu()? - before;
        put(&mut figures, "cpu_us", micros(used) / args.clients as f64);
    }
    Ok(figures)
}
