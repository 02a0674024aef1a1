//! Exit codes and error messages of commands.

use std::borrow::Cow;
use std::fmt::Display;
use std::process::ExitCode;

use tables::diagnostics::{Diag, Diags};
use tracing::error;

use crate::cli::color;
use crate::cli::messages::{error_text, message};

/// Help text below every command's options.
pub const HELP: &str = "\
Exit codes:
  0   success
  1   cannot start, connect, log in or write;
      traces differ; invalid token or signature
  2   unreadable trace
  64  invalid usage, config or tables
  65  invalid input data

NO_COLOR disables colours; RUST_LOG=sigbridge=debug enables debug logs.";

/// Exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// Cannot start, connect, log in or write; traces differ.
    Failed,
    /// Unreadable trace.
    Unreadable,
    /// Invalid usage, config or tables (EX_USAGE).
    Usage,
    /// Invalid input data (EX_DATAERR).
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

/// Error of a command.
#[derive(Debug)]
pub struct Error {
    pub exit: Exit,
    message: String,
    hint: Option<Cow<'static, str>>,
    /// Errors in files.
    diags: Diags,
}

impl Error {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            hint: None,
            diags: Diags::new(),
        }
    }

    /// Creates an error with the exit code 64.
    pub fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Creates an error with the exit code 1.
    pub fn failed(message: impl Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint, if there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<&'static str>) -> Self {
        self.hint = hint.map(Cow::Borrowed);
        self
    }

    /// Adds the errors in files that caused this error.
    #[must_use]
    pub fn with_diags(mut self, diags: Diags) -> Self {
        self.diags = diags;
        self
    }

    /// Prints the error; returns its exit code.
    pub fn print(&self) -> Exit {
        message(self.text(color()));
        self.exit
    }

    /// Renders the error; `color` adds terminal escapes.
    pub fn text(&self, color: bool) -> String {
        let mut text = String::new();
        if !self.diags.is_empty() {
            text = self.diags.render(color) + "\n";
        }
        text + &error_text(&self.message, self.hint.as_deref())
    }

    /// Logs the error as one event.
    pub fn log(&self) {
        let place = |diag: &Diag| {
            let help = diag.help_text().map_or(String::new(), |help| format!(" ({help})"));
            format!("{}: {}{help}", diag.span(), diag.title())
        };
        let mistakes: Vec<String> = self.diags.in_order().map(place).collect();
        let mistakes = (!mistakes.is_empty()).then(|| mistakes.join("\n"));
        error!(hint = self.hint.as_deref(), mistakes, "{}", self.message);
    }
}

/// Returns the exit code of a result, and prints its error.
pub fn exit_of(result: Result<Exit, Error>) -> Exit {
    result.unwrap_or_else(|error| error.print())
}

/// Prints a note.
pub fn note(what: impl Display) {
    message(format_args!("note: {what}"));
}
