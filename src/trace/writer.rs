//! Files of a recording: written by a thread of their own, so that no client waits for a disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::time::Time;
use crate::value::Text;

use super::policy::Redaction;
use super::record::{Header, Record, VERSION};
use super::redact::Redactor;
use super::tape::Sink;

/// Records that wait for the disk; more are not recorded, and end the file.
const QUEUE: usize = 65_536;
/// How long records gather once all are written: far less than the queue has room for.
const GATHER: Duration = Duration::from_millis(20);
/// What goes to the disk at once, bytes.
const BUFFER: usize = 256 * 1024;
/// A file whose sessions go on and on is cut at so many times its size.
const CUT: u64 = 4;

/// What a recording is bounded by.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes after which new sessions go to a new file.
    pub file_bytes: u64,
    /// Time after which they do.
    pub file_time: Duration,
    /// Files that are kept; the oldest are removed.
    pub files: usize,
}

/// How a recording goes, for counters.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Records that were written.
    pub written: Counter,
    /// Records that were not: the queue or the disk was full, or the file had ended.
    pub lost: Counter,
}

/// One file. A session is wholly in one, so the file is finished when the last of its sessions is over.
pub struct TraceFile {
    queue: SyncSender<Record>,
    /// It has lost a record: nothing that follows could be played.
    broken: AtomicBool,
    bytes: Arc<AtomicU64>,
    /// When it began.
    pub started: Time,
    next_session: AtomicU64,
    health: Health,
}

impl TraceFile {
    /// Begins a file in a folder, under a name of its own, with `.part` behind it until it is finished. Its thread takes
    /// the secrets out: no client waits for that, and nothing of them reaches the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn begin(
        folder: &Path,
        started: Time,
        number: u64,
        bounds: Bounds,
        redaction: &Redaction,
        health: Health,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}-{number:04}.jsonl", started.as_millis()));
        let part = path.with_extension("jsonl.part");
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = BufWriter::with_capacity(BUFFER, options.open(&part)?);
        let header = Header {
            sigbridge_trace: VERSION,
            started_ms: started.as_millis(),
            program: Text::from(env!("CARGO_PKG_VERSION")),
            redaction: redaction.header(),
            source: None,
            missing: Vec::new(),
        };
        line(&mut file, &header)?;
        let (queue, records) = sync_channel(QUEUE);
        let bytes = Arc::new(AtomicU64::new(0));
        let (counted, told) = (bytes.clone(), health.clone());
        let folder = folder.to_owned();
        let mut redactor = Redactor::new(redaction.clone());
        thread::Builder::new().name("trace".into()).spawn(move || {
            let limit = bounds.file_bytes.saturating_mul(CUT);
            let lost = write(&mut file, &records, &mut redactor, limit, &counted, &told);
            told.lost.inc_by(lost);
            if file.flush().is_ok() && fs::rename(&part, &path).is_ok() {
                remove_oldest(&folder, bounds.files);
            }
        })?;
        Ok(Self {
            queue,
            broken: AtomicBool::new(false),
            bytes,
            started,
            next_session: AtomicU64::new(1),
            health,
        })
    }

    /// The number of a session that begins in it.
    pub fn new_session(&self) -> u64 {
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether new sessions should go to another file.
    pub fn is_full(&self, now: Time, bounds: Bounds) -> bool {
        self.broken.load(Ordering::Relaxed)
            || self.bytes.load(Ordering::Relaxed) >= bounds.file_bytes
            || now.since(self.started) >= bounds.file_time
    }
}

impl Sink for TraceFile {
    fn take(&self, record: Record) {
        if self.broken.load(Ordering::Relaxed) {
            self.health.lost.inc();
            return;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(record) {
            self.broken.store(true, Ordering::Relaxed);
            self.health.lost.inc();
        }
    }
}

/// Writes until the last session is over, the disk is full or the file too large; how many records were not written.
#[expect(clippy::disallowed_methods, reason = "this thread is none of the runtime's")]
fn write(
    file: &mut BufWriter<File>,
    records: &Receiver<Record>,
    redactor: &mut Redactor,
    limit: u64,
    bytes: &AtomicU64,
    health: &Health,
) -> u64 {
    while let Ok(first) = records.recv() {
        let mut next = Some(first);
        while let Some(record) = next {
            let before = bytes.load(Ordering::Relaxed);
            match line(file, &redactor.redact(record)) {
                Ok(written) if before + written <= limit => {
                    bytes.store(before + written, Ordering::Relaxed);
                    health.written.inc();
                }
                // What follows is not recorded: the end of the queue tells those who record.
                _ => return 1,
            }
            next = records.try_recv().ok();
        }
        if file.flush().is_err() {
            return 1;
        }
        // A thread that waits for one record after the other is woken for each, and sessions pay for that.
        thread::sleep(GATHER);
    }
    0
}

fn line(file: &mut impl Write, what: &impl serde::Serialize) -> io::Result<u64> {
    let mut text = serde_json::to_vec(what)?;
    text.push(b'\n');
    file.write_all(&text)?;
    Ok(text.len() as u64)
}

fn remove_oldest(folder: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let finished = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "jsonl");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(finished).collect();
    files.sort();
    for old in files.iter().rev().skip(keep) {
        let _ = fs::remove_file(old);
    }
}
