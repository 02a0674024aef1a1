//! A reader of TOML that knows the place of everything and collects every error.
//!
//! ```
//! use sigbridge::diag::Source;
//! use sigbridge::toml_read::read;
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
//! The habit: **take everything, then [`Table::finish`], then combine with `?`**. Every take reports its own error and
//! answers `None`, so a reader goes on and finds the next one; [`read`] lets nothing out when anything was reported.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use toml::de::DeTable;

use crate::diagnostics::{Diag, Diags, Source, Span};
use rtm::value::Text;

mod item;
mod table;
#[cfg(test)]
mod tests;

pub use item::Item;
pub use table::Table;

/// A value and the place that it was written at.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value; [`Deref`] reaches it too.
    pub value: T,
    /// Its place, for errors that are found later.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            span: self.span,
        }
    }
}

impl Spanned<Text> {
    /// The place of the bytes `range` of the value: exact when it is written without escapes, else the whole value.
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

/// Reads one document: `build` takes the root table apart and answers what it makes of it.
///
/// # Errors
/// All errors of TOML's syntax; without such, all that `build` and its tables reported.
///
/// # Panics
/// When `build` answers `None` without any report: its reader has a bug.
pub fn read<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> Option<T>) -> Result<T, Diags> {
    let (built, diags) = read_all(source, build);
    diags.or_ok(())?;
    Ok(built.expect("a reader that answers None has reported why"))
}

/// Reads one document as far as it can be: what `build` made of it, and all errors.
///
/// For documents that are checked further even when something in them is wrong already. Nothing is built of a document
/// with an error of syntax.
pub fn read_all<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> Option<T>) -> (Option<T>, Diags) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let sink = Sink::new(source);
    for error in &errors {
        let title = format!("this is not TOML: {}", error.message());
        sink.push(Diag::new(&sink.span(error.span().unwrap_or(0..0)), title));
    }
    if !errors.is_empty() {
        return (None, sink.diags.into_inner());
    }
    let built = build(Table::root(&sink, document.into_inner()));
    (built, sink.diags.into_inner())
}

/// The dotted names of all keys that `build` asks for in the tables that the document has.
///
/// For tests that keep an example file and a reader equal.
pub fn asked_keys<T>(source: &Arc<Source>, build: impl FnOnce(Table<'_>) -> T) -> BTreeSet<String> {
    let (document, _) = DeTable::parse_recoverable(&source.text);
    let sink = Sink::new(source);
    build(Table::root(&sink, document.into_inner()));
    sink.asked.into_inner()
}

/// Where the tables of one document put their errors.
struct Sink<'r> {
    source: &'r Arc<Source>,
    diags: RefCell<Diags>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'r> Sink<'r> {
    fn new(source: &'r Arc<Source>) -> Self {
        Self {
            source,
            diags: RefCell::default(),
            asked: RefCell::default(),
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

/// The dotted name of a key inside `path`, for messages.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// What an error calls the kinds of TOML values.
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
