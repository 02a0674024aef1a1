//! Progress line of a replay on a terminal.

use std::cell::RefCell;
use std::path::Path;

use crate::cli::messages::{erase_line, stderr_is_terminal, transient_line};

/// Progress line at the bottom of the terminal.
pub struct Progress {
    is_shown: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Index, number of traces, and file name.
    trace: String,
    records: usize,
}

impl Progress {
    /// Creates a line; `quiet` disables it.
    pub fn new(quiet: bool) -> Self {
        Self {
            is_shown: !quiet && stderr_is_terminal(),
            state: RefCell::default(),
        }
    }

    /// Starts the next trace.
    pub fn begins(&self, nth: usize, of: usize, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        *self.state.borrow_mut() = State {
            trace: format!("{nth}/{of} {name}"),
            records: 0,
        };
        self.is_at(0);
    }

    /// Sets the trace's number of records.
    pub fn has(&self, records: usize) {
        self.state.borrow_mut().records = records;
    }

    /// Sets the number of replayed records.
    pub fn is_at(&self, records: usize) {
        if self.is_shown {
            let state = self.state.borrow();
            transient_line(format_args!("{} {records}/{}", state.trace, state.records));
        }
    }

    /// Prints with the line erased.
    pub fn aside(&self, print: impl FnOnce()) {
        self.ends();
        print();
    }

    /// Erases the line.
    pub fn ends(&self) {
        if self.is_shown {
            erase_line();
        }
    }
}
