//! Clients that only ping: memory of each, and memory that is returned after their end.

use anyhow::{Result, ensure};

use super::{Figures, Target, put};
use crate::net::{Net, SECOND};
use crate::redis;
use crate::stats::slope;

/// The size of this load.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Numbers of clients at which memory is read
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000, 9500])]
    pub steps: Vec<usize>,
    /// Seconds after the last client has left
    #[arg(long, default_value_t = 30)]
    pub after: u64,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in, and a process that is not given.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    let process = target.process()?;
    let mut figures = Figures::new();
    let base = process.resident()? as f64;
    put(&mut figures, "rss_base_kib", base);
    let redis_base = target.redis.map(redis::memory).transpose()?;
    let mut points = Vec::new();
    for &step in &args.steps {
        ensure!(step > net.len(), "--steps must grow");
        net.open(step - net.len())?;
        wait(net, 2);
        let resident = process.resident()? as f64;
        put(&mut figures, &format!("rss_{step}_kib"), resident);
        put(
            &mut figures,
            &format!("client_{step}_kib"),
            (resident - base) / step as f64,
        );
        points.push((step as f64, resident));
    }
    let peak = points.last().map_or(base, |(_, resident)| *resident);
    if let Some(slope) = slope(&points) {
        put(&mut figures, "client_kib", slope);
    }
    if let (Some(base), Some(address)) = (redis_base, target.redis) {
        let used = redis::memory(address)? as f64 - base as f64;
        put(&mut figures, "redis_user_bytes", used / net.len() as f64);
    }
    net.close_all();
    wait(net, args.after);
    let after = process.resident()? as f64;
    put(&mut figures, "rss_after_kib", after);
    put(&mut figures, "returned", (peak - after) / (peak - base));
    Ok(figures)
}

fn wait(net: &mut Net, seconds: u64) {
    let end = net.now() + seconds * SECOND;
    while net.now() < end {
        net.poll(end);
        net.take_events();
    }
}
