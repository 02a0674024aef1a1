//! How far a replay is, for who watches a terminal.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::stderr_is_terminal;

/// Redraws per second.
const HZ: u8 = 10;

/// A line at the bottom of the terminal; nothing where there is none.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many traces; `quiet` where a program reads what is printed.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet || !stderr_is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(HZ)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    /// The next trace.
    pub fn begins(&self, nth: usize, of: usize, path: &Path) {
        self.bar.set_prefix(format!("{nth}/{of}"));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.bar.set_message(name);
        self.bar.set_position(0);
    }

    /// It is read, and has so many records.
    pub fn has(&self, records: usize) {
        self.bar.set_length(records as u64);
    }

    /// So many of them are played.
    pub fn is_at(&self, records: usize) {
        self.bar.set_position(records as u64);
    }

    /// Prints with the line out of the way.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// The line goes.
    pub fn ends(&self) {
        self.bar.finish_and_clear();
    }
}
