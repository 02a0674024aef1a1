//! Files that the config names.

use std::io;
use std::path::{Path, PathBuf};

use text_files::read_text;

/// Where the config's secrets are read from; tests have their own.
pub trait Files {
    /// The file's text, without a BOM. A relative path means what the implementation says.
    ///
    /// # Errors
    /// The file system's; also when the file is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// A variable of the environment, if it is set and not blank.
    fn env(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// The path by which the file is found again later.
    fn path(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// The disk: relative paths start at the directory of the config file, so a sidecar may be started from anywhere.
#[derive(Clone, Debug)]
pub struct DiskFiles {
    base: PathBuf,
}

impl DiskFiles {
    /// Of the config file at `config`.
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
