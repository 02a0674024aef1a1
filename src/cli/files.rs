//! Files of commands: traces that are found, and what is written as a whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::exit::{Exit, tell};

/// Writes beside a file and renames: nothing half-written takes its name. For its owner alone, since traces and what is
/// said of them hold what people said.
///
/// # Errors
/// The file system's, and those of `what`; the file is as it was then.
pub fn write_beside(path: &Path, what: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut beside: OsString = path.into();
    beside.push(".part");
    let written = options().open(&beside).and_then(|file| {
        let mut file = BufWriter::new(file);
        what(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The traces of files and folders; an error is told where there are none.
pub fn trace_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    match traces_in(paths) {
        Ok(found) if found.is_empty() => tell("there are no traces", Some("traces are files that end in .jsonl")),
        Ok(found) => return Ok(found),
        Err((path, error)) => tell(format_args!("cannot read {}: {error}", path.display()), None),
    }
    Err(Exit::Unreadable)
}

/// Those of files and folders, by name.
fn traces_in(paths: &[PathBuf]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let entries = entries.map_err(|error| (path.clone(), error))?;
            let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            inside.retain(|path| path.is_dir() || path.extension().is_some_and(|ext| ext == "jsonl"));
            inside.sort();
            found.extend(traces_in(&inside)?);
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
