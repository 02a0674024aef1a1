//! Figures of a Redis server: its memory, and the commands that it receives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).context("Redis does not answer")?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(BufReader::new(stream))
}

/// Returns the bytes that Redis has allocated.
///
/// # Errors
/// A server that does not answer as Redis.
pub fn memory(address: SocketAddr) -> Result<u64> {
    let mut redis = connect(address)?;
    redis.get_mut().write_all(b"INFO memory\r\n")?;
    let mut line = String::new();
    redis.read_line(&mut line)?;
    let length = line.trim().strip_prefix('$').context("INFO is refused")?.parse()?;
    let mut text = vec![0; length];
    redis.read_exact(&mut text)?;
    let text = String::from_utf8(text)?;
    let value = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(value.context("INFO without used_memory")?.trim().parse()?)
}

/// A counter of the commands that clients send. `INFO commandstats` also counts those inside scripts; MONITOR marks them.
/// MONITOR costs time, so no other figure is taken from such a run.
#[derive(Debug)]
pub struct Monitor {
    stream: TcpStream,
    count: Arc<AtomicU64>,
    reader: JoinHandle<()>,
}

impl Monitor {
    /// Begins to count.
    ///
    /// # Errors
    /// A server that refuses MONITOR.
    pub fn start(address: SocketAddr) -> Result<Self> {
        let mut redis = connect(address)?;
        redis.get_mut().write_all(b"MONITOR\r\n")?;
        let mut line = Vec::new();
        redis.read_until(b'\n', &mut line)?;
        ensure!(line.starts_with(b"+OK"), "MONITOR is refused");
        redis.get_ref().set_read_timeout(None)?;
        let stream = redis.get_ref().try_clone()?;
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let reader = std::thread::spawn(move || {
            line.clear();
            while redis.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                counter.fetch_add(u64::from(is_of_client(&line)), Ordering::Relaxed);
                line.clear();
            }
        });
        Ok(Self { stream, count, reader })
    }

    /// Returns the number of commands up to now.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends the monitor.
    pub fn stop(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = self.reader.join();
    }
}

/// Returns true if a line of MONITOR is a command of a client, not of a script: `+TIME [DB ADDRESS] "COMMAND" …`, or `[DB lua]`.
fn is_of_client(line: &[u8]) -> bool {
    let source = line.split(|byte| *byte == b']').next().unwrap_or_default();
    line.starts_with(b"+") && !source.ends_with(b" lua")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_scripts_do_not_count() {
        let lines: [(&[u8], bool); 3] = [
            (b"+1795.5 [0 127.0.0.1:40112] \"EVALSHA\" \"x [0 lua]\"", true),
            (b"+1795.5 [0 lua] \"HGET\" \"key\"", false),
            (b"", false),
        ];
        for (line, expected) in lines {
            assert_eq!(is_of_client(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
