//! Output file of a recording, written by the writer thread: `….jsonl.part` until it is complete.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use rtm::time::Time;
use rtm::value::Text;

use crate::buffer::{Batch, Waiting};
use crate::event::one;
use crate::policy::Redaction;
use crate::record::{Dir, Header, Leg, Record, VERSION};
use crate::redact::Redactor;

/// Write buffer size in bytes.
pub const BUFFER: usize = 64 * 1024;
/// A file with endless sessions is cut at this multiple of its size limit.
const CUT: u64 = 4;

/// Limits of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Size in bytes after which new sessions use a new file.
    pub file_bytes: u64,
    /// Age after which new sessions use a new file.
    pub file_time: Duration,
    /// Number of kept files; the oldest are removed.
    pub files: usize,
}

/// Progress of a file, shared with its sessions.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    failed: AtomicBool,
}

impl Progress {
    /// Returns the number of written bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns true if the file could not be opened.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// File to be opened.
#[derive(Debug)]
pub struct Opening {
    pub folder: PathBuf,
    /// Start time of the trace.
    pub started: Time,
    /// File number within the recording.
    pub number: u64,
    pub bounds: Bounds,
    pub redaction: Redaction,
    pub progress: Arc<Progress>,
    /// Receiver of the result.
    pub result: Option<oneshot::Sender<io::Result<()>>>,
}

impl Opening {
    /// Opens the file; `None` if it failed and the receiver got the error.
    ///
    /// # Errors
    /// An I/O error, without a receiver.
    pub fn open(mut self) -> io::Result<Option<(Output<File>, Place)>> {
        let waits = self.result.take();
        let begun = self.begin();
        self.progress.failed.store(begun.is_err(), Ordering::Relaxed);
        match (begun, waits) {
            (Ok(begun), waits) => {
                // An abandoned start needs no result.
                let _ = waits.map(|waits| waits.send(Ok(())));
                Ok(Some(begun))
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(waits)) => match waits.send(Err(error)) {
                Err(Err(error)) => Err(error),
                _ => Ok(None),
            },
        }
    }

    fn begin(&self) -> io::Result<(Output<File>, Place)> {
        fs::create_dir_all(&self.folder)?;
        let path = self
            .folder
            .join(format!("{}-{:04}.jsonl", self.started.as_millis(), self.number));
        let place = Place {
            part: path.with_extension("jsonl.part"),
            path,
            keep: self.bounds.files,
        };
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&place.part)?;
        let header = Header {
            sigbridge_trace: VERSION,
            started_ms: self.started.as_millis(),
            program: Text::from(env!("CARGO_PKG_VERSION")),
            redaction: self.redaction.header(),
            source: None,
            missing: Vec::new(),
        };
        let begun = file.write_all((serde_json::to_string(&header)? + "\n").as_bytes());
        if let Err(error) = begun {
            // A file without a header is not a trace.
            let _ = fs::remove_file(&place.part);
            return Err(error);
        }
        let limit = self.bounds.file_bytes.saturating_mul(CUT);
        let redactor = Redactor::new(self.redaction.clone());
        Ok((Output::new(file, redactor, limit, self.progress.clone()), place))
    }
}

/// Paths of a file.
#[derive(Debug)]
pub struct Place {
    /// Path during writing.
    pub part: PathBuf,
    path: PathBuf,
    keep: usize,
}

impl Place {
    /// Renames the complete file, and removes the oldest files.
    ///
    /// # Errors
    /// An I/O error.
    pub fn finish(&self) -> io::Result<()> {
        fs::rename(&self.part, &self.path)?;
        if let Some(folder) = self.path.parent() {
            remove_oldest(folder, self.keep);
        }
        Ok(())
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

/// Open output file.
pub struct Output<W> {
    file: W,
    redactor: Redactor,
    limit: u64,
    progress: Arc<Progress>,
    /// Sessions that began and did not end.
    sessions: BTreeSet<u64>,
    /// Time of the last record.
    last_us: u64,
}

impl<W: Write> Output<W> {
    fn new(file: W, redactor: Redactor, limit: u64, progress: Arc<Progress>) -> Self {
        Self {
            file,
            redactor,
            limit,
            progress,
            sessions: BTreeSet::new(),
            last_us: 0,
        }
    }

    /// Writes records; returns the number written, and whether the disk accepts more. Fewer without an error means that
    /// the file is too large. `lines` is an empty scratch buffer.
    pub fn write(&mut self, batch: &mut Batch, lines: &mut String) -> (usize, io::Result<()>) {
        let (mut written, mut waiting) = (0, 0);
        let mut before = self.progress.bytes();
        lines.clear();
        for (t_us, session, what) in batch.drain() {
            let begin = lines.len();
            let turn = OutputOrder::of(&what);
            self.redactor.write(t_us, session, what, lines);
            if before + lines.len() as u64 > self.limit {
                lines.truncate(begin);
                break;
            }
            self.note(t_us, session, turn);
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
            let bytes = before + lines.len() as u64;
            self.progress.bytes.store(bytes, Ordering::Relaxed);
            written += waiting;
        }
        (written, result)
    }

    fn note(&mut self, t_us: u64, session: u64, turn: Option<OutputOrder>) {
        self.last_us = self.last_us.max(t_us);
        match turn {
            Some(OutputOrder::Begins) => {
                self.sessions.insert(session);
            }
            Some(OutputOrder::Ends) => {
                self.sessions.remove(&session);
            }
            None => {}
        }
    }

    /// Marks all open sessions as truncated; returns their number.
    ///
    /// # Errors
    /// An I/O error.
    pub fn lose_sessions(&mut self) -> io::Result<usize> {
        let sessions = std::mem::take(&mut self.sessions);
        let mut lines = String::new();
        for session in &sessions {
            let record = Record {
                t_us: self.last_us,
                session: *session,
                leg: Leg::Env,
                dir: Dir::In,
                row: None,
                data: one("lost", true.into()),
            };
            let record = Waiting::Record(Box::new(record));
            self.redactor.write(self.last_us, *session, record, &mut lines);
        }
        self.file.write_all(lines.as_bytes())?;
        Ok(sessions.len())
    }
}

/// Role of a record in its session.
#[derive(Clone, Copy, Debug)]
enum OutputOrder {
    Begins,
    Ends,
}

impl OutputOrder {
    fn of(what: &Waiting<'_>) -> Option<Self> {
        let Waiting::Record(record) = what else { return None };
        let (name, _) = record.data.as_map().filter(|_| record.leg == Leg::Env)?.first()?;
        match &**name {
            "begin" => Some(Self::Begins),
            "end" | "cut" => Some(Self::Ends),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::TraceEvent;
    use crate::{Policy, read};
    use protocol::event::SocketId;
    use tables::Tables;

    pub fn opening() -> Opening {
        Opening {
            folder: PathBuf::new(),
            started: Time::default(),
            number: 1,
            bounds: Bounds {
                file_bytes: 1 << 20,
                file_time: Duration::from_secs(1),
                files: 1,
            },
            redaction: keeps(),
            progress: Arc::default(),
            result: None,
        }
    }

    fn keeps() -> Redaction {
        let tables = Arc::new(Tables::default());
        Redaction::new(&tables, Policy::Keep, Policy::Keep).expect("random bytes")
    }

    /// Disk with a capacity.
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

    fn output(room: usize, limit: u64) -> Output<Disk> {
        Output::new(Disk(Vec::new(), room), Redactor::new(keeps()), limit, Arc::default())
    }

    const HEADER: &str = "{\"sigbridge_trace\":1,\"started_ms\":0,\"program\":\"\"}\n";

    fn text(output: &Output<Disk>) -> String {
        HEADER.to_owned() + std::str::from_utf8(&output.file.0).expect("UTF-8")
    }

    /// Checks how many of ten records are written, and whether the disk is full then.
    fn check(room: usize, limit: u64, expected: usize, is_full: bool) {
        let mut output = output(room, limit);
        let mut batch = Batch::default();
        for _ in 0..10 {
            let (socket, frame) = (SocketId(1), "x");
            batch.add(0, 1, TraceEvent::Decoded { socket, frame });
        }
        let (written, result) = output.write(&mut batch, &mut String::new());
        assert_eq!((written, result.is_err()), (expected, is_full));
        let text = text(&output);
        assert!(is_full || text.lines().count() == expected + 1, "only whole lines");
        assert_eq!(
            read(text.as_bytes()).is_err(),
            is_full,
            "a truncated file is not renamed"
        );
    }

    #[test]
    fn a_file_ends_where_the_disk_does_or_its_size() {
        check(1 << 20, 1 << 20, 10, false);
        check(300, 1 << 20, 0, true);
        check(1 << 20, 300, 3, false);
    }

    #[test]
    fn sessions_that_have_not_ended_are_lost() {
        let mut output = output(1 << 20, 1 << 20);
        let mut batch = Batch::default();
        let mut add = |t_us, session, dir, name| {
            batch.add(t_us, session, TraceEvent::Other(Leg::Env, dir, one(name, true.into())));
        };
        (1..=3).for_each(|session| add(session, session, Dir::In, "begin"));
        add(7000, 1, Dir::Out, "end");
        add(5000, 3, Dir::In, "cut");
        assert_eq!(output.write(&mut batch, &mut String::new()).0, 5);
        assert_eq!(output.lose_sessions().expect("room"), 1);
        let text = text(&output);
        let last = r#"{"t_us":7000,"session":2,"leg":"env","dir":"in","data":{"lost":true}}"#;
        assert_eq!(text.lines().last(), Some(last));
        read(text.as_bytes()).expect("a trace");
    }
}
