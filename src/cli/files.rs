//! Files that are written as a whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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

fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
