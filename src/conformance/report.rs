//! The report as data: sections of ids, each id with its pairs.

use std::collections::{BTreeMap, BTreeSet};

use rtm::value::Text;
use tables::Tables;
use tables::comparison::{Resolved, page_id, real_names, resolve};
use tables::row::{CodeId, Status};

use crate::conformance::exercised::{Exercised, crosses, families, section};
use crate::conformance::open::Open;

/// What begins the names of traces that the vendor's SDKs have made.
pub(super) const VENDOR: &str = "vendor-";

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The platforms, in the order of the pages.
    pub platforms: Vec<&'static str>,
    /// The ids, in the order of the pages.
    pub sections: Vec<Section>,
    /// Limitation codes that some pair has, with those pairs' ids.
    pub codes: BTreeMap<CodeId, BTreeSet<&'static str>>,
}

/// The ids with one beginning.
#[derive(Clone, Debug)]
pub struct Section {
    /// `peer`.
    pub name: &'static str,
    /// Its ids.
    pub entries: Vec<Entry>,
}

/// An id of the pages.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `peer.send`.
    pub id: &'static str,
    /// What its Signaling side is called; empty when it has none.
    pub names: Vec<Text>,
    /// Its pairs, by platform.
    pub cells: BTreeMap<&'static str, Cell>,
    /// The names of the examples of its rows.
    pub examples: Vec<Text>,
    /// Limitation codes, and the platforms that have them when not all do.
    pub codes: BTreeMap<CodeId, Vec<&'static str>>,
}

/// A pair.
#[derive(Clone, Debug)]
pub struct Cell {
    /// How it is served.
    pub status: Status,
    /// Something of it is on the wire.
    pub crosses: bool,
    /// The traces that exercise it.
    pub traces: Vec<String>,
    /// Why none does, when it is known to be open.
    pub open: Option<String>,
}

/// A platform in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pairs.
    pub pairs: usize,
    /// Those with something on the wire.
    pub crossing: usize,
    /// Of these, those that a trace exercises.
    pub exercised: usize,
    /// Of these, those that a vendor's SDK has exercised.
    pub by_vendor: usize,
}

impl Report {
    /// By those tables and traces.
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

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.entries)
    }

    /// A platform in numbers.
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

    /// How many pairs of a platform have a status.
    pub fn count(&self, platform: &str, status: Status) -> usize {
        let cells = self.entries().filter_map(|entry| entry.cells.get(platform));
        cells.filter(|cell| cell.status == status).count()
    }

    /// Pairs that cross the wire and are exercised by no trace.
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

    /// What is wrong with the list of open pairs: a pair that is neither exercised nor listed, one that is both, and a
    /// line that is about nothing.
    pub fn complaints(&self, open: &Open) -> Vec<String> {
        let mut complaints: Vec<String> = self
            .unexercised()
            .into_iter()
            .filter(|(_, _, why)| why.is_none())
            .map(|(id, platform, _)| format!("no trace exercises {id} on {platform}, and it is not listed as open"))
            .collect();
        for listed in &open.pairs {
            let name = format!("{} on {}", listed.id, listed.platform);
            let entry = self.entries().find(|entry| entry.id == listed.id);
            match entry.and_then(|entry| entry.cells.get(&*listed.platform)) {
                None => complaints.push(format!("{name} is listed as open, and is no pair of the pages")),
                Some(cell) if !cell.crosses => {
                    complaints.push(format!("{name} is listed as open, and crosses no wire"))
                }
                Some(cell) => {
                    let traces = cell.traces.iter().take(1);
                    complaints
                        .extend(traces.map(|trace| format!("{name} is listed as open, and {trace} exercises it")));
                }
            }
            if listed.why.trim().is_empty() || listed.why.contains('\n') {
                complaints.push(format!("{name} needs a reason of one line"));
            }
        }
        complaints
    }

    /// The families of a platform's clients, in words.
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
