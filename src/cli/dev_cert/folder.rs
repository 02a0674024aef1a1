//! The folder of a CA and its certificate.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use text_files::read_text;

/// First line of files from this command. PEM readers skip text before the first block.
const MARK: &str = "# ServerCertificate by `sigbridge dev-cert`";

pub struct Folder {
    dir: PathBuf,
    /// CA certificate, installed on devices.
    pub ca: PathBuf,
    pub ca_key: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Folder {
    /// Returns the paths in `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            ca: dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            certificate: dir.join("cert.pem"),
            key: dir.join("key.pem"),
            dir,
        }
    }

    /// Reads the CA's certificate and key as PEM; returns `None` if both are missing.
    ///
    /// # Errors
    /// The unreadable file and the I/O error; also if only one of them exists.
    pub fn read_ca(&self) -> Result<Option<(String, String)>, (&Path, io::Error)> {
        if !self.ca.exists() && !self.ca_key.exists() {
            return Ok(None);
        }
        let read = |path| read_text(path).map_err(|error| (path, error));
        Ok(Some((read(self.ca.as_path())?, read(self.ca_key.as_path())?)))
    }

    /// Returns a file that another program wrote and this run would overwrite.
    pub fn foreign(&self) -> Option<&Path> {
        let marked = read_text(&self.certificate).is_ok_and(|text| text.starts_with(MARK));
        let foreign = [&self.certificate, &self.key].into_iter().find(|path| path.exists());
        foreign.filter(|_| !marked).map(PathBuf::as_path)
    }

    /// Writes the server's key and certificate; `names` goes into the comment.
    ///
    /// # Errors
    /// The file and the I/O error.
    pub fn write_certificate(&self, certificate: &str, key: &str, names: &str) -> Result<(), (&Path, io::Error)> {
        self.write(&self.key, key, true)?;
        self.write(&self.certificate, &format!("{MARK} for {names}\n{certificate}"), false)
    }

    ///
    /// # Errors
    /// The file and the I/O error.
    pub fn write_ca(&self, certificate: &str, key: &str) -> Result<(), (&Path, io::Error)> {
        self.write(&self.ca_key, key, true)?;
        self.write(&self.ca, certificate, false)
    }

    /// Writes by rename, so that a concurrent reader gets the whole old or the whole new file.
    fn write<'p>(&self, path: &'p Path, text: &str, secret: bool) -> Result<(), (&'p Path, io::Error)> {
        let write = || {
            fs::create_dir_all(&self.dir)?;
            let new = path.with_extension("new");
            // One that was left behind may have other rights.
            if let Err(error) = fs::remove_file(&new)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            if secret {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            #[cfg(not(unix))]
            let _ = secret;
            options.open(&new)?.write_all(text.as_bytes())?;
            fs::rename(&new, path)
        };
        write().map_err(|error| (path, error))
    }
}
