//! Output of commands: data to the standard output, messages to the standard error. No other module writes to either;
//! `clippy.toml` and the lints of `Cargo.toml` enforce this. The log of a process that serves is in [`crate::log`].
//!
//! Nothing here panics. A reader that closes the standard output has read enough: the rest is left out, and the command
//! ends as its work has ended. Any other error, also one of the last flush, is [`Exit::Failed`] with its reason.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use crate::cli::exit::Exit;
use crate::cli::messages::print_error;

/// Error text of a failed write to standard output.
pub const STDOUT: &str = "cannot write to standard output";
/// Hint for a failed write to standard output.
pub const NO_ROOM: &str = "free disk space, or redirect the output to another destination";

/// Standard output of one command.
#[derive(Debug, Default)]
pub struct Data {
    /// First write error; later writes are skipped.
    failed: Option<io::Error>,
}

impl Data {
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes text without a line end.
    pub fn text(&mut self, text: &str) {
        self.with(|out| out.write_all(text.as_bytes()));
    }

    pub fn line(&mut self, line: impl Display) {
        self.text(&format!("{line}\n"));
    }

    /// Runs `write` on a buffered standard output.
    pub fn with(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write_all(&mut stdout().lock(), write).err();
        }
    }

    /// Returns true after a write error or a closed pipe.
    pub fn is_over(&self) -> bool {
        self.failed.is_some()
    }

    /// Flushes, and returns `exit`, or `Failed` after a write error.
    pub fn end(self, exit: Exit) -> Exit {
        match self.finish() {
            Ok(()) => exit,
            Err(error) => {
                print_error(format_args!("{STDOUT}: {error}"), Some(NO_ROOM));
                Exit::Failed
            }
        }
    }

    /// Flushes; a closed pipe counts as success.
    ///
    /// # Errors
    /// The first write or flush error, except a closed pipe.
    pub fn finish(self) -> io::Result<()> {
        match self.failed {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes text to standard output; returns `exit`, or `Failed` after a write error.
pub fn data(text: &str, exit: Exit) -> Exit {
    let mut data = Data::new();
    data.text(text);
    data.end(exit)
}

/// Prints clap's result: help and version as data, errors as messages.
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

pub fn stdout_is_terminal() -> bool {
    stdout().is_terminal()
}

/// Writes all text; the flush reports a full disk for the last bytes.
fn write_all(to: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = BufWriter::new(to);
    let written = write(&mut buffer).and_then(|()| buffer.flush());
    // A buffer that is dropped after a failure would repeat the write.
    let (to, _) = buffer.into_parts();
    written.and_then(|()| to.flush())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes data")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writer with a capacity in bytes; flushes fail when it is full.
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
    fn a_closed_reader_changes_no_exit_code() {
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
