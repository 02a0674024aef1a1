//! Recorder of a running server: state, and the file for new sessions.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info, warn};

use rtm::time::Time;
use tables::Tables;

use crate::event::TraceEvent;
use crate::output::{Bounds, Opening, Progress};
use crate::policy::Redaction;
use crate::queue::{Added, Queue, WriterOverloaded};
use crate::session_recorder::{SessionRecorder, Sink};
use crate::writer;
use crate::writer::Health;

/// State of the recording. Running sessions are not added, since a trace must start at a session's beginning.
///
/// Sessions take a short lock here and never access the disk.
pub struct Recorder {
    now: Mutex<Option<Recording>>,
    /// Sink in place of files.
    other: OnceLock<OtherSink>,
    queue: Arc<Queue>,
    /// End of the writer thread, if started.
    thread: Mutex<Option<oneshot::Receiver<()>>>,
    health: Health,
}

struct OtherSink {
    sink: Arc<dyn Sink>,
    started: Time,
    next_session: AtomicU64,
}

struct Recording {
    folder: PathBuf,
    bounds: Bounds,
    redaction: Redaction,
    file: Arc<TraceFile>,
    number: u64,
    /// Set after a log line about a slow disk.
    behind: bool,
}

impl Recorder {
    /// Creates a stopped recorder; `health` counts its work.
    pub fn new(health: Health) -> Self {
        Self {
            now: Mutex::default(),
            other: OnceLock::new(),
            queue: Arc::default(),
            thread: Mutex::default(),
            health,
        }
    }

    /// Records new sessions, once the first file is open; `redaction` is for this recording only.
    ///
    /// # Errors
    /// An I/O error.
    pub async fn start(&self, folder: PathBuf, bounds: Bounds, redaction: Redaction, now: Time) -> io::Result<()> {
        self.start_thread()?;
        let (result, opened) = oneshot::channel();
        let opening = opening(&folder, now, (1, bounds), &redaction, Some(result));
        let file = self.begin(opening).map_err(io::Error::other)?;
        opened.await.map_err(io::Error::other)??;
        info!(folder = %folder.display(), redaction = &*redaction.header(), "recording");
        *self.now.lock() = Some(Recording {
            folder,
            bounds,
            redaction,
            file: Arc::new(file),
            number: 1,
            behind: false,
        });
        Ok(())
    }

    /// Records all sessions from now on into a sink in place of files, without redaction.
    pub fn record_into(&self, sink: Arc<dyn Sink>, started: Time) {
        let _ = self.other.set(OtherSink {
            sink,
            started,
            next_session: AtomicU64::new(1),
        });
    }

    fn start_thread(&self) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            *thread = Some(writer::start(self.queue.clone(), self.health.clone())?);
        }
        Ok(())
    }

    /// Stops recording new sessions; recorded ones continue to their end. Returns false if recording was not on.
    pub fn stop(&self) -> bool {
        self.now.lock().take().is_some()
    }

    /// Ends all traces, and waits up to `limit` for the writer. Lost records are counted and logged.
    pub async fn finish(&self, limit: Duration) {
        self.stop();
        self.queue.finish();
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        if timeout(limit, thread).await.is_err() {
            let records = self.queue.unwritten() as u64;
            self.health.lost.inc_by(records);
            error!(
                records,
                hint = "the disk is too slow; the .part files hold the written parts",
                "traces unfinished at shutdown"
            );
        }
    }

    /// Returns true if new sessions are recorded.
    pub fn is_on(&self) -> bool {
        self.now
            .lock()
            .as_ref()
            .is_some_and(|now| !now.file.progress.has_failed())
    }

    /// Returns the recorder of a new session.
    pub fn session_recorder(&self, tables: &Arc<Tables>, now: Time) -> Option<SessionRecorder> {
        if let Some(other) = self.other.get() {
            let session = other.next_session.fetch_add(1, Ordering::Relaxed);
            let (sink, tables) = (other.sink.clone(), tables.clone());
            return Some(SessionRecorder::new(sink, tables, other.started, session));
        }
        let mut recording = self.now.lock();
        let current = recording.as_mut()?;
        if current.file.progress.has_failed() {
            // The writer thread logged the reason.
            *recording = None;
            return None;
        }
        if current.file.is_full(now, current.bounds) {
            let number = current.number + 1;
            let opening = opening(&current.folder, now, (number, current.bounds), &current.redaction, None);
            let Ok(file) = self.begin(opening) else {
                self.health.lost.inc();
                if !std::mem::replace(&mut current.behind, true) {
                    warn!(
                        hint = "the disk is too slow",
                        "new sessions are not recorded: earlier records are not written yet"
                    );
                }
                return None;
            };
            (current.file, current.number, current.behind) = (Arc::new(file), number, false);
        }
        let file = current.file.clone();
        let session = file.next_session.fetch_add(1, Ordering::Relaxed);
        let started = file.started;
        Some(SessionRecorder::new(file, tables.clone(), started, session))
    }

    fn begin(&self, opening: Opening) -> Result<TraceFile, WriterOverloaded> {
        let (started, progress) = (opening.started, opening.progress.clone());
        Ok(TraceFile {
            number: self.queue.begin(opening)?,
            queue: self.queue.clone(),
            progress,
            started,
            next_session: AtomicU64::new(1),
            health: self.health.clone(),
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.close_all();
    }
}

fn opening(
    folder: &Path,
    started: Time,
    (number, bounds): (u64, Bounds),
    redaction: &Redaction,
    result: Option<oneshot::Sender<io::Result<()>>>,
) -> Opening {
    Opening {
        folder: folder.to_owned(),
        started,
        number,
        bounds,
        redaction: redaction.clone(),
        progress: Arc::default(),
        result,
    }
}

/// File as its sessions see it. A session is in one file only, so the file ends with its last session.
struct TraceFile {
    queue: Arc<Queue>,
    /// File number in the queue.
    number: u64,
    progress: Arc<Progress>,
    started: Time,
    next_session: AtomicU64,
    health: Health,
}

impl TraceFile {
    /// Returns true if new sessions need a new file.
    fn is_full(&self, now: Time, bounds: Bounds) -> bool {
        self.queue.is_over(self.number)
            || self.progress.bytes() >= bounds.file_bytes
            || now.since(self.started) >= bounds.file_time
    }
}

impl Sink for TraceFile {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        match self.queue.add(self.number, t_us, session, what) {
            Added::Waits => {}
            Added::ExpansionLimitExceeded => {
                self.health.lost.inc();
                warn!(hint = "the disk is too slow", "trace stopped: write queue full");
            }
            Added::Over => {
                self.health.lost.inc();
            }
        }
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        self.queue.close(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Begin, Policy, read};
    use protocol::event::SocketId;

    fn redaction() -> (Arc<Tables>, Redaction) {
        let tables = Arc::new(Tables::default());
        let redaction = Redaction::new(&tables, Policy::Keep, Policy::Keep).expect("random bytes");
        (tables, redaction)
    }

    fn bounds(file_time: Duration) -> Bounds {
        Bounds {
            file_bytes: 1 << 20,
            file_time,
            files: 10,
        }
    }

    fn begin(tape: &SessionRecorder, account: &str) {
        tape.begin(&Begin {
            profile: "web".into(),
            account: account.into(),
            offline_messages: false,
            durable: false,
            lacks: Vec::new(),
            platform: None,
            limits: engine::SessionLimits::default(),
        });
    }

    #[tokio::test]
    async fn all_traces_are_finished_at_the_end() {
        let folder = std::env::temp_dir().join(format!("sigbridge-recorder-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let recorder = Recorder::new(Health::default());
        let (tables, redaction) = redaction();
        let (hour, now) = (Duration::from_secs(3600), Time::from_millis);
        let started = recorder.start(folder.join("of/several"), bounds(hour), redaction, now(5));
        started.await.expect("the folder can be made");
        let tape = |at| recorder.session_recorder(&tables, now(at)).expect("it records");
        let (stays, ends, later) = (tape(6), tape(6), tape(5 + 3_600_000));
        for (tape, account) in [(&stays, "alice"), (&ends, "bob"), (&later, "carol")] {
            begin(tape, account);
        }
        ends.cut(now(7));
        recorder.finish(Duration::from_secs(10)).await;
        assert!(recorder.session_recorder(&tables, now(8)).is_none());
        stays.frame_in(SocketId(1), "too late");

        let mut texts: Vec<(String, String)> = fs::read_dir(folder.join("of/several"))
            .expect("the folder is there")
            .map(|entry| entry.expect("a file").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, fs::read_to_string(path).expect("a text"))
            })
            .collect();
        texts.sort();
        let ends = |text: &str, name: &str| text.matches(&format!("{{\"{name}\":true}}")).count();
        let shown: Vec<_> = texts
            .iter()
            .map(|(name, text)| (&**name, ends(text, "cut"), ends(text, "lost")))
            .collect();
        assert_eq!(shown, [("3600005-0002.jsonl", 0, 1), ("5-0001.jsonl", 1, 1)]);
        texts
            .iter()
            .for_each(|(_, text)| drop(read(text.as_bytes()).expect("a trace")));
        assert_eq!((recorder.health.written.get(), recorder.health.lost.get()), (4, 1));
        fs::remove_dir_all(&folder).expect("it can be removed");
    }

    #[tokio::test]
    async fn an_unwritable_folder_is_reported() {
        let recorder = Recorder::new(Health::default());
        let (_, redaction) = redaction();
        let file = std::env::current_exe().expect("this program");
        let started = recorder.start(file, bounds(Duration::from_secs(1)), redaction, Time::default());
        started.await.expect_err("it is a file");
        assert!(!recorder.is_on());
    }

    /// No writer thread: the disk hangs forever.
    #[tokio::test(start_paused = true)]
    async fn sessions_do_not_wait_for_a_disk() {
        let recorder = Recorder::new(Health::default());
        let (tables, redaction) = redaction();
        let (folder, bounds) = (PathBuf::from("nowhere"), bounds(Duration::from_secs(1)));
        let first = opening(&folder, Time::default(), (1, bounds), &redaction, None);
        *recorder.now.lock() = Some(Recording {
            folder,
            bounds,
            redaction,
            file: Arc::new(recorder.begin(first).expect("nothing waits")),
            number: 1,
            behind: false,
        });
        let (_hangs, ended) = oneshot::channel();
        *recorder.thread.lock() = Some(ended);
        let now = Time::from_millis;
        begin(
            &recorder.session_recorder(&tables, now(0)).expect("it waits in memory"),
            "alice",
        );
        // Needs another file, and the first one is not open yet.
        assert!(recorder.session_recorder(&tables, now(1000)).is_none());
        assert!(recorder.is_on());
        assert_eq!(recorder.health.lost.get(), 1);
        recorder.finish(Duration::from_secs(5)).await;
        assert_eq!(recorder.health.lost.get(), 2, "waiting records are lost");
    }
}
