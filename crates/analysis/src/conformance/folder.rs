//! Replay of a directory of traces.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::encoders;
use tables::Tables;
use text_files::{Unreadable, files_in, has_extension};
use trace::{InconsistentRecord, TraceError, read, replay};

use crate::conformance::exercised::Exercised;

/// Error of an evidence directory.
#[derive(Debug, thiserror::Error)]
pub enum Unplayed {
    /// The directory or a file of it is unreadable.
    #[error(transparent)]
    Io(#[from] Unreadable),
    /// A profile's wire is missing in the tables.
    #[error("a profile of the tables has no wire")]
    NoWire,
    /// A file is not a valid trace.
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: TraceError },
    /// A trace contains an impossible record.
    #[error("{path}: {source}")]
    InconsistentRecord { path: PathBuf, source: InconsistentRecord },
    /// A replayed trace differs from its recording.
    #[error("{path}:{line}: the replay differs from the recording")]
    Different {
        path: PathBuf,
        /// Line of the first difference.
        line: usize,
    },
}

/// Replays the traces of a directory; returns the pairs that they exercise.
///
/// # Errors
/// The first trace that is unreadable or differs.
pub fn play_folder(tables: &Arc<Tables>, folder: &Path) -> Result<Exercised, Unplayed> {
    let encoders = Arc::new(encoders(tables).ok_or(Unplayed::NoWire)?);
    let mut exercised = Exercised::default();
    for path in files_in(folder, |path| has_extension(path, "jsonl"))? {
        let file = File::open(&path).map_err(|source| Unreadable::new(&path, source))?;
        let trace = read(file).map_err(|source| Unplayed::Unreadable {
            path: path.clone(),
            source,
        })?;
        let outcome = replay(tables, &encoders, &trace).map_err(|source| Unplayed::InconsistentRecord {
            path: path.clone(),
            source,
        })?;
        if let Some(difference) = outcome.differences.first() {
            let line = difference.line;
            return Err(Unplayed::Different { path, line });
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        exercised.add(tables, &name, &outcome.used);
    }
    Ok(exercised)
}
