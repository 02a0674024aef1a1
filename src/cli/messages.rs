//! Messages on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Writes a message to standard error and ignores write errors.
pub fn message(text: impl Display) {
    let text = format!("{text}\n");
    let _ = stderr().write_all(text.as_bytes());
}

/// Shows a line on a terminal's standard error in place of the previous one.
pub fn transient_line(text: impl Display) {
    let _ = write!(stderr(), "\r\x1b[2K{text}");
}

/// Erases the line of [`transient_line`].
pub fn erase_line() {
    let _ = write!(stderr(), "\r\x1b[2K");
}

/// Prints an error with an optional hint.
pub fn print_error(error: impl Display, hint: Option<&str>) {
    message(error_text(error, hint));
}

pub(super) fn error_text(error: impl Display, hint: Option<&str>) -> String {
    let hint = hint.map_or(String::new(), |hint| format!("\n\nhint: {hint}"));
    format!("error: {error}{hint}")
}

pub fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes messages")]
fn stderr() -> io::Stderr {
    io::stderr()
}
