//! The comparison pages: every pair of an id and a platform, and its row.

use rtm::value::Text;

use crate::Tables;
use crate::condition::Emulation;
use crate::diagnostics::{Diag, Diags};
use crate::row::{CodeId, Row, RowId, RowKind, Status};

const LIST: &str = include_str!("../../../fixtures/comparison-rows.tsv");

/// A pair of the comparison pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The id: `peer.send`.
    pub id: &'static str,
    /// The kind: `method`, `event` or `synchronous callback`.
    pub kind: &'static str,
    /// The platform: `web`.
    pub platform: &'static str,
    /// The Signaling name as the page spells it; `-` for none.
    pub signaling: &'static str,
    /// The RTM name as the page spells it; `-` for none.
    pub rtm: &'static str,
}

/// A pair and its row.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The pair.
    pub pair: Pair,
    /// The row.
    pub row: RowId,
    /// The status on that platform.
    pub status: Status,
    /// The row's emulation.
    pub emulation: Option<Emulation>,
    /// The limitation codes on that platform.
    pub codes: Vec<CodeId>,
}

/// Returns all pairs, in the order of the pages.
pub fn pairs() -> Vec<Pair> {
    let lines = LIST.lines().skip(1);
    lines
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next();
            Some(Pair {
                id: next()?,
                kind: next()?,
                platform: next()?,
                signaling: next()?,
                rtm: next()?,
            })
        })
        .collect()
}

/// Resolves each pair to its row; pairs without a row are omitted.
pub fn resolve(tables: &Tables) -> Vec<Resolved> {
    let resolved = pairs().into_iter().filter_map(|pair| {
        let row = tables.row_named(pair.id)?;
        let page = tables.rows[row]
            .pages
            .iter()
            .find(|page| &*page.platform == pair.platform);
        let codes = page.map(|page| page.codes.clone()).filter(|codes| !codes.is_empty());
        Some(Resolved {
            pair,
            row,
            status: page.and_then(|page| page.status).unwrap_or(tables.rows[row].status),
            emulation: tables.rows[row].emulation,
            codes: codes.unwrap_or_else(|| tables.rows[row].codes.clone()),
        })
    });
    resolved.collect()
}

/// Checks that every pair has a row, every row is on the pages, and every refused row has a code.
pub fn check(tables: &Tables, diags: &mut Diags) {
    let pairs = pairs();
    let resolved = resolve(tables);
    let any = tables.examples.first().map(|e| e.raw.span.clone());
    for pair in &pairs {
        if let (None, Some(span)) = (tables.row_named(pair.id), &any) {
            diags.push(Diag::new(
                span,
                format!("no row for `{}` of the comparison pages", pair.id),
            ));
        }
    }
    for (id, row) in tables.rows.iter().enumerate() {
        let Some(span) = span_of(tables, id).or(any.clone()) else {
            continue;
        };
        if !pairs.iter().any(|pair| pair.id == page_id(row)) {
            let title = format!("the comparison pages have no `{}`", row.id);
            diags.push(Diag::new(&span, title).help("name a row for another function of an id `id/part`"));
        }
    }
    for found in &resolved {
        let row = &tables.rows[found.row];
        let Some(span) = span_of(tables, found.row).or(any.clone()) else {
            continue;
        };
        let has_name = found.pair.signaling != "-";
        if has_name == (found.status == Status::Internal) {
            let title = format!(
                "`{}` on {} cannot be {}",
                row.id,
                found.pair.platform,
                found.status.name()
            );
            let help = "internal rows are those without a Signaling name on the page";
            diags.push(Diag::new(&span, title).help(help));
        }
        if found.status == Status::Refused && found.codes.is_empty() {
            let title = format!(
                "`{}` is refused on {} without a limitation code",
                row.id, found.pair.platform
            );
            diags.push(Diag::new(&span, title));
        }
    }
}

/// Returns the id without its part: `members.query/isin` belongs to `members.query`.
pub fn page_id(row: &Row) -> &str {
    row.id.split('/').next().unwrap_or(&row.id)
}

/// Returns the documented names of a row's calls or events, for pages with another spelling.
pub fn real_names(tables: &Tables, row: &Row) -> Vec<Text> {
    let sigs: Vec<usize> = match &row.kind {
        RowKind::Call(sigs) => sigs.clone(),
        _ => {
            let events = row.outcomes.iter().filter_map(|outcome| {
                let failure = outcome.failure.as_ref().map(|f| f.emission.event);
                outcome.emission.as_ref().map(|e| e.event).or(failure)
            });
            events.collect()
        }
    };
    let mut names: Vec<Text> = sigs
        .into_iter()
        .map(|sig| tables.signatures[sig].name.clone())
        .collect();
    names.dedup();
    names
}

fn span_of(tables: &Tables, row: RowId) -> Option<crate::diagnostics::Span> {
    tables.examples.iter().find(|e| e.of == row).map(|e| e.raw.span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_resolves() {
        let tables = Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false)));
        let mut diags = Diags::new();
        check(&tables, &mut diags);
        assert!(diags.is_empty(), "{}", diags.render(false));
        assert_eq!((pairs().len(), resolve(&tables).len()), (352, 352));
        let internal = resolve(&tables).iter().filter(|r| r.status == Status::Internal).count();
        assert_eq!(internal, 88);
    }

    #[test]
    fn missing_and_unknown_rows_are_reported() {
        let mut tables = Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false)));
        let at = tables.row_named("token.renew").unwrap();
        tables.rows[at].id = "token.invented".into();
        let mut diags = Diags::new();
        check(&tables, &mut diags);
        let titles: Vec<&str> = diags.iter().map(Diag::title).collect();
        assert_eq!(
            titles.iter().filter(|t| t.contains("`token.renew`")).count(),
            5,
            "{titles:?}"
        );
        assert!(
            titles.contains(&"the comparison pages have no `token.invented`"),
            "{titles:?}"
        );
    }
}
