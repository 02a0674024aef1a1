//! Files of commands: traces that are found, and what is written as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use text_files::{files_below, has_extension};
use trace::{Trace, read, read_as_written, read_unfinished};

use crate::cli::exit::{Exit, note, tell};

/// Writes beside a file and renames: nothing half-written takes its name. For its owner alone, since traces and what is
/// said of them hold what people said.
///
/// # Errors
/// The file system's, and those of `what`; the file is as it was then.
pub fn write_beside(path: &Path, what: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut beside: OsString = path.into();
    // Not `.part`: that is a recording which is not finished.
    beside.push(".new");
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

/// Returns a hint for a trace that cannot be read.
pub fn trace_hint(path: &Path) -> Option<&'static str> {
    let is_har = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("har"));
    is_har.then_some("`sigbridge trace import` makes a trace of a HAR")
}

/// Refuses an output that is an input: it would be replaced.
///
/// # Errors
/// It is one, and the error is printed.
pub fn refuse_input<'p>(output: &Path, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Exit> {
    if !inputs.into_iter().any(|input| is_same(output, input)) {
        return Ok(());
    }
    let error = format!("{} is an input, and would be replaced", output.display());
    tell(error, Some("name another file for the output"));
    Err(Exit::Usage)
}

/// Whether two paths lead to one file that is there.
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

/// The end of the name of a recording that is not finished.
const UNFINISHED: &str = "jsonl.part";

/// Whether a path is that of a recording that is not finished.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(&format!(".{UNFINISHED}"))
}

/// Opens a trace, finished or not.
///
/// # Errors
/// It cannot be read; where and why.
pub fn open_trace(path: &Path) -> Result<Trace, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let trace = match is_unfinished(path) {
        true => read_unfinished(file),
        false => read(file),
    };
    trace.map_err(|error| error.to_string())
}

/// Reads a finished trace with the placeholders that it was redacted with.
pub fn trace_as_written(path: &Path) -> Result<Trace, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    read_as_written(file).map_err(|error| error.to_string())
}

/// Notes that sessions of a trace break off, which is no error.
pub fn note_cut(path: &Path, trace: &Trace) {
    let (path, cut, all) = (path.display(), trace.cut().len(), trace.sessions().len());
    if trace.unfinished {
        note(format_args!(
            "{path} is not finished: {cut} of {all} sessions break off"
        ));
    } else if cut > 0 {
        note(format_args!(
            "{path}: {cut} of {all} sessions break off: they were not recorded to their end"
        ));
    }
}

/// Finds the traces of files and folders; an error is printed where there are none. Unfinished ones are taken where they are
/// named.
pub fn trace_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    let walked = files_below(paths, |path| has_extension(path, "jsonl") || is_unfinished(path));
    let walked = walked.map_err(|unreadable| {
        tell(unreadable, None);
        Exit::Unreadable
    })?;
    let (found, unfinished): (Vec<PathBuf>, Vec<PathBuf>) = walked
        .into_iter()
        .partition(|path| !is_unfinished(path) || paths.contains(path));
    match (found.is_empty(), unfinished.first()) {
        (false, None) => {}
        (false, Some(_)) => note(format_args!(
            "left out {} that are not finished (.{UNFINISHED}): name them to have them read",
            unfinished.len()
        )),
        (true, None) => {
            tell("there are no traces", Some("traces are files that end in .jsonl"));
            return Err(Exit::Unreadable);
        }
        (true, Some(first)) => {
            let error = format!("there are no finished traces, and {} that are not", unfinished.len());
            let hint = format!(
                "a server is writing them, or was killed: name one to have it read, as {}",
                first.display()
            );
            tell(error, Some(&hint));
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
