//! Files of a recording: written by a thread of their own, so that no client waits for a disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::time::Time;
use crate::value::Text;

use super::batch::Batch;
use super::happening::Happening;
use super::policy::Redaction;
use super::record::{Header, VERSION};
use super::redact::Redactor;
use super::spool::Spool;
use super::tape::Sink;

/// How long records gather once all are written: far less than there is room for.
const GATHER: Duration = Duration::from_millis(50);
/// What goes to the disk at once, bytes.
const BUFFER: usize = 64 * 1024;
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
    spool: Arc<Spool>,
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
        let mut file = options.open(&part)?;
        let header = Header {
            sigbridge_trace: VERSION,
            started_ms: started.as_millis(),
            program: Text::from(env!("CARGO_PKG_VERSION")),
            redaction: redaction.header(),
            source: None,
            missing: Vec::new(),
        };
        file.write_all((serde_json::to_string(&header)? + "\n").as_bytes())?;
        let bytes = Arc::new(AtomicU64::new(0));
        let spool = Arc::new(Spool::default());
        let folder = folder.to_owned();
        let mut writing = Writing {
            file,
            redactor: Redactor::new(redaction.clone()),
            limit: bounds.file_bytes.saturating_mul(CUT),
            bytes: bytes.clone(),
            health: health.clone(),
        };
        let from = spool.clone();
        thread::Builder::new().name("trace".into()).spawn(move || {
            if writing.all(&from) && fs::rename(&part, &path).is_ok() {
                remove_oldest(&folder, bounds.files);
            }
        })?;
        Ok(Self {
            spool,
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
        self.spool.is_broken()
            || self.bytes.load(Ordering::Relaxed) >= bounds.file_bytes
            || now.since(self.started) >= bounds.file_time
    }
}

impl Sink for TraceFile {
    fn take(&self, t_us: u64, session: u64, what: Happening<'_>) {
        if !self.spool.add(t_us, session, what) {
            self.health.lost.inc();
        }
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        self.spool.close();
    }
}

/// What the thread of a file works with.
struct Writing {
    file: File,
    redactor: Redactor,
    limit: u64,
    bytes: Arc<AtomicU64>,
    health: Health,
}

impl Writing {
    /// Writes until the last session is over, the disk is full or the file too large. False: its last line may be half a
    /// one.
    #[expect(clippy::disallowed_methods, reason = "this thread is none of the runtime's")]
    fn all(&mut self, spool: &Spool) -> bool {
        let (mut batch, mut lines) = (Batch::default(), String::with_capacity(BUFFER));
        while let Some(next) = spool.take(batch) {
            batch = next;
            let waited = batch.len();
            let (written, result) = self.batch(&mut batch, &mut lines);
            self.health.written.inc_by(written as u64);
            if written < waited {
                // What follows is not recorded: who records is told by the spool.
                self.health.lost.inc_by((waited - written + spool.refuse()) as u64);
                return result.is_ok();
            }
            // A thread that waits for one record after the other is woken for each, and sessions pay for that.
            thread::sleep(GATHER);
        }
        true
    }

    /// How many records were written, and whether the disk takes more.
    fn batch(&mut self, batch: &mut Batch, lines: &mut String) -> (usize, io::Result<()>) {
        let (mut written, mut waiting) = (0, 0);
        let mut before = self.bytes.load(Ordering::Relaxed);
        lines.clear();
        for (t_us, session, what) in batch.drain() {
            let begin = lines.len();
            self.redactor.write(t_us, session, what, lines);
            if before + lines.len() as u64 > self.limit {
                lines.truncate(begin);
                break;
            }
            waiting += 1;
            if lines.len() >= BUFFER {
                if let Err(error) = self.file.write_all(lines.as_bytes()) {
                    return (written, Err(error));
                }
                before += lines.len() as u64;
                written += std::mem::take(&mut waiting);
                lines.clear();
            }
        }
        let result = self.file.write_all(lines.as_bytes());
        if result.is_ok() {
            self.bytes.store(before + lines.len() as u64, Ordering::Relaxed);
            written += waiting;
        }
        (written, result)
    }
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
