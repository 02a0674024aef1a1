//! Queue and writer thread for stderr. Callers never wait for a disk or reader and get no errors: a line that cannot be
//! written is lost and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// Queue size in bytes.
pub const QUEUE_BYTES: usize = 1024 * 1024;
/// Interval of the thread's periodic work.
const TICK: Duration = Duration::from_secs(5);

/// Handle of the queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals queued lines, or the end.
    filled: Condvar,
    /// Signals that all lines are written.
    emptied: Condvar,
    lost: Counter,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    lines: u64,
    /// Number of lines being written.
    writing: u64,
    /// Lost lines that are not reported yet.
    lost: u64,
    is_over: bool,
}

impl Lines {
    /// Creates a queue without a thread; `lost` counts lost lines.
    pub fn new(lost: Counter) -> Self {
        Self(Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            lost,
        }))
    }

    /// Queues complete lines. Never blocks.
    pub fn put(&self, text: &[u8]) {
        let mut queue = self.0.queue.lock();
        let lines = count(text);
        if queue.bytes.len() + text.len() > QUEUE_BYTES {
            queue.lost += lines;
            drop(queue);
            self.0.lost.inc_by(lines);
            return;
        }
        queue.bytes.extend_from_slice(text);
        queue.lines += lines;
        drop(queue);
        self.0.filled.notify_one();
    }

    /// Starts the writer thread. It calls `tick` periodically, and `recovered` with the number of lost lines after
    /// writing works again. Both may log.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn write_to(
        &self,
        to: impl Write + Send + 'static,
        tick: impl Fn() + Send + 'static,
        recovered: impl Fn(u64) + Send + 'static,
    ) -> io::Result<()> {
        let shared = self.0.clone();
        let thread = thread::Builder::new().name("log".into());
        thread.spawn(move || shared.write_all(to, tick, recovered)).map(drop)
    }

    /// Waits up to `patience` until all lines are written.
    pub fn finish(&self, patience: Duration) {
        let mut queue = self.0.queue.lock();
        queue.is_over = true;
        self.0.filled.notify_one();
        let waits = |queue: &mut Queue| queue.lines > 0 || queue.writing > 0;
        self.0.emptied.wait_while_for(&mut queue, waits, patience);
    }
}

impl Shared {
    fn write_all(&self, mut to: impl Write, tick: impl Fn(), recovered: impl Fn(u64)) {
        let (mut out, mut text) = (Output::default(), Vec::new());
        while let Some((lines, unrecorded)) = self.next(&mut text) {
            out.lost += unrecorded;
            if lines > 0 {
                let lost = out.write(&mut to, &text);
                self.lost.inc_by(lost);
                if lost == 0 && out.lost > 0 {
                    recovered(std::mem::take(&mut out.lost));
                }
                out.lost += lost;
            }
            let mut queue = self.queue.lock();
            queue.writing = 0;
            self.emptied.notify_all();
            drop(queue);
            tick();
        }
    }

    /// Moves queued lines into `text`; returns the numbers of lines and of lost lines, or `None` at the end.
    fn next(&self, text: &mut Vec<u8>) -> Option<(u64, u64)> {
        text.clear();
        let mut queue = self.queue.lock();
        if queue.bytes.is_empty() && !queue.is_over {
            self.filled.wait_for(&mut queue, TICK);
        }
        self.take(&mut queue, text)
    }

    fn take(&self, queue: &mut MutexGuard<'_, Queue>, text: &mut Vec<u8>) -> Option<(u64, u64)> {
        if queue.bytes.is_empty() && queue.is_over {
            return None;
        }
        std::mem::swap(&mut queue.bytes, text);
        queue.writing = std::mem::take(&mut queue.lines);
        Some((queue.writing, std::mem::take(&mut queue.lost)))
    }
}

/// State of stderr.
#[derive(Debug, Default)]
struct Output {
    /// The last line there is incomplete.
    is_cut: bool,
    /// Lost lines that are not reported yet.
    lost: u64,
}

impl Output {
    /// Writes lines; returns the number of lost ones.
    fn write(&mut self, to: &mut impl Write, text: &[u8]) -> u64 {
        let mut written = 0;
        if self.is_cut {
            match to.write(b"\n") {
                Ok(1) => self.is_cut = false,
                _ => return count(text),
            }
        }
        while written < text.len() {
            match to.write(&text[written..]) {
                Ok(0) => break,
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.is_cut = text[..written].last().is_some_and(|last| *last != b'\n');
        count(&text[written..])
    }
}

fn count(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Writer that receives a whole line from the formatter.
#[derive(Debug)]
pub struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
