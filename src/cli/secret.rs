//! Secrets that a command needs: out of files or the environment.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;

use crate::config::{CERTIFICATE_ENV, CERTIFICATE_HINT, SECRET_HINT};
use text_files::{one_line, read_text};

use crate::cli::exit::Error;

/// Sources of the App Certificate.
#[derive(Debug, Args)]
pub struct CertificateArgs {
    /// File with the App Certificate [default: the environment variable SIGBRIDGE_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// Accepted only to be rejected.
    #[arg(long, hide = true, num_args = 0..=1)]
    certificate: Option<Option<SecretString>>,
}

/// Returns the App Certificate, if one is configured.
pub fn certificate(args: &CertificateArgs) -> Result<Option<SecretString>, Error> {
    if args.certificate.is_some() {
        return Err(on_command_line());
    }
    if let Some(path) = &args.certificate_file {
        return read_as(path, CERTIFICATE_HINT).map(Some);
    }
    let text = std::env::var(CERTIFICATE_ENV).unwrap_or_default();
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Rejects a secret on the command line.
pub fn on_command_line() -> Error {
    Error::usage("the App Certificate must not be passed as an argument").hint(
        "arguments are shown by `ps` and kept in the shell's history: use --certificate-file FILE or the environment \
             variable SIGBRIDGE_CERTIFICATE, and give the project a new certificate if this one was real",
    )
}

/// Reads a secret or token: the file's only line, trimmed.
pub fn read(path: &Path) -> Result<SecretString, Error> {
    read_as(path, SECRET_HINT)
}

fn read_as(path: &Path, hint: &'static str) -> Result<SecretString, Error> {
    let unreadable = |error| Error::usage(format_args!("cannot read {}: {error}", path.display()));
    let text = read_text(path).map_err(unreadable)?;
    let invalid = |not_one| Error::usage(format_args!("{} {not_one}", path.display())).hint(hint);
    one_line(&text).map(SecretString::from).map_err(invalid)
}

/// Returns true if a text has the form of an App Certificate or App ID.
pub fn looks_like_one(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
