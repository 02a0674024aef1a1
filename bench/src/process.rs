//! CPU time, memory and cores of a process, by Linux's /proc.

use std::fs;

use anyhow::{Context, Result};

/// A process with its children, since nginx serves in one of them.
#[derive(Clone, Debug)]
pub struct Process(Vec<u32>);

impl Process {
    /// Finds processes and the children that they have now.
    ///
    /// # Errors
    /// A process that does not exist.
    pub fn find(pids: &[u32]) -> Result<Self> {
        for pid in pids {
            fs::metadata(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
        }
        let mut family = pids.to_vec();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // "PID (NAME) STATE PARENT …", where NAME may contain anything.
            let parent = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
            if parent.is_some_and(|parent| pids.contains(&parent)) {
                family.push(other);
            }
        }
        Ok(Self(family))
    }

    /// Sends SIGTERM to the first of the processes.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn terminate(&self) -> Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let first = self.0.first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
        Ok(kill_process(first.context("no process")?, Signal::TERM)?)
    }

    /// Returns the CPU time of all threads, in nanoseconds.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn cpu(&self) -> Result<u64> {
        let mut total = 0;
        for pid in &self.0 {
            for task in fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("no process {pid}"))? {
                // A thread may end meanwhile.
                let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else {
                    continue;
                };
                let on_cpu = stat.split_whitespace().next().context("an empty schedstat")?;
                total += on_cpu.parse::<u64>()?;
            }
        }
        Ok(total)
    }

    /// Returns the resident memory, in KiB.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn resident(&self) -> Result<u64> {
        let mut total = 0;
        for pid in &self.0 {
            let status = fs::read_to_string(format!("/proc/{pid}/status"));
            let status = status.with_context(|| format!("no process {pid}"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let number = line
                .with_context(|| format!("process {pid} has ended"))?
                .trim()
                .trim_end_matches(" kB");
            total += number.parse::<u64>()?;
        }
        Ok(total)
    }
}

/// Pins the calling thread to one core.
///
/// # Errors
/// A core that does not exist.
pub fn pin(core: usize) -> Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).with_context(|| format!("cannot run on core {core}"))
}

/// Raises the limit of open files of this process and its children to the maximum, and returns it.
pub fn raise_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_counted_with_its_children() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::find(&[std::process::id()]).unwrap();
        let (cpu, resident) = (process.cpu().unwrap(), process.resident().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.0.contains(&child.id()), "{process:?}");
        assert!(cpu > 0 && resident > 100, "{cpu} ns, {resident} KiB");
        assert!(Process::find(&[u32::MAX]).is_err());
    }
}
