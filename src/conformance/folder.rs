//! A folder of traces, played.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::encoders;
use tables::Tables;
use text_files::{Unreadable, files_in, has_extension};
use trace::{NoSense, TraceError, read, replay};

use crate::conformance::exercised::Exercised;

/// Why a folder does not show what it should.
#[derive(Debug, thiserror::Error)]
pub enum Unplayed {
    /// The folder or a file of it cannot be read.
    #[error(transparent)]
    Io(#[from] Unreadable),
    /// The tables lack the wire of a profile.
    #[error("the tables have no wire for a profile")]
    NoWire,
    /// A file is no trace.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: TraceError,
    },
    /// A trace has something that cannot have happened.
    #[error("{path}: {source}")]
    NoSense {
        /// Which.
        path: PathBuf,
        /// What.
        source: NoSense,
    },
    /// A trace is not played as it was recorded.
    #[error("{path}:{line}: it is not played as it was recorded")]
    Different {
        /// Which.
        path: PathBuf,
        /// The line of the first difference.
        line: usize,
    },
}

/// Plays the traces of a folder; what their sessions exercise.
///
/// # Errors
/// The first trace that cannot be read, or is not played as it was recorded.
pub fn play_folder(tables: &Arc<Tables>, folder: &Path) -> Result<Exercised, Unplayed> {
    let encoders = Arc::new(encoders(tables).ok_or(Unplayed::NoWire)?);
    let mut exercised = Exercised::default();
    for path in files_in(folder, |path| has_extension(path, "jsonl"))? {
        let file = File::open(&path).map_err(|source| Unreadable::new(&path, source))?;
        let trace = read(file).map_err(|source| Unplayed::Unreadable {
            path: path.clone(),
            source,
        })?;
        let outcome = replay(tables, &encoders, &trace).map_err(|source| Unplayed::NoSense {
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
