//! Log of a long-running process: lines on stderr, as text or JSON.
//!
//! `tracing` formats lines into a bounded queue, and a thread ([`writer`]) writes them. So a full disk or a blocked
//! reader never blocks the caller. [`filter`] selects lines, [`limit`] bounds lines that clients can cause, and
//! [`clients`] holds lines about clients.

pub mod accounts;
pub mod clients;
mod filter;
pub mod refusals;
mod writer;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tracing::{error, info, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config;
use runtime::log_limit::TARGET;

use filter::Choice;
use writer::Lines;

/// Time limit for writing queued lines at the end of the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Process-wide, like the log.
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Process-wide, like the log: the filter in use.
static FILTER: OnceLock<Filter> = OnceLock::new();

/// Filter of the log, and its text.
struct Filter {
    handle: reload::Handle<Targets, Registry>,
    text: Mutex<String>,
}

/// Result of [`set_filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetFilter {
    /// The filter is in use.
    Done {
        /// Its text.
        filter: String,
        /// True if the limit for libraries applies.
        limited: bool,
    },
    /// The text has another form.
    Misread,
    /// This process has no log of its own.
    NotOurs,
}

/// Replaces the filter of the log until the end of the process.
pub fn set_filter(text: &str, unsafe_dependencies: bool) -> SetFilter {
    let choice = Choice::new(Some(text), unsafe_dependencies);
    if choice.misread || text.is_empty() {
        return SetFilter::Misread;
    }
    let Some(filter) = FILTER.get() else {
        return SetFilter::NotOurs;
    };
    let mut current = filter.text.lock();
    if filter.handle.reload(choice.targets).is_err() {
        return SetFilter::NotOurs;
    }
    text.clone_into(&mut current);
    warn!(filter = text, "log filter changed");
    SetFilter::Done {
        filter: text.to_owned(),
        limited: choice.limited,
    }
}

/// Returns the text of the filter in use.
pub fn filter_text() -> Option<String> {
    FILTER.get().map(|filter| filter.text.lock().clone())
}

/// Returns the counter of lost lines.
pub fn lost_lines() -> Counter {
    LOST.clone()
}

/// Log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text; `color` adds terminal escapes.
    Text { color: bool },
    /// JSON lines, and nothing else on stderr.
    Json,
}

/// Returns the message of a panic if it is a literal. A formatted one may contain data of clients, such as the text that
/// was cut at no character boundary.
fn literal(payload: &(dyn Any + Send)) -> &'static str {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.unwrap_or("the message is left out, because it may contain data of clients")
}

/// Log of this process. When dropped, it writes queued lines for up to a second.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    format: Format,
}

impl Log {
    /// Starts the log with the filter `RUST_LOG`; panics are logged from then on.
    pub fn start(format: Format, config: &config::Log) -> Self {
        let wanted = std::env::var_os("RUST_LOG").map(|text| text.to_string_lossy().into_owned());
        let choice = Choice::new(wanted.as_deref(), config.unsafe_dependencies);
        let lines = Lines::new(lost_lines());
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(lines.clone())
            .log_internal_errors(false);
        let (targets, handle) = reload::Layer::new(choice.targets);
        let registry = tracing_subscriber::registry().with(targets);
        // Fails only if the process started a log before.
        let started = match format {
            Format::Json => registry.with(layer.with_ansi(false).json()).try_init(),
            Format::Text { color } => registry.with(layer.with_ansi(color).with_target(false)).try_init(),
        };
        if started.is_ok() {
            let text = wanted.filter(|text| !choice.misread && !text.trim().is_empty());
            let text = Mutex::new(text.unwrap_or_else(|| "info".into()));
            let _ = FILTER.set(Filter { handle, text });
        }
        let recovered = |lost| warn!(target: TARGET, lost, "log lines lost to write errors");
        // Without a thread, lines are lost and counted once the queue is full.
        let _ = lines.write_to(stderr(), || runtime::log_limit::emit(false), recovered);
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = Backtrace::capture();
            let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
            let at = panic.location().map(ToString::to_string);
            error!(at, backtrace, "a task panicked: {}", literal(panic.payload()));
        }));
        if choice.misread {
            let hint = "expected a level, or TARGET=LEVEL separated by commas";
            warn!(hint, "invalid RUST_LOG; using level info");
        }
        if choice.limited {
            let hint = "set [log] unsafe_dependencies = true to enable them; they may contain tokens and messages";
            info!(hint, "debug lines of libraries are disabled");
        }
        Self { lines, format }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes a message for interactive use after the queued lines; nothing in JSON format.
    pub fn text(&self, text: &str) {
        if let Format::Text { .. } = self.format {
            self.lines.put(text.as_bytes());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        runtime::log_limit::emit(true);
        self.lines.finish(PATIENCE);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that writes the log")]
fn stderr() -> std::io::Stderr {
    std::io::stderr()
}
