//! Files of commands: search for traces, and output files that are written as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use text_files::{files_below, has_extension};
use trace::{Trace, read, read_as_written, read_unfinished};

use crate::cli::exit::{Error, Exit, note};
use crate::cli::messages::print_error;

/// Writes a temporary file and renames it, so that no partial file gets the name. Mode 0600, since traces hold users'
/// messages.
///
/// # Errors
/// An I/O error, also of `content`; the file is then unchanged.
pub fn write_beside(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut beside: OsString = path.into();
    // Not `.part`: that is a recording which is not finished.
    beside.push(".new");
    let written = options().open(&beside).and_then(|file| {
        let mut file = BufWriter::new(file);
        content(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Returns the hint for an unreadable trace.
pub fn trace_hint(path: &Path) -> Option<&'static str> {
    let is_har = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("har"));
    is_har.then_some("convert a HAR file with `sigbridge trace import`")
}

/// Rejects an output path that is also an input.
///
/// # Errors
/// The output is an input.
pub fn refuse_input<'p>(output: &Path, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Error> {
    if !inputs.into_iter().any(|input| is_same(output, input)) {
        return Ok(());
    }
    let message = format!("{} is an input and would be overwritten", output.display());
    Err(Error::usage(message).hint("choose another output file"))
}

/// Returns true if both paths name the same existing file.
fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        identity(a).is_some_and(|a| identity(b) == Some(a))
    }
    #[cfg(not(unix))]
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

/// File extension of an unfinished recording.
const UNFINISHED: &str = "jsonl.part";

/// Returns true for the path of an unfinished recording.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(&format!(".{UNFINISHED}"))
}

///
/// # Errors
/// The place and reason of the read error.
pub fn open_trace(path: &Path) -> Result<Trace, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let trace = match is_unfinished(path) {
        true => read_unfinished(file),
        false => read(file),
    };
    trace.map_err(|error| error.to_string())
}

/// Reads a finished trace with its redaction placeholders.
pub fn trace_as_written(path: &Path) -> Result<Trace, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    read_as_written(file).map_err(|error| error.to_string())
}

/// Prints a note about truncated sessions.
pub fn note_cut(path: &Path, trace: &Trace) {
    let (path, cut, all) = (path.display(), trace.cut().len(), trace.sessions().len());
    if trace.unfinished {
        note(format_args!(
            "{path} is unfinished: {cut} of {all} sessions are truncated"
        ));
    } else if cut > 0 {
        note(format_args!(
            "{path}: {cut} of {all} sessions are truncated; recording stopped before they ended"
        ));
    }
}

/// Finds the traces of files and directories; prints an error if there are none. Unfinished traces count only if
/// named explicitly.
pub fn trace_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    let walked = files_below(paths, |path| has_extension(path, "jsonl") || is_unfinished(path));
    let walked = walked.map_err(|unreadable| {
        print_error(unreadable, None);
        Exit::Unreadable
    })?;
    let (found, unfinished): (Vec<PathBuf>, Vec<PathBuf>) = walked
        .into_iter()
        .partition(|path| !is_unfinished(path) || paths.contains(path));
    match (found.is_empty(), unfinished.first()) {
        (false, None) => {}
        (false, Some(_)) => note(format_args!(
            "skipped {} unfinished traces (.{UNFINISHED}); name a file explicitly to read it",
            unfinished.len()
        )),
        (true, None) => {
            print_error("no traces found", Some("trace files end in .jsonl"));
            return Err(Exit::Unreadable);
        }
        (true, Some(first)) => {
            let error = format!("no finished traces found, and {} unfinished ones", unfinished.len());
            let hint = format!(
                "a server still writes them, or was killed; name a file explicitly to read it, e.g. {}",
                first.display()
            );
            print_error(error, Some(&hint));
            return Err(Exit::Unreadable);
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
