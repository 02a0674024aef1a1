//! Report data: sections of IDs, each with its pairs.

use std::collections::{BTreeMap, BTreeSet};

use rtm::value::Text;
use tables::Tables;
use tables::comparison::{Resolved, page_id, real_names, resolve};
use tables::row::{CodeId, Status};

use crate::conformance::exercised::{Exercised, crosses, families, section};
use crate::conformance::open::Open;

/// Name prefix of traces recorded with the vendor's SDKs.
pub(super) const VENDOR: &str = "vendor-";

/// Conformance report.
#[derive(Clone, Debug)]
pub struct Report {
    /// Platforms, in page order.
    pub platforms: Vec<&'static str>,
    /// Sections, in page order.
    pub sections: Vec<Section>,
    /// Limitation codes and the IDs of pairs that have them.
    pub codes: BTreeMap<CodeId, BTreeSet<&'static str>>,
}

/// IDs with a common first part.
#[derive(Clone, Debug)]
pub struct Section {
    /// `peer`.
    pub name: &'static str,
    pub entries: Vec<Entry>,
}

/// ID of the pages.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `peer.send`.
    pub id: &'static str,
    /// Signaling names; empty if there are none.
    pub names: Vec<Text>,
    /// Pairs by platform.
    pub cells: BTreeMap<&'static str, Cell>,
    /// Names of the examples of its rows.
    pub examples: Vec<Text>,
    /// Limitation codes; platforms only if not all have the code.
    pub codes: BTreeMap<CodeId, Vec<&'static str>>,
}

/// Pair of an ID and a platform.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Mapping status.
    pub status: Status,
    /// True if a part of it reaches the wire.
    pub crosses: bool,
    /// Traces that exercise it.
    pub traces: Vec<String>,
    /// Reason, if listed as open.
    pub open: Option<String>,
}

/// Totals of a platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub pairs: usize,
    /// Pairs that reach the wire.
    pub crossing: usize,
    /// Of these, pairs exercised by a trace.
    pub exercised: usize,
    /// Of these, pairs exercised by a vendor SDK.
    pub by_vendor: usize,
}

impl Report {
    /// Builds the report from tables and traces.
    pub fn of(tables: &Tables, exercised: &Exercised, open: &Open) -> Self {
        let mut report = Self {
            platforms: Vec::new(),
            sections: Vec::new(),
            codes: BTreeMap::new(),
        };
        for found in resolve(tables) {
            report.add(tables, exercised, open, &found);
        }
        for entry in report.sections.iter_mut().flat_map(|section| &mut section.entries) {
            let pairs = entry.cells.len();
            for platforms in entry.codes.values_mut().filter(|platforms| platforms.len() == pairs) {
                platforms.clear();
            }
        }
        report
    }

    fn add(&mut self, tables: &Tables, exercised: &Exercised, open: &Open, found: &Resolved) {
        let pair = &found.pair;
        if !self.platforms.contains(&pair.platform) {
            self.platforms.push(pair.platform);
        }
        let crosses = crosses(found.status);
        let cell = Cell {
            status: found.status,
            crosses,
            traces: exercised.traces(pair).into_iter().map(str::to_owned).collect(),
            open: open.why(pair.id, pair.platform).map(str::to_owned),
        };
        let name = section(pair.id);
        let at = match self.sections.iter().position(|section| section.name == name) {
            Some(at) => at,
            None => {
                let entries = Vec::new();
                self.sections.push(Section { name, entries });
                self.sections.len() - 1
            }
        };
        let entries = &mut self.sections[at].entries;
        if entries.iter().all(|entry| entry.id != pair.id) {
            entries.push(Entry {
                id: pair.id,
                names: Vec::new(),
                cells: BTreeMap::new(),
                examples: examples(tables, pair.id),
                codes: BTreeMap::new(),
            });
        }
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == pair.id) else {
            return;
        };
        entry.cells.insert(pair.platform, cell);
        if pair.signaling != "-" && entry.names.is_empty() {
            entry.names = real_names(tables, &tables.rows[found.row]);
            if entry.names.is_empty() {
                entry.names = pair.signaling.split('/').map(Text::from).collect();
            }
        }
        for &code in &found.codes {
            entry.codes.entry(code).or_default().push(pair.platform);
            self.codes.entry(code).or_default().insert(pair.id);
        }
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.entries)
    }

    /// Counts the pairs of a platform.
    pub fn totals(&self, platform: &str) -> Totals {
        let mut totals = Totals::default();
        for cell in self.entries().filter_map(|entry| entry.cells.get(platform)) {
            totals.pairs += 1;
            totals.crossing += usize::from(cell.crosses);
            totals.exercised += usize::from(!cell.traces.is_empty());
            totals.by_vendor += usize::from(cell.traces.iter().any(|trace| trace.starts_with(VENDOR)));
        }
        totals
    }

    /// Counts the pairs of a platform with a status.
    pub fn count(&self, platform: &str, status: Status) -> usize {
        let cells = self.entries().filter_map(|entry| entry.cells.get(platform));
        cells.filter(|cell| cell.status == status).count()
    }

    /// Returns pairs that reach the wire but no trace exercises.
    pub fn unexercised(&self) -> Vec<(&'static str, &'static str, Option<&str>)> {
        let mut all = Vec::new();
        for entry in self.entries() {
            for (platform, cell) in &entry.cells {
                if cell.crosses && cell.traces.is_empty() {
                    all.push((entry.id, *platform, cell.open.as_deref()));
                }
            }
        }
        all
    }

    /// Returns errors in the list of open pairs: missing, exercised and unknown pairs.
    pub fn open_list_errors(&self, open: &Open) -> Vec<String> {
        let mut open_list_errors: Vec<String> = self
            .unexercised()
            .into_iter()
            .filter(|(_, _, why)| why.is_none())
            .map(|(id, platform, _)| {
                format!("no trace exercises {id} on {platform}; record one or list it in open.toml")
            })
            .collect();
        for listed in &open.pairs {
            let name = format!("{} on {}", listed.id, listed.platform);
            let entry = self.entries().find(|entry| entry.id == listed.id);
            match entry.and_then(|entry| entry.cells.get(&*listed.platform)) {
                None => open_list_errors.push(format!("{name} is listed as open but is not a pair of the pages")),
                Some(cell) if !cell.crosses => {
                    open_list_errors.push(format!("{name} is listed as open but does not reach the wire"))
                }
                Some(cell) => {
                    let traces = cell.traces.iter().take(1);
                    open_list_errors
                        .extend(traces.map(|trace| format!("{name} is listed as open but {trace} exercises it")));
                }
            }
            if listed.why.trim().is_empty() || listed.why.contains('\n') {
                open_list_errors.push(format!("{name} requires a one-line reason"));
            }
        }
        open_list_errors
    }

    /// Names the client families of a platform.
    pub fn clients(platform: &str) -> String {
        families(platform).join(", ")
    }
}

fn examples(tables: &Tables, id: &str) -> Vec<Text> {
    let of_id = |row: usize| page_id(&tables.rows[row]) == id;
    let own = tables
        .examples
        .iter()
        .filter(|example| of_id(example.of) || of_id(example.row));
    let mut names = Vec::new();
    for example in own {
        let name = &example.raw.name;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
