//! What commands write: data to the standard output, messages to the standard error. No other module writes to either;
//! `clippy.toml` and the lints of `Cargo.toml` see to that. The log of a process that serves is in [`crate::log`].
//!
//! Nothing here panics. A reader that closes the standard output has read enough: the rest is left out, and the command
//! ends as its work has ended. Any other error, also one of the last flush, is [`Exit::Failed`] with its reason.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use crate::cli::exit::{Exit, tell};

/// What the standard output is called in errors.
pub const STDOUT: &str = "cannot write to the standard output";
/// What to do when it cannot be written.
pub const NO_ROOM: &str = "make room, or send the output elsewhere";

/// The standard output of one command.
#[derive(Debug, Default)]
pub struct Data {
    /// Why nothing more is written.
    failed: Option<io::Error>,
}

impl Data {
    /// Nothing is written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a text as it is.
    pub fn text(&mut self, text: &str) {
        self.with(|out| out.write_all(text.as_bytes()));
    }

    /// Writes a line.
    pub fn line(&mut self, line: impl Display) {
        self.text(&format!("{line}\n"));
    }

    /// Writes what `write` does, through a buffer.
    pub fn with(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write_all(&mut stdout().lock(), write).err();
        }
    }

    /// Whether what is written from now on reaches nobody.
    pub fn is_over(&self) -> bool {
        self.failed.is_some()
    }

    /// How a command ends whose work has ended as `exit`.
    pub fn end(self, exit: Exit) -> Exit {
        match self.finish() {
            Ok(()) => exit,
            Err(error) => {
                tell(format_args!("{STDOUT}: {error}"), Some(NO_ROOM));
                Exit::Failed
            }
        }
    }

    /// Whether all was written that somebody was to read.
    ///
    /// # Errors
    /// The first of a write or a flush, unless the reader has closed the other end.
    pub fn finish(self) -> io::Result<()> {
        match self.failed {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes all of a text to the standard output; how a command ends whose work has ended as `exit`.
pub fn data(text: &str, exit: Exit) -> Exit {
    let mut data = Data::new();
    data.text(text);
    data.end(exit)
}

/// Writes a message to the standard error; one that cannot be written is lost.
pub fn message(text: impl Display) {
    let text = format!("{text}\n");
    let _ = stderr().write_all(text.as_bytes());
}

/// Shows what the parser of the command line has to say: help and versions as data, errors as messages.
pub fn of_parser(error: &clap::Error) -> Exit {
    let shown = error.print();
    if error.use_stderr() {
        return Exit::Usage;
    }
    let data = Data {
        failed: shown.and_then(|()| stdout().flush()).err(),
    };
    data.end(Exit::Ok)
}

/// Whether the standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    stdout().is_terminal()
}

/// Whether the standard error is a terminal.
pub fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}

/// All of it, with the flush that finds out whether the last bytes had room.
fn write_all(to: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = BufWriter::new(to);
    let written = write(&mut buffer).and_then(|()| buffer.flush());
    // What is left in the buffer of one that has failed would be tried once more.
    let (to, _) = buffer.into_parts();
    written.and_then(|()| to.flush())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes data")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes messages")]
fn stderr() -> io::Stderr {
    io::stderr()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has room for so many bytes; flushes fail when it is full.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            match taken {
                0 => Err(ErrorKind::StorageFull.into()),
                _ => Ok(taken),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            match self.0 {
                0 => Err(ErrorKind::StorageFull.into()),
                _ => Ok(()),
            }
        }
    }

    fn written(room: usize, text: &str) -> Result<(), ErrorKind> {
        let result = write_all(&mut Disk(room), |out| out.write_all(text.as_bytes()));
        result.map_err(|error| error.kind())
    }

    #[test]
    fn a_short_write_is_an_error_and_so_is_a_failed_flush() {
        assert_eq!(written(6, "hello"), Ok(()));
        assert_eq!(written(4, "hello"), Err(ErrorKind::StorageFull));
        assert_eq!(written(5, "hello"), Err(ErrorKind::StorageFull));
    }

    #[test]
    fn a_reader_that_is_gone_changes_no_exit() {
        let end = |kind: ErrorKind, exit| {
            let failed = Some(kind.into());
            Data { failed }.end(exit)
        };
        assert_eq!(end(ErrorKind::BrokenPipe, Exit::Ok), Exit::Ok);
        assert_eq!(end(ErrorKind::BrokenPipe, Exit::Failed), Exit::Failed);
        assert_eq!(end(ErrorKind::StorageFull, Exit::Ok), Exit::Failed);
        assert_eq!(Data::new().end(Exit::BadInput), Exit::BadInput);
    }
}
