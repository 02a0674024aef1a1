//! The proof that `check` looks: every value of every row is changed, one at a time, and `check` must fail each time.
//!
//! A change is made in the written tables, which are then compiled and checked as always. One that nothing finds is a
//! survivor: a value that no example covers, or one that means the same as the other.
//!
//! What is changed: all of a `[[row]]` but its examples, and all of `[fail.…]`. What is not, because it changes nothing
//! that the engine does, and nothing else is left out:
//!
//! | key | why |
//! |---|---|
//! | `row.id` | the row's name; the comparison list's test compares it |
//! | `row.status`, `row.page` | what the comparison pages say; the comparison list's test compares them |
//! | `row.source` | where the facts come from, for people |
//! | `row.code` of a code that no outcome notes, or that a page lists, too | says what to read |
//! | `condition`s that the step before has left no doubt about | it ends the row without them |
//! | the order of steps of which only one can run | each runs or not by facts that last |
//! | `first` for `done` where the last step is the only call | the first result is the last |
//! | params of type `any` | nothing is converted on its way to anything |
//! | names of outcomes, lets, params and arguments | other values refer to them, so another name does not compile |

mod cover;
mod judge;
mod outcome;
mod row;
mod step;
mod subject;
mod tree;
mod value;
mod walk;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tables::ParsedTables;
use tables::diagnostics::{Diags, Source};

use crate::check::check;
use judge::{Verdict, judge};
use subject::Subject;
use walk::Change;

/// What became of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutationReport {
    /// Changes tried.
    pub mutants: usize,
    /// Changes that were found.
    pub killed: usize,
    /// How many of these do not even compile.
    pub uncompiled: usize,
    /// Changes that nothing finds, by name, in the order of the tables.
    pub survivors: Vec<String>,
    /// Values that nothing changes, by place: keys that this module does not know.
    pub untouched: Vec<String>,
}

/// Changes every value of the tables, one at a time, and checks them each time.
///
/// # Errors
/// What is wrong with the tables as they are; then there is nothing to be learned from changes.
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

/// All verdicts, in order, on all cores.
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
