//! The log of a process that serves: lines on stderr, as text or as JSON.
//!
//! Lines are made by `tracing`, wait in a bounded queue and are written by a thread ([`writer`]), so neither a full disk
//! nor a reader that is gone or blocked reaches whoever logs. Which are written says [`filter`]; what strangers and
//! clients can repeat at will is bounded by [`limit`]; what is said of clients is in [`clients`].

pub mod accounts;
pub mod clients;
mod filter;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config;
use runtime::log_limit::TARGET;

use filter::Choice;
use writer::Lines;

/// How long the end of the process waits for lines to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log is the process's, so its count is, too.
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Counts lines that could not be written.
pub fn lost_lines() -> Counter {
    LOST.clone()
}

/// The form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; `color` adds terminal escapes.
    Text {
        /// Whether stderr takes them.
        color: bool,
    },
    /// JSON lines, and nothing else on stderr.
    Json,
}

/// The log of this process. What waits is written when it is dropped, as far as that goes within a second.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    format: Format,
}

impl Log {
    /// Starts it, by the environment variable `RUST_LOG`; a panic is a line from then on.
    pub fn start(format: Format, config: &config::Log) -> Self {
        let wanted = std::env::var_os("RUST_LOG").map(|text| text.to_string_lossy().into_owned());
        let choice = Choice::new(wanted.as_deref(), config.unsafe_dependencies);
        let lines = Lines::new(lost_lines());
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(lines.clone())
            .log_internal_errors(false);
        let registry = tracing_subscriber::registry().with(choice.targets);
        // There is none yet, but in a process that has started one before.
        let _ = match format {
            Format::Json => registry.with(layer.with_ansi(false).json()).try_init(),
            Format::Text { color } => registry.with(layer.with_ansi(color).with_target(false)).try_init(),
        };
        let recovered = |lost| warn!(target: TARGET, lost, "log lines could not be written, and are lost");
        // Without a thread the lines are lost, as the counter says once they have no room.
        let _ = lines.write_to(stderr(), || runtime::log_limit::tell(false), recovered);
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = Backtrace::capture();
            let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
            let at = panic.location().map(ToString::to_string);
            error!(
                at,
                backtrace,
                "a task panicked: {}",
                panic.payload_as_str().unwrap_or("of unknown cause")
            );
        }));
        if choice.misread {
            let hint = "it has a level, or TARGET=LEVEL with commas between them";
            warn!(hint, "RUST_LOG cannot be read: lines from info on are written");
        }
        if choice.limited {
            let hint = "[log] unsafe_dependencies = true writes them, with tokens and messages";
            info!(hint, "RUST_LOG opens no debug lines of libraries");
        }
        Self { lines, format }
    }

    /// Its form.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes a text for people behind the lines that wait, where lines are for people.
    pub fn text(&self, text: &str) {
        if let Format::Text { .. } = self.format {
            self.lines.put(text.as_bytes());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        runtime::log_limit::tell(true);
        self.lines.finish(PATIENCE);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes the log")]
fn stderr() -> std::io::Stderr {
    std::io::stderr()
}
