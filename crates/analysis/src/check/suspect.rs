//! Examples of tables that do not compile which no error can affect.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use rtm::value::Text;
use tables::diagnostics::{Diags, Source, Span};
use tables::{Example, ParsedTables};

/// Rows that do not compile, or depend on one that does not.
#[derive(Debug, Default)]
pub struct Suspects {
    rows: HashSet<Text>,
    /// An error outside of rows may affect all.
    all: bool,
    /// A platform's vocabulary does not compile.
    pub platforms: bool,
}

/// Text range of a row.
struct Place<'w> {
    id: &'w Text,
    on: Option<&'w Text>,
    source: Arc<Source>,
    range: Range<usize>,
}

impl Suspects {
    /// Collects the rows affected by compile errors.
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

    /// Adds rows that refer to an affected row or its event.
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

    /// Returns true if an example is affected; `row` returns a row's ID.
    pub fn concern<'t>(&self, example: &Example, row: impl Fn(usize) -> &'t Text) -> bool {
        self.all
            || [example.row, example.of]
                .into_iter()
                .any(|id| self.rows.contains(row(id)))
    }
}

/// Returns the range from `[[row]]` to the next table outside the row.
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
