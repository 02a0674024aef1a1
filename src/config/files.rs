//! Files named in the config.

use std::io;
use std::path::{Path, PathBuf};

use text_files::read_text;

/// Source of the config's secrets; tests have their own.
pub trait Files {
    /// Reads a file without a BOM. The implementation resolves relative paths.
    ///
    /// # Errors
    /// An I/O error, or invalid UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Returns an environment variable that is set and not blank.
    fn env(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Returns the path for a later reload.
    fn path(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Files on disk; relative paths start at the config's directory, independent of the working directory.
#[derive(Clone, Debug)]
pub struct DiskFiles {
    base: PathBuf,
}

impl DiskFiles {
    /// Creates a source for the config file at `config`.
    pub fn beside(config: &Path) -> Self {
        Self {
            base: config.parent().unwrap_or(Path::new("")).to_owned(),
        }
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<String> {
        read_text(&self.path(path))
    }

    fn env(&self, name: &str) -> Option<String> {
        let text = std::env::var(name).ok()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}
