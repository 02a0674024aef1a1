//! Exit codes and error messages of commands.

use std::fmt::Display;
use std::process::ExitCode;

use crate::cli::color;
use crate::cli::output::message;
use tables::diagnostics::Diags;

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

/// Why a command does not do what it should.
#[derive(Debug)]
pub struct Trouble {
    /// How it ends.
    pub exit: Exit,
    /// What has happened.
    pub error: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// The mistakes in files that have led to it.
    pub mistakes: Diags,
}

impl Trouble {
    /// One that no file has led to.
    pub fn new(exit: Exit, error: impl Into<String>, hint: Option<&'static str>) -> Self {
        Self {
            exit,
            error: error.into(),
            hint,
            mistakes: Diags::new(),
        }
    }

    /// The same, because of mistakes in files.
    #[must_use]
    pub fn at(mut self, mistakes: Diags) -> Self {
        self.mistakes = mistakes;
        self
    }

    /// Tells it; how the command ends.
    pub fn tell(&self) -> Exit {
        message(self.text(color()));
        self.exit
    }

    /// It, as it is told; `color` adds terminal escapes.
    pub fn text(&self, color: bool) -> String {
        let mut text = String::new();
        if !self.mistakes.is_empty() {
            text = self.mistakes.render(color) + "\n";
        }
        text + &told(&self.error, self.hint)
    }
}

/// Tells what is good to know and no error.
pub fn note(what: impl Display) {
    message(format_args!("note: {what}"));
}

/// Tells an error, and after a blank line what to do about it.
pub fn tell(error: impl Display, hint: Option<&str>) {
    message(told(error, hint));
}

fn told(error: impl Display, hint: Option<&str>) -> String {
    let hint = hint.map_or(String::new(), |hint| format!("\n\nhint: {hint}"));
    format!("error: {error}{hint}")
}
