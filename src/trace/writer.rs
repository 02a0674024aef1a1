//! Files of a recording: written by a thread of their own, so that no client waits for a disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::{error, warn};

use crate::time::Time;
use crate::value::Text;

use super::batch::Batch;
use super::happening::Happening;
use super::policy::Redaction;
use super::record::{Header, VERSION};
use super::redact::Redactor;
use super::spool::{Added, Spool};
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
            match writing.all(&from).and_then(|()| fs::rename(&part, &path)) {
                Ok(()) => remove_oldest(&folder, bounds.files),
                Err(error) => error!(
                    %error,
                    trace = %part.display(),
                    hint = "make room; sessions that begin from now on go to another file",
                    "a trace ends, its last line may be half a one"
                ),
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
        match self.spool.add(t_us, session, what) {
            Added::Waits => {}
            Added::TooMuch => {
                self.health.lost.inc();
                warn!(
                    hint = "the disk is too slow",
                    "a trace ends: too much waits to be written"
                );
            }
            Added::Over => {
                self.health.lost.inc();
            }
        }
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        self.spool.close();
    }
}

/// What the thread of a file works with.
struct Writing<W> {
    file: W,
    redactor: Redactor,
    limit: u64,
    bytes: Arc<AtomicU64>,
    health: Health,
}

impl<W: Write> Writing<W> {
    /// Writes until the last session is over, the disk is full or the file too large.
    ///
    /// # Errors
    /// The file system's: the last line may be half a one.
    #[expect(clippy::disallowed_methods, reason = "this thread is none of the runtime's")]
    fn all(&mut self, spool: &Spool) -> io::Result<()> {
        let (mut batch, mut lines) = (Batch::default(), String::with_capacity(BUFFER));
        while let Some(next) = spool.take(batch) {
            batch = next;
            let waited = batch.len();
            let (written, result) = self.batch(&mut batch, &mut lines);
            self.health.written.inc_by(written as u64);
            if written < waited {
                // What follows is not recorded: who records is told by the spool.
                self.health.lost.inc_by((waited - written + spool.refuse()) as u64);
                if result.is_ok() {
                    warn!(
                        bytes = self.limit,
                        "a trace ends: its sessions go on, and it is too large"
                    );
                }
                return result;
            }
            // A thread that waits for one record after the other is woken for each, and sessions pay for that.
            thread::sleep(GATHER);
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::SocketId;
    use crate::mapping::Tables;
    use crate::trace::{Policy, read};

    /// A disk with so much room.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
            Ok(bytes.len().min(room))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of ten records, and how many: written, lost.
    fn check(room: usize, limit: u64, expected: (u64, u64), is_full: bool) {
        let tables = Arc::new(Tables::default());
        let redaction = Redaction::new(&tables, Policy::Keep, Policy::Keep).expect("random bytes");
        let mut writing = Writing {
            file: Disk(Vec::new(), room),
            redactor: Redactor::new(redaction),
            limit,
            bytes: Arc::default(),
            health: Health::default(),
        };
        let spool = Spool::default();
        for _ in 0..10 {
            let (socket, frame) = (SocketId(1), "x");
            assert_eq!(spool.add(0, 1, Happening::Heard { socket, frame }), Added::Waits);
        }
        spool.close();
        let result = writing.all(&spool);
        assert_eq!(result.is_err(), is_full);
        let health = &writing.health;
        assert_eq!((health.written.get(), health.lost.get()), expected);
        assert_eq!(spool.is_broken(), expected.1 > 0);
        let lines = writing.file.0.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert!(is_full || lines == expected.0, "only whole lines");
        let header = r#"{"sigbridge_trace":1,"started_ms":0,"program":""}"#;
        let text = [header.as_bytes(), b"\n", &writing.file.0].concat();
        assert_eq!(read(&*text).is_err(), is_full, "a file that is cut off is none");
    }

    #[test]
    fn a_file_ends_where_the_disk_does_or_its_size() {
        check(1 << 20, 1 << 20, (10, 0), false);
        check(300, 1 << 20, (0, 10), true);
        check(1 << 20, 300, (3, 7), false);
    }
}
