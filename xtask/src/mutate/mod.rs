//! Mutation testing of the mapping tables.
//!
//! A mutant is the tables with one changed value. It is compiled and checked like the original. A mutant that passes is a
//! survivor: no example covers the value, or both values are equivalent.
//!
//! Mutated are all keys of a `[[row]]` except its examples, and all of `[fail.…]`. The following values are excluded,
//! since they do not affect the engine:
//!
//! | key | why |
//! |---|---|
//! | `row.id` | the row's name; the comparison list's test compares it |
//! | `row.status`, `row.page` | content of the comparison pages; the comparison list's test compares them |
//! | `row.source` | reference for readers |
//! | `row.code` of a code that no outcome notes, or that a page lists too | reference for readers |
//! | `fact`s that the previous step implies | it ends the row otherwise |
//! | the order of mutually exclusive steps | their facts do not change |
//! | `first` for `done` where the last step is the only call | the first result is the last |
//! | params of type `any` | no conversion takes place |
//! | names of outcomes, lets, params and arguments | references would not compile |

mod cover;
mod judge;
mod outcome;
mod row;
mod step;
mod subject;
mod tree;
mod value;
mod walk;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use analysis::check::check;
use tables::ParsedTables;
use tables::diagnostics::{Diags, Source};

use judge::{Verdict, judge};
use subject::Subject;
use walk::Change;

/// Result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutationReport {
    /// Number of mutants.
    pub mutants: usize,
    /// Mutants that a check detected.
    pub killed: usize,
    /// Killed mutants that do not compile.
    pub uncompiled: usize,
    /// Names of undetected mutants, in table order.
    pub survivors: Vec<String>,
    /// Values without a mutant: keys that this module does not know.
    pub untouched: Vec<String>,
}

impl fmt::Display for MutationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_mille = self.survivors.len() * 1000 / self.mutants.max(1);
        writeln!(
            f,
            "mutants        {} ({} do not compile)",
            self.mutants, self.uncompiled
        )?;
        let (percent, tenths) = (per_mille / 10, per_mille % 10);
        write!(f, "survivors      {} ({percent}.{tenths} %)", self.survivors.len())
    }
}

/// Creates and checks all mutants of the tables.
///
/// # Errors
/// The errors of the original tables.
pub fn run(sources: &[Arc<Source>]) -> Result<MutationReport, Diags> {
    let (written, diags) = ParsedTables::read(sources);
    diags.or_ok(())?;
    let (tables, diags) = written.compile();
    diags.or_ok(())?;
    check(&tables).1.or_ok(())?;
    let subjects = subject::all(sources, &tables);
    let mutants: Vec<(&Subject, &Change)> = subjects
        .iter()
        .flat_map(|subject| subject.changes.iter().map(move |change| (subject, change)))
        .collect();
    let verdicts = judge_all(&written, &mutants);
    let count = |of: Verdict| verdicts.iter().filter(|verdict| **verdict == of).count();
    let survivors = mutants
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::Survived);
    Ok(MutationReport {
        untouched: subjects.iter().flat_map(cover::untouched).collect(),
        mutants: mutants.len(),
        killed: mutants.len() - count(Verdict::Survived),
        uncompiled: count(Verdict::Uncompiled),
        survivors: survivors
            .map(|((subject, change), _)| format!("{}/{}", subject.name, change.name))
            .collect(),
    })
}

/// Judges all mutants on all cores; returns the verdicts in order.
fn judge_all(tables: &ParsedTables, mutants: &[(&Subject, &Change)]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((subject, change)) = mutants.get(at) else {
                return done;
            };
            done.push((at, judge(tables, subject, change)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut verdicts = vec![Verdict::Survived; mutants.len()];
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (at, verdict) in done {
                verdicts[at] = verdict;
            }
        }
    });
    verdicts
}
