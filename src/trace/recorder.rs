//! The recording of a running server: on or off, and which file new sessions go to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{error, info};

use crate::mapping::Tables;
use crate::time::Time;

use super::policy::Redaction;
use super::tape::Tape;
use super::writer::{Bounds, Health, TraceFile};

/// Whether sessions are recorded, and where. Sessions that have begun before stay as they are: a trace is of use only
/// from a session's beginning.
pub struct Recorder {
    now: Mutex<Option<Recording>>,
    health: Health,
}

struct Recording {
    folder: PathBuf,
    bounds: Bounds,
    redaction: Redaction,
    file: Arc<TraceFile>,
    number: u64,
}

impl Recorder {
    /// One that is off; `health` counts what it does.
    pub fn new(health: Health) -> Self {
        Self {
            now: Mutex::default(),
            health,
        }
    }

    /// Begins to record the sessions that begin from now on; `redaction` is of this recording alone.
    ///
    /// # Errors
    /// The file system's.
    pub fn start(&self, folder: PathBuf, bounds: Bounds, redaction: Redaction, now: Time) -> io::Result<()> {
        let file = Arc::new(TraceFile::begin(
            &folder,
            now,
            1,
            bounds,
            &redaction,
            self.health.clone(),
        )?);
        info!(folder = %folder.display(), redaction = &*redaction.header(), "recording");
        *self.now.lock() = Some(Recording {
            folder,
            bounds,
            redaction,
            file,
            number: 1,
        });
        Ok(())
    }

    /// Records no more sessions; those that are recorded are so to their end. False when none were.
    pub fn stop(&self) -> bool {
        self.now.lock().take().is_some()
    }

    /// True when sessions that begin are recorded.
    pub fn is_on(&self) -> bool {
        self.now.lock().is_some()
    }

    /// The tape of a session that begins.
    pub fn tape(&self, tables: &Arc<Tables>, now: Time) -> Option<Tape> {
        let mut recording = self.now.lock();
        let current = recording.as_mut()?;
        if current.file.is_full(now, current.bounds) {
            let number = current.number + 1;
            match TraceFile::begin(
                &current.folder,
                now,
                number,
                current.bounds,
                &current.redaction,
                self.health.clone(),
            ) {
                Ok(file) => (current.file, current.number) = (Arc::new(file), number),
                Err(error) => {
                    error!(%error, hint = "make room and start it again", "the recording ends");
                    *recording = None;
                    return None;
                }
            }
        }
        let file = current.file.clone();
        let session = file.new_session();
        let started = file.started;
        Some(Tape::new(file, tables.clone(), started, session))
    }
}
