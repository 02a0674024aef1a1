//! The thread that writes traces: it alone opens, writes and renames their files, so that no client waits for a disk.

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
use crate::queue::{Spool, Work};

/// How long records gather once all are written: far less than there is room for. A thread that waits for one record after
/// the other is woken for each, and sessions pay for that.
const GATHER: Duration = Duration::from_millis(50);

/// How a recording goes, for counters.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Records that were written.
    pub written: Counter,
    /// Records that were not: the queue or the disk was full, or the file had ended.
    pub lost: Counter,
}

/// Starts the thread. What is returned ends when the thread does.
///
/// # Errors
/// The system's.
pub fn start(spool: Arc<Spool>, health: Health) -> io::Result<oneshot::Receiver<()>> {
    let (ends, ended) = oneshot::channel();
    let writer = Writer {
        spool,
        health,
        files: BTreeMap::new(),
        lines: String::with_capacity(BUFFER),
    };
    thread::Builder::new().name("trace".into()).spawn(move || {
        writer.run();
        // Nobody waits where the process ends without its end being asked for.
        let _ = ends.send(());
    })?;
    Ok(ended)
}

struct Writer {
    spool: Arc<Spool>,
    health: Health,
    files: BTreeMap<u64, (Output<File>, Place)>,
    lines: String,
}

impl Writer {
    fn run(mut self) {
        while let Some(work) = self.spool.take() {
            work.into_iter().for_each(|work| self.work(work));
            self.spool.gather(GATHER);
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
        self.spool.done(records, batch);
        self.health.written.inc_by(written as u64);
        let is_short = written < records;
        if is_short {
            // What follows is not recorded: who records is told by the spool.
            let lost = records - written + self.spool.refuse(file);
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
            warn!(%trace, "a trace ends: its sessions go on, and it is too large");
        }
        if let Err(error) = result.and_then(|()| finish(output, &place)) {
            error!(
                %error,
                trace = %place.part.display(),
                hint = "make room; sessions that begin from now on go to another file",
                "a trace ends, its last line may be half a one"
            );
        }
    }

    fn open(&mut self, file: u64, opening: Opening) {
        match opening.open() {
            Ok(Some(begun)) => {
                self.files.insert(file, begun);
            }
            Ok(None) => {
                self.spool.refuse(file);
            }
            Err(error) => {
                self.health.lost.inc_by(self.spool.refuse(file) as u64);
                error!(%error, hint = "make room and start it again", "the recording ends");
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
        warn!(%trace, sessions = lost, "a trace ends before sessions that it records do");
    }
    Ok(())
}
