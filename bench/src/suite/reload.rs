//! Reloads of a sidecar under load: another config and other tables each time, then SIGHUP.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::contender::{Place, Running};

/// The key that each reload changes, and the entry of the tables.
const KEY: &str = "grace = ";
const ENTRY: &str = "pong-delay  = ";

/// What the log has for a reload of both.
const CHANGED: [&str; 2] = ["config changed", "new sessions use the new tables"];

/// Reloads so many times, a second apart, each when the log has the last one. Returns how many there were.
///
/// # Errors
/// A config or table without the entry, and a reload that did not change both.
pub fn run(place: &Place, running: &Running, name: &str, times: usize) -> Result<usize> {
    let config = place.work.join("sigbridge.toml");
    let table = place.work.join("mappings/wire/profiles.toml");
    let pid = running
        .pids
        .first()
        .and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
    let pid = pid.context("no process")?;
    std::thread::sleep(Duration::from_millis(500));
    for time in 0..times {
        std::thread::sleep(Duration::from_secs(1));
        replace(&config, KEY, &format!("{KEY}\"{}s\"", time % 2 + 2))?;
        replace(&table, ENTRY, &format!("{ENTRY}\"{}ms\"", time % 2 + 11))?;
        kill_process(pid, Signal::HUP)?;
        await_line(place, name, time + 1)?;
    }
    Ok(times)
}

/// Waits until the log has so many reloads of both.
fn await_line(place: &Place, name: &str, times: usize) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let log = fs::read_to_string(place.log(name))?;
        let [configs, tables] = CHANGED.map(|text| log.matches(text).count());
        if (configs, tables) == (times, times) {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{times} reloads changed the config {configs} times and the tables {tables} times"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Replaces all lines that begin with an entry.
fn replace(file: &std::path::Path, entry: &str, line: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    ensure!(text.lines().any(|line| line.starts_with(entry)), "no line has {entry}");
    let lines = text.lines().map(|old| if old.starts_with(entry) { line } else { old });
    fs::write(file, lines.collect::<Vec<_>>().join("\n") + "\n")?;
    Ok(())
}
