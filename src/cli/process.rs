//! Log and signals of the long-running commands.

use std::ffi::OsString;

use anyhow::Context;
use tokio::runtime::Runtime;
use tracing::error;

use crate::log::{Format, Log};
use tables::diagnostics::Diag;

use crate::cli::color;
use crate::cli::exit::{Exit, Trouble};

/// Argument that selects the JSON log format.
const LOG_JSON: &str = "--log-json";

pub fn log_format(json: bool) -> Format {
    match json {
        true => Format::Json,
        false => Format::Text { color: color() },
    }
}

/// Logs a start-up error in the log's format and returns its exit code.
pub fn log_trouble(log: &Log, trouble: &Trouble) -> Exit {
    match log.format() {
        Format::Text { color } => log.text(&(trouble.text(color) + "\n")),
        Format::Json => {
            let place = |diag: &Diag| {
                let help = diag.help_text().map_or(String::new(), |help| format!(" ({help})"));
                format!("{}: {}{help}", diag.span(), diag.title())
            };
            let mistakes: Vec<String> = trouble.mistakes.in_order().map(place).collect();
            let mistakes = (!mistakes.is_empty()).then(|| mistakes.join("\n"));
            error!(hint = trouble.hint, mistakes, "{}", trouble.error);
        }
    }
    trouble.exit
}

/// Returns true if an invalid command line requested JSON logs.
pub fn wants_json(mut args: impl Iterator<Item = OsString>) -> bool {
    args.any(|arg| arg == LOG_JSON)
}

/// Logs a usage error of clap.
pub fn log_wrong_usage(log: &Log, error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    // The first paragraph; what follows is the usage.
    let text = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .next()
        .unwrap_or_default();
    log_trouble(
        log,
        &Trouble::new(Exit::Usage, text, Some("run with --help to list the arguments")),
    )
}

/// Creates a multi-threaded runtime and installs the SIGHUP handler, so that SIGHUP never ends the process.
///
/// # Errors
/// An I/O error.
pub fn begin() -> Result<(Runtime, Hangups), Trouble> {
    let begin = || {
        let runtime = Runtime::new().context("cannot start the runtime")?;
        let hangups = {
            let _inside = runtime.enter();
            Hangups::new()?
        };
        Ok((runtime, hangups))
    };
    begin().map_err(failed)
}

/// Wraps a start-up error that no config file caused.
pub fn failed(error: anyhow::Error) -> Trouble {
    Trouble::new(Exit::Failed, format!("{error:#}"), None)
}

/// SIGHUP stream.
#[derive(Debug)]
pub struct Hangups {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

impl Hangups {
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

    /// Runs `f` on each SIGHUP, forever.
    pub async fn each<F: Future<Output = ()>>(&mut self, mut something: impl FnMut() -> F) {
        #[cfg(unix)]
        while self.signals.recv().await.is_some() {
            something().await;
        }
        #[cfg(not(unix))]
        let _ = &mut something;
        std::future::pending().await
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn told_to_stop() {
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
