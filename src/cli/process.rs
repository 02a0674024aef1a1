//! Log and signals of the long-running commands.

use std::ffi::OsString;
use std::io;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::log::{Format, Log};

use crate::cli::color;
use crate::cli::exit::{Error, Exit};

/// Argument that selects the JSON log format.
const LOG_JSON: &str = "--log-json";

pub fn log_format(json: bool) -> Format {
    match json {
        true => Format::Json,
        false => Format::Text { color: color() },
    }
}

/// Logs a start-up error in the log's format and returns its exit code.
pub fn log_error(log: &Log, error: &Error) -> Exit {
    match log.format() {
        Format::Text { color } => log.text(&(error.text(color) + "\n")),
        Format::Json => error.log(),
    }
    error.exit
}

/// Returns true if an invalid command line requested JSON logs.
pub fn wants_json(mut args: impl Iterator<Item = OsString>) -> bool {
    args.any(|arg| arg == LOG_JSON)
}

/// Logs a usage error of clap.
pub fn log_wrong_usage(log: &Log, error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    // The first paragraph; the usage follows.
    let text = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .next()
        .unwrap_or_default();
    log_error(log, &Error::usage(text).hint("run with --help to list the arguments"))
}

/// Creates the runtime and installs the SIGHUP handler, so that SIGHUP never ends the process.
///
/// # Errors
/// An I/O error.
pub fn begin() -> Result<(Runtime, SighupStream), Error> {
    let begin = || {
        let runtime = runtime().context("cannot start the runtime")?;
        let hangups = {
            let _inside = runtime.enter();
            SighupStream::new()?
        };
        Ok((runtime, hangups))
    };
    begin().map_err(failed)
}

/// Creates a runtime with a thread for each processor. A runtime for one thread costs less for each wake-up: it has no
/// queues that other threads take tasks from.
fn runtime() -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = match processors {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

/// Wraps a start-up error that no config file caused.
pub fn failed(error: anyhow::Error) -> Error {
    Error::failed(format_args!("{error:#}"))
}

/// SIGHUP stream.
#[derive(Debug)]
pub struct SighupStream {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

impl SighupStream {
    fn new() -> anyhow::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = signal(SignalKind::hangup()).context("cannot install the SIGHUP handler")?;
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next SIGHUP.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if self.signals.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }

    /// Runs `handle` on each SIGHUP, forever.
    pub async fn each<F: Future<Output = ()>>(&mut self, mut handle: impl FnMut() -> F) {
        #[cfg(unix)]
        while self.signals.recv().await.is_some() {
            handle().await;
        }
        #[cfg(not(unix))]
        let _ = &mut handle;
        std::future::pending().await
    }
}

/// Signal that ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: an end without waiting.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Streams of SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Stops {
    #[cfg(unix)]
    interrupts: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminations: tokio::signal::unix::Signal,
}

impl Stops {
    /// Installs the handlers; requires a runtime.
    ///
    /// # Errors
    /// An I/O error.
    pub fn new() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupts: signal(SignalKind::interrupt())?,
                terminations: signal(SignalKind::terminate())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Stop {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupts.recv() => Stop::Interrupt,
            _ = self.terminations.recv() => Stop::Terminate,
        }
        #[cfg(not(unix))]
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn shutdown_signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
