//! Diagnostics with source positions: file, line, caret, expectation and remedy.
//!
//! Readers of files collect all errors in [`Diags`] instead of stopping at the first, so one run
//! shows all of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

mod suggest;
#[cfg(test)]
mod tests;

pub use suggest::suggest;

/// A source text of diagnostics.
#[derive(Default, PartialEq, Eq)]
pub struct Source {
    /// The name: the path as the operator wrote it.
    pub name: String,
    /// The complete text.
    pub text: String,
    /// True if diagnostics must not show the text.
    is_private: bool,
}

impl Source {
    /// Creates a source whose lines diagnostics show.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            is_private: false,
        })
    }

    /// Creates a source that may hold secrets: diagnostics show positions, but no line of it.
    pub fn private(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            is_private: true,
        })
    }

    /// Returns the position of the bytes `range`.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> Span {
        Span {
            source: self.clone(),
            range,
        }
    }
}

/// Prints the name only: the text may contain secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.name)
    }
}

/// A position in a [`Source`], cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    range: Range<usize>,
}

impl Span {
    /// Returns the source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns the covered bytes.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns the covered text; empty if the range is outside.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range()).unwrap_or("")
    }

    /// Returns line and column of its start, both from 1; columns count characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.matches('\n').count();
        (line, 1 + before[line_start..].chars().count())
    }

    /// Returns the range to underline: inside `text`, on character boundaries, and on one line,
    /// because marking a whole table is not helpful.
    fn drawn(&self, text: &str) -> Range<usize> {
        let start = text.floor_char_boundary(self.range.start);
        let end = text.floor_char_boundary(self.range.end).max(start);
        let line = text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
        start..line
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.source.name, self.range)
    }
}

/// `file:line:column`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

/// One error at one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    span: Span,
    title: String,
    label: Option<String>,
    help: Option<String>,
}

impl Diag {
    /// Creates an error at `span`; the title alone states the expected and the actual value.
    pub fn new(span: &Span, title: impl Into<String>) -> Self {
        Self {
            span: span.clone(),
            title: title.into(),
            label: None,
            help: None,
        }
    }

    /// Sets the text beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the remedy, displayed on its own line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help line "did you mean `x`?" if a candidate is similar to `name` (see
    /// [`suggest`]).
    #[must_use]
    pub fn did_you_mean<'c>(self, name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        match suggest(name, candidates) {
            Some(close) => self.help(format!("did you mean `{close}`?")),
            None => self,
        }
    }

    /// Returns the position.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the error in one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the help line.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Renders the error with its source line and a caret, unless the source is private; `color` adds terminal escapes.
    pub fn render(&self, color: bool) -> String {
        let Source { name, text, is_private } = &*self.span.source;
        let title = Level::ERROR.primary_title(&self.title);
        let mut group = if *is_private {
            let (line, column) = self.span.position();
            title.element(Origin::path(name).line(line).char_column(column))
        } else {
            let mut annotation = AnnotationKind::Primary.span(self.span.drawn(text));
            if let Some(label) = &self.label {
                annotation = annotation.label(label);
            }
            title.element(Snippet::source(text).path(name).annotation(annotation))
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// A list of errors, displayed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diags(Vec<Diag>);

impl Diags {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error.
    pub fn push(&mut self, diag: Diag) {
        self.0.push(diag);
    }

    /// Removes repeated errors with the same position and text.
    pub fn without_repeats(mut self) -> Self {
        let mut seen: Vec<Diag> = Vec::new();
        for diag in self.0.drain(..) {
            if !seen.contains(&diag) {
                seen.push(diag);
            }
        }
        Self(seen)
    }

    /// Returns true if there are no errors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of errors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the errors, in the order of their detection.
    pub fn iter(&self) -> impl Iterator<Item = &Diag> {
        self.0.iter()
    }

    /// Returns `value` if there are no errors.
    ///
    /// # Errors
    /// The errors, if there are any.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Returns the errors by file and position.
    pub fn in_order(&self) -> impl Iterator<Item = &Diag> {
        let mut sorted: Vec<&Diag> = self.0.iter().collect();
        sorted.sort_by_key(|diag| (&diag.span.source.name, diag.span.range.start));
        sorted.into_iter()
    }

    /// Formats all errors by file and position, separated by blank lines; `color` adds terminal
    /// escapes.
    ///
    /// The caller decides about color, from the terminal and `NO_COLOR`.
    pub fn render(&self, color: bool) -> String {
        let texts: Vec<String> = self.in_order().map(|diag| diag.render(color)).collect();
        texts.join("\n\n")
    }
}

impl Extend<Diag> for Diags {
    fn extend<I: IntoIterator<Item = Diag>>(&mut self, diags: I) {
        self.0.extend(diags);
    }
}

impl IntoIterator for Diags {
    type Item = Diag;
    type IntoIter = std::vec::IntoIter<Diag>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Diag> for Diags {
    fn from(diag: Diag) -> Self {
        Self(vec![diag])
    }
}

impl fmt::Display for Diags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diags {}
