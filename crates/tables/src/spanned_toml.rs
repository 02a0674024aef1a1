//! A reader of TOML with source positions that collects all errors.
//!
//! ```
//! use tables::diagnostics::Source;
//! use tables::spanned_toml::read;
//!
//! let source = Source::new("a.toml", "[invite]\ntimeout = 20\nrings = true\n");
//! let (seconds, rings) = read(&source, |mut root| {
//!     let mut invite = root.require_table("invite");
//!     let seconds = invite.as_mut().and_then(|t| t.require_int("timeout"));
//!     let rings = invite.as_mut().and_then(|t| t.take_bool("rings"));
//!     if let Some(invite) = invite {
//!         invite.finish();
//!     }
//!     root.finish();
//!     Some((*seconds?, rings.is_some_and(|rings| *rings)))
//! })
//! .unwrap();
//! assert_eq!((seconds, rings), (20, true));
//! ```
//!
//! The pattern: **take everything, then [`Table::finish`], then combine with `?`**. Every take
//! reports its own error and returns `None`, so a reader continues and finds the next one. [`read`]
//! returns nothing if an error was reported.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use toml::de::DeTable;

use rtm::value::Text;

use crate::diagnostics::{Diag, Diags, Source, Span};

mod item;
mod table;
#[cfg(test)]
mod tests;

pub use item::Item;
pub use table::Table;

/// A value and its source position.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value, also accessible by [`Deref`].
    pub value: T,
    /// The position, for errors that are detected later.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Returns another value with the same position.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            span: self.span,
        }
    }
}

impl Spanned<Text> {
    /// Returns the position of the bytes `range` of the value: exact if it is written without
    /// escapes, otherwise that of the whole value.
    pub fn part(&self, range: Range<usize>) -> Span {
        match self.span.text().find(&*self.value) {
            Some(at) if self.value.get(range.clone()).is_some() => {
                let start = self.span.range().start + at;
                self.span.source().span(start + range.start..start + range.end)
            }
            _ => self.span.clone(),
        }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Reads one document: `build` converts the root table.
///
/// # Errors
/// All syntax errors of TOML; without any, all errors that `build` and its tables reported.
///
/// # Panics
/// If `build` returns `None` without reporting an error, which is a bug in it.
pub fn read<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> Option<T>) -> Result<T, Diags> {
    let (built, diags) = read_all(source, build);
    diags.or_ok(())?;
    Ok(built.expect("a reader that returns None has reported an error"))
}

/// Reads one document as far as possible: returns the result of `build`, and all errors.
///
/// For documents that are checked further even after an error. A document with a syntax error has
/// no result.
pub fn read_all<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> Option<T>) -> (Option<T>, Diags) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let sink = Sink::new(source);
    for error in &errors {
        let title = format!("invalid TOML: {}", error.message());
        sink.push(Diag::new(&sink.span(error.span().unwrap_or(0..0)), title));
    }
    if !errors.is_empty() {
        return (None, sink.diags.into_inner());
    }
    let built = build(Table::root(&sink, document.into_inner()));
    (built, sink.diags.into_inner())
}

/// Returns the dotted names of all keys that `build` requests in the document's tables.
///
/// For tests that compare an example file with its reader.
pub fn requested_keys<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> T) -> BTreeSet<String> {
    let (document, _) = DeTable::parse_recoverable(&source.text);
    let sink = Sink::new(source);
    build(Table::root(&sink, document.into_inner()));
    sink.requested.into_inner()
}

/// The collector of the errors of one document.
struct Sink<'r> {
    source: &'r Arc<Source>,
    diags: RefCell<Diags>,
    requested: RefCell<BTreeSet<String>>,
}

impl<'r> Sink<'r> {
    fn new(source: &'r Arc<Source>) -> Self {
        Self {
            source,
            diags: RefCell::default(),
            requested: RefCell::default(),
        }
    }

    fn span(&self, range: Range<usize>) -> Span {
        self.source.span(range)
    }

    fn push(&self, diag: Diag) {
        self.diags.borrow_mut().push(diag);
    }

    fn is_empty(&self) -> bool {
        self.diags.borrow().is_empty()
    }
}

/// Returns the dotted name of a key inside `path`, for messages.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The names of TOML value kinds in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
    Date,
    Array,
    Table,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a string",
            Self::Int => "an integer",
            Self::Float => "a number with a fraction",
            Self::Bool => "true or false",
            Self::Date => "a date",
            Self::Array => "an array",
            Self::Table => "a table",
        })
    }
}
