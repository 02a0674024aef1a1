//! Writer thread of traces: only it opens, writes and renames files, so no client waits for a disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::output::{BUFFER, Opening, Output, Place};
use crate::queue::{Queue, Work};

/// Coalescing interval when idle; far below the queue's capacity. Without it, each record would wake the thread, at the
/// sessions' expense.
const GATHER: Duration = Duration::from_millis(50);

/// Counters of a recording.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Written records.
    pub written: Counter,
    /// Lost records: the queue or the disk was full, or the file had ended.
    pub lost: Counter,
}

/// Starts the thread; the returned receiver completes at its end.
///
/// # Errors
/// An I/O error.
pub fn start(queue: Arc<Queue>, health: Health) -> io::Result<oneshot::Receiver<()>> {
    let (ends, ended) = oneshot::channel();
    let writer = Writer {
        queue,
        health,
        files: BTreeMap::new(),
        lines: String::with_capacity(BUFFER),
    };
    thread::Builder::new().name("trace".into()).spawn(move || {
        writer.run();
        // Nobody waits if the process ends without a shutdown.
        let _ = ends.send(());
    })?;
    Ok(ended)
}

struct Writer {
    queue: Arc<Queue>,
    health: Health,
    files: BTreeMap<u64, (Output<File>, Place)>,
    lines: String,
}

impl Writer {
    fn run(mut self) {
        while let Some(work) = self.queue.take() {
            work.into_iter().for_each(|work| self.work(work));
            self.queue.gather(GATHER);
        }
    }

    fn work(&mut self, work: Work) {
        let Work {
            file,
            opening,
            mut batch,
            last,
        } = work;
        if let Some(opening) = opening {
            self.open(file, opening);
        }
        let records = batch.len();
        let (written, result) = match self.files.get_mut(&file) {
            Some((output, _)) => output.write(&mut batch, &mut self.lines),
            None => (0, Ok(())),
        };
        self.queue.done(records, batch);
        self.health.written.inc_by(written as u64);
        let is_short = written < records;
        if is_short {
            // The queue reports later records as lost.
            let lost = records - written + self.queue.refuse(file);
            self.health.lost.inc_by(lost as u64);
        }
        if !(last || is_short) {
            return;
        }
        let Some((output, place)) = self.files.remove(&file) else {
            return;
        };
        if is_short && result.is_ok() {
            let trace = place.part.display();
            warn!(%trace, "trace stopped: size limit reached; sessions continue");
        }
        if let Err(error) = result.and_then(|()| finish(output, &place)) {
            error!(
                %error,
                trace = %place.part.display(),
                hint = "free disk space; new sessions use another file",
                "trace write failed; the last line may be truncated"
            );
        }
    }

    fn open(&mut self, file: u64, opening: Opening) {
        match opening.open() {
            Ok(Some(begun)) => {
                self.files.insert(file, begun);
            }
            Ok(None) => {
                self.queue.refuse(file);
            }
            Err(error) => {
                self.health.lost.inc_by(self.queue.refuse(file) as u64);
                error!(%error, hint = "free disk space and restart the recording", "recording stopped");
            }
        }
    }
}

fn finish(mut output: Output<File>, place: &Place) -> io::Result<()> {
    let lost = output.lose_sessions()?;
    drop(output);
    place.finish()?;
    if lost > 0 {
        let trace = place.part.display();
        warn!(%trace, sessions = lost, "trace stopped before its sessions ended");
    }
    Ok(())
}
