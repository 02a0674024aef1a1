//! What can still be checked of tables that do not compile: examples that no error can have to do with.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use rtm::value::Text;
use tables::diagnostics::{Diags, Source, Span};
use tables::{Example, ParsedTables};

/// Rows whose examples mean nothing, because the row or one that it leads to does not compile.
#[derive(Debug, Default)]
pub struct Suspects {
    rows: HashSet<Text>,
    /// An error outside of rows may concern any of them.
    all: bool,
    /// The words of some SDK do not compile.
    pub platforms: bool,
}

/// A row's text.
struct Place<'w> {
    id: &'w Text,
    on: Option<&'w Text>,
    source: Arc<Source>,
    range: Range<usize>,
}

impl Suspects {
    /// Those of all errors of compiling.
    pub fn of(written: &ParsedTables, diags: &Diags) -> Self {
        let places: Vec<Place<'_>> = written.file.rows.iter().map(|row| place(row)).collect();
        let mut suspects = Self::default();
        for span in diags.iter().map(|diag| diag.span()) {
            match places.iter().find(|place| place.has(span)) {
                Some(place) => _ = suspects.rows.insert(place.id.clone()),
                None if span.source().name.rsplit('/').nth(1) == Some("platforms") => suspects.platforms = true,
                None => suspects.all = true,
            }
        }
        suspects.spread(&places);
        suspects
    }

    /// Rows that name a row that does not compile, or its event, do what they do by it.
    fn spread(&mut self, places: &[Place<'_>]) {
        loop {
            let named: Vec<String> = places
                .iter()
                .filter(|place| self.rows.contains(place.id))
                .flat_map(|place| place.on.into_iter().chain([place.id]))
                .map(|name| format!("\"{name}\""))
                .collect();
            let before = self.rows.len();
            let by_one = places
                .iter()
                .filter(|place| named.iter().any(|name| place.text().contains(&**name)));
            self.rows.extend(by_one.map(|place| place.id.clone()));
            if self.rows.len() == before {
                return;
            }
        }
    }

    /// Whether an example means nothing; `row` gives the id of a row.
    pub fn concern<'t>(&self, example: &Example, row: impl Fn(usize) -> &'t Text) -> bool {
        self.all
            || [example.row, example.of]
                .into_iter()
                .any(|id| self.rows.contains(row(id)))
    }
}

/// From `[[row]]` to the next table that is none of this row.
fn place(row: &tables::ast::RawRow) -> Place<'_> {
    let source = row.id.span.source().clone();
    let at = row.id.span.range().start;
    let start = source.text[..at].rfind("[[row]]").unwrap_or(at);
    let headers = source.text[at..].match_indices("\n[").map(|(from, _)| at + from + 1);
    let is_other = |from: &usize| {
        let header = source.text[*from..].trim_start_matches('[');
        !header.starts_with("row.")
    };
    let end = headers.into_iter().find(is_other).unwrap_or(source.text.len());
    Place {
        id: &row.id.value,
        on: row.on.as_ref().map(|on| &on.value),
        range: start..end,
        source,
    }
}

impl Place<'_> {
    fn has(&self, span: &Span) -> bool {
        Arc::ptr_eq(&self.source, span.source()) && self.range.contains(&span.range().start)
    }

    fn text(&self) -> &str {
        &self.source.text[self.range.clone()]
    }
}
