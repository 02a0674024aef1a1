//! Exit codes, and how errors are told.

use std::fmt::Display;
use std::process::ExitCode;

/// Shown under the help of every command.
pub const HELP: &str = "\
Exit codes:
  0   done
  1   could not start, connect, log in or write a file; traces differ;
      a token or a signature that is not right
  2   a trace that cannot be read
  64  wrong usage, or an error in the config or the tables
  65  input that cannot be understood

NO_COLOR turns colours off; RUST_LOG=sigbridge=debug logs more.";

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Could not start, connect, log in or write a file.
    Failed,
    /// A trace that cannot be read.
    Unreadable,
    /// Wrong usage, or an error in the config or the tables (EX_USAGE).
    Usage,
    /// Input that cannot be understood (EX_DATAERR).
    BadInput,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Unreadable => 2,
            Exit::Usage => 64,
            Exit::BadInput => 65,
        })
    }
}

/// Tells what is good to know and no error.
pub fn note(what: impl Display) {
    eprintln!("note: {what}");
}

/// Tells an error, and after a blank line what to do about it.
pub fn tell(error: impl Display, hint: Option<&str>) {
    eprintln!("error: {error}");
    if let Some(hint) = hint {
        eprintln!("\nhint: {hint}");
    }
}
