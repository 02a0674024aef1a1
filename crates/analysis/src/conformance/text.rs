//! Report as Markdown, for migration planning.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tables::Tables;
use tables::row::Status;

use crate::conformance::report::{Cell, Entry, Report, Section, VENDOR};

/// Maximum of named traces per ID; the rest is counted.
const MAX_TRACES: usize = 4;

const HEAD: &str = "\
# Conformance

What each entry of the vendor's comparison pages (a Signaling call or event, and what RTM has in its place) becomes here, and what
shows it. Written by `sigbridge conformance`; a test fails when it is stale.

- **direct**: one call or event of RTM. **emulated**: made of others. **refused**: not served, with a limitation code.
- **client-side**: the SDK answers by itself, nothing is on the wire. **internal**: Signaling has no counterpart.
- A pair of an id and a platform is *exercised* when a trace in `fixtures/traces` has used it: a real session whose client is of a
  family of that platform, and whose upstream had the names of that platform's RTM SDK and lacked what it lacks. Traces are recorded from
  running servers and played again by `cargo test`. *Open* is what crosses the wire and no trace has used.

";

/// Explanation of the evidence column.
const EVIDENCE: &str = "\
The examples are those of `sigbridge check`; `sigbridge explain` shows the row of a call. A trace's name is an id, what else it is about, and the \
platform, which is left out here. `vendor-…` are sessions of the vendor's own SDKs.
";

impl Report {
    /// Renders Markdown.
    pub fn text(&self, tables: &Tables) -> String {
        let mut text = String::from(HEAD);
        self.totals_table(&mut text);
        self.open_list(&mut text);
        text.push_str("\n## Evidence\n\n");
        text.push_str(EVIDENCE);
        for section in &self.sections {
            self.section(&mut text, tables, section);
        }
        self.codes_table(&mut text, tables);
        text
    }

    fn totals_table(&self, text: &mut String) {
        let statuses = [
            Status::Direct,
            Status::Emulated,
            Status::Refused,
            Status::ClientSide,
            Status::Internal,
        ];
        text.push_str("| platform | clients | entries | direct | emulated | refused | client-side | internal | on the wire | exercised | by the vendor's SDK |\n");
        text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
        let mut sums = [0; 9];
        for platform in &self.platforms {
            let totals = self.totals(platform);
            let mut numbers = vec![totals.pairs];
            numbers.extend(statuses.iter().map(|&status| self.count(platform, status)));
            numbers.extend([totals.crossing, totals.exercised, totals.by_vendor]);
            row(text, &[platform, &Self::clients(platform)], &numbers);
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += number;
            }
        }
        row(text, &["all", ""], &sums);
    }

    fn open_list(&self, text: &mut String) {
        let open = self.unexercised();
        if open.is_empty() {
            text.push_str("\nThere are no open pairs.\n");
            return;
        }
        text.push_str("\nOpen:\n\n");
        for (id, platform, why) in open {
            let why = why.unwrap_or("no reason given");
            let _ = writeln!(text, "- `{id}` on {platform}: {why}");
        }
    }

    fn section(&self, text: &mut String, tables: &Tables, section: &Section) {
        let _ = writeln!(text, "\n### {}\n", section.name);
        let _ = writeln!(text, "| id | Signaling | {} | limits |", self.platforms.join(" | "));
        let _ = writeln!(text, "|---|---|{}---|", "---|".repeat(self.platforms.len()));
        for entry in &section.entries {
            let cells: Vec<String> = self
                .platforms
                .iter()
                .map(|platform| entry.cells.get(platform).map_or("–".into(), cell))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                entry.id,
                cell_text(&names(entry)),
                cells.join(" | "),
                codes(tables, entry)
            );
        }
        let has_any = |entry: &&Entry| !entry.examples.is_empty() || entry.cells.values().any(|c| !c.traces.is_empty());
        let shown: Vec<&Entry> = section.entries.iter().filter(has_any).collect();
        if shown.is_empty() {
            return;
        }
        text.push_str("\n| id | examples | traces |\n|---|---|---|\n");
        for entry in shown {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                entry.id,
                cell_text(&entry.examples.join("; ")),
                traces(entry)
            );
        }
    }

    fn codes_table(&self, text: &mut String, tables: &Tables) {
        text.push_str("\n## Limitation codes\n\n| code | cause | what an app can do | ids |\n|---|---|---|---|\n");
        let mut codes: Vec<_> = self
            .codes
            .iter()
            .map(|(&code, ids)| (&tables.codes[code], ids))
            .collect();
        codes.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        for (code, ids) in codes {
            let ids: Vec<&str> = ids.iter().copied().collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                code.name,
                cell_text(&code.cause),
                cell_text(&code.workaround),
                ids.join(", ")
            );
        }
    }
}

fn row(text: &mut String, words: &[&str], numbers: &[usize]) {
    for word in words {
        let _ = write!(text, "| {word} ");
    }
    for number in numbers {
        let _ = write!(text, "| {number} ");
    }
    text.push_str("|\n");
}

fn cell(cell: &Cell) -> String {
    let is_open = cell.crosses && cell.traces.is_empty();
    format!("{}{}", cell.status.name(), if is_open { ", **open**" } else { "" })
}

fn names(entry: &Entry) -> String {
    let names: Vec<&str> = entry.names.iter().map(|name| &**name).collect();
    names.join(", ")
}

/// Lists the codes; with platforms if not all have the code.
fn codes(tables: &Tables, entry: &Entry) -> String {
    let code = |(&code, platforms): (&usize, &Vec<&str>)| {
        let name = tables.code_name(code);
        if platforms.is_empty() {
            name.to_string()
        } else {
            format!("{name} ({})", platforms.join(", "))
        }
    };
    entry.codes.iter().map(code).collect::<Vec<_>>().join(", ")
}

/// Lists traces without their platforms: the entry's own first, then shared ones.
fn traces(entry: &Entry) -> String {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (platform, cell) in &entry.cells {
        for trace in &cell.traces {
            let stem = trace.strip_suffix(platform).and_then(|rest| rest.strip_suffix('.'));
            *found.entry(stem.unwrap_or(trace)).or_default() += 1;
        }
    }
    let own = |stem: &str| {
        stem.strip_prefix(entry.id)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let rank = |stem: &str| match (stem.starts_with(VENDOR), own(stem)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    let mut stems: Vec<&str> = found.keys().copied().collect();
    stems.sort_by(|a, b| (rank(a), found[b], *a).cmp(&(rank(b), found[a], *b)));
    let more = stems.len().saturating_sub(MAX_TRACES);
    stems.truncate(MAX_TRACES);
    let mut text = stems.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn cell_text(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
