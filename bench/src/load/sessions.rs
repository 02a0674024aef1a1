//! The list of sessions, as the console requests it.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Figures, Target, put};
use crate::admin;
use crate::net::{MILLISECOND, Net};
use crate::stats::quantile;

/// Sessions of a page of the console.
const PAGE: usize = 1000;
/// Times that each request is measured.
const TIMES: usize = 10;

/// The size of this load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Clients that are logged in
    #[arg(long, default_value_t = 10_000)]
    pub clients: usize,
}

/// Runs the load.
///
/// # Errors
/// Clients that cannot log in, and pages that are refused or incomplete.
pub fn run(net: &mut Net, target: &Target, args: &Args) -> Result<Figures> {
    let address = target.admin()?;
    let clients = args.clients;
    net.open(clients)?;
    let mut figures = Figures::new();
    put(&mut figures, "sessions", clients as f64);
    let mut measure = |net: &mut Net, name: &str, limit: usize, offsets: &[usize]| -> Result<()> {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let (mut sum, mut slowest, mut listed) = (0, 0, 0);
            for offset in offsets {
                let begun = Instant::now();
                let body = admin::get(address, &format!("/sessions?limit={limit}&offset={offset}"))?;
                let took = begun.elapsed().as_nanos() as u64;
                (sum, slowest) = (sum + took, slowest.max(took));
                let (page, matched) = admin::sessions(&body)?;
                ensure!(matched == clients, "{matched} sessions of {clients} clients are listed");
                listed += page;
                // The clients continue to ping.
                net.poll(net.now() + 10 * MILLISECOND);
                net.take_events();
            }
            ensure!(
                offsets.len() == 1 || listed == clients,
                "{listed} of {clients} sessions are on the pages"
            );
            times.push(sum);
        }
        for (suffix, share) in [("ms", 0.5), ("max_ms", 1.0)] {
            let value = quantile(&mut times, share) as f64 / MILLISECOND as f64;
            put(&mut figures, &format!("{name}_{suffix}"), value);
        }
        Ok(())
    };
    let all: Vec<usize> = (0..clients).step_by(PAGE).collect();
    measure(net, "page", PAGE, &[0])?;
    measure(net, "pages", PAGE, &all)?;
    measure(net, "whole", clients.min(10_000), &[0])?;
    Ok(figures)
}
