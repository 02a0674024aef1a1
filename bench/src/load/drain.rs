//! The drain of a server with connected clients: times of each close, and of each login at the next server.

use anyhow::{Result, ensure};

use super::{Figures, Target, put};
use crate::client::Event;
use crate::net::{Net, SECOND};

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Clients of the first server
    #[arg(long, default_value_t = 5000)]
    pub clients: usize,
    /// Seconds over which the server closes them
    #[arg(long, default_value_t = 20)]
    pub spread: u64,
}

/// Runs the load: SIGTERM to the first process; each closed client logs in at the second address at once.
///
/// # Errors
/// Clients that cannot log in, and clients that are not closed.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    let (clients, spread) = (args.clients, args.spread);
    ensure!(spread > 0, "--spread must be above 0");
    ensure!(net.addresses() > 1, "this load needs two addresses");
    net.only = Some(0);
    net.open(clients)?;
    net.only = Some(1);
    let begun = net.now();
    target.process()?.terminate()?;
    let end = begun + (spread + 10) * SECOND;
    let (mut closes, mut arrivals, mut notified, mut again) = (Vec::new(), Vec::new(), 0, 0);
    while arrivals.len() < clients && net.now() < end {
        net.poll(end);
        let now = net.now() - begun;
        for event in net.take_events() {
            match event {
                Event::Closed { client, reason } if client < clients => {
                    notified += u64::from(reason != "connection");
                    closes.push(now);
                    net.connect()?;
                }
                Event::Closed { .. } => again += 1,
                Event::LoggedIn { client, .. } if client >= clients => arrivals.push(now),
                _ => {}
            }
        }
    }
    let mut figures = Figures::new();
    put(&mut figures, "clients", clients as f64);
    put(&mut figures, "lost", (clients - arrivals.len()) as f64);
    put(&mut figures, "closed", f64::from(again));
    put(&mut figures, "notified", notified as f64);
    let span = |times: &[u64]| Some((*times.last()? - *times.first()?) as f64 / SECOND as f64);
    put(&mut figures, "closes_s", span(&closes).unwrap_or_default());
    let mean = clients as f64 / spread as f64;
    for (name, times) in [("closes", &closes), ("arrivals", &arrivals)] {
        let seconds = by_second(times);
        let most = seconds.iter().copied().max().unwrap_or(0) as f64;
        put(&mut figures, &format!("{name}_ratio"), most / mean);
        for (second, count) in seconds.into_iter().enumerate() {
            put(&mut figures, &format!("{name}_{second:02}"), count as f64);
        }
    }
    Ok(figures)
}

/// Returns the number of times in each second.
fn by_second(times: &[u64]) -> Vec<u64> {
    let mut seconds = Vec::new();
    for time in times {
        let second = (time / SECOND) as usize;
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        seconds[second] += 1;
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_second() {
        assert_eq!(by_second(&[0, SECOND - 1, 2 * SECOND]), [2, 0, 1]);
        assert!(by_second(&[]).is_empty());
    }
}
