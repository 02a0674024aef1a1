//! Measured parts of a load's other end: processes, Redis, and the admin address.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::redis::Monitor;

/// The other end of a load.
#[derive(Debug, Default)]
pub struct Target {
    /// The processes whose CPU time and memory are measured.
    pub process: Option<Process>,
    /// Processes that the others use, such as Redis. Their CPU time is a figure of its own.
    pub beside: Option<Process>,
    pub redis: Option<SocketAddr>,
    /// The admin address of sigbridge.
    pub admin: Option<SocketAddr>,
    /// A counter of Redis commands, where they are counted.
    pub monitor: Option<Monitor>,
}

/// Counters of a target at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// CPU time, in nanoseconds.
    pub cpu: u64,
    pub beside: u64,
    pub commands: u64,
}

impl Target {
    /// Returns the processes.
    ///
    /// # Errors
    /// None were given.
    pub fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("this load needs --pid")
    }

    /// Returns the admin address.
    ///
    /// # Errors
    /// None was given.
    pub fn admin(&self) -> Result<SocketAddr> {
        self.admin.context("this load needs --admin")
    }

    /// Reads all counters; those of what is not there are 0.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn counters(&self) -> Result<Counters> {
        let cpu = |process: &Option<Process>| process.as_ref().map(Process::cpu).transpose();
        Ok(Counters {
            cpu: cpu(&self.process)?.unwrap_or(0),
            beside: cpu(&self.beside)?.unwrap_or(0),
            commands: self.monitor.as_ref().map_or(0, Monitor::count),
        })
    }
}

impl Counters {
    /// Returns the difference to earlier counters.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu - earlier.cpu,
            beside: self.beside - earlier.beside,
            commands: self.commands - earlier.commands,
        }
    }
}
