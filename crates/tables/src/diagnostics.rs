//! Diagnostics that point at the place: file, line, caret, what was expected, what to do.
//!
//! Readers of files collect every error into [`Diags`] instead of stopping at the first, so one run shows an operator
//! all there is to mend.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

mod suggest;
#[cfg(test)]
mod tests;

pub use suggest::suggest;

/// A text that diagnostics point into.
#[derive(Default, PartialEq, Eq)]
pub struct Source {
    /// What to call it: the path as the operator wrote it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Whether diagnostics must not show the text.
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

    /// The place `range` (bytes) of this source.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> Span {
        Span {
            source: self.clone(),
            range,
        }
    }
}

/// Prints the name only: the text may hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.name)
    }
}

/// A place in a [`Source`]; cloning it is a counter.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    range: Range<usize>,
}

impl Span {
    /// The text it points into.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes it covers.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The source text it covers; empty when it points outside.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range()).unwrap_or("")
    }

    /// Line and column of its start, both from 1; columns count characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.matches('\n').count();
        (line, 1 + before[line_start..].chars().count())
    }

    /// The range to draw: inside `text`, on character boundaries, and on one line (a table's whole body helps nobody).
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

/// One error at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    span: Span,
    title: String,
    label: Option<String>,
    help: Option<String>,
}

impl Diag {
    /// An error at `span`; the title says by itself what was expected and what was got.
    pub fn new(span: &Span, title: impl Into<String>) -> Self {
        Self {
            span: span.clone(),
            title: title.into(),
            label: None,
            help: None,
        }
    }

    /// Text beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to do about it, on its own line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The help line "did you mean `x`?" when a candidate is close to `name` (see [`suggest`]); else as it was.
    #[must_use]
    pub fn did_you_mean<'c>(self, name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        match suggest(name, candidates) {
            Some(close) => self.help(format!("did you mean `{close}`?")),
            None => self,
        }
    }

    /// Where it is.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// What is wrong, in one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The help line.
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

/// All errors that were found, to be shown together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diags(Vec<Diag>);

impl Diags {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diag: Diag) {
        self.0.push(diag);
    }

    /// Leaves one of those that say the same of the same place.
    pub fn without_repeats(mut self) -> Self {
        let mut seen: Vec<Diag> = Vec::new();
        for diag in self.0.drain(..) {
            if !seen.contains(&diag) {
                seen.push(diag);
            }
        }
        Self(seen)
    }

    /// True when nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Them, as they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Diag> {
        self.0.iter()
    }

    /// `value` when nothing is wrong, else these errors.
    ///
    /// # Errors
    /// Itself, unless empty.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Them, by file and then by position.
    pub fn in_order(&self) -> impl Iterator<Item = &Diag> {
        let mut sorted: Vec<&Diag> = self.0.iter().collect();
        sorted.sort_by_key(|diag| (&diag.span.source.name, diag.span.range.start));
        sorted.into_iter()
    }

    /// All of them as text, by file and then by position, a blank line between two; `color` adds terminal escapes.
    ///
    /// The caller decides about color: it knows the terminal and `NO_COLOR`.
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
