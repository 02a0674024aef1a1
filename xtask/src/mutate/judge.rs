//! Verdict on one mutant.

use std::sync::Arc;

use analysis::check::{check, example_holds};
use tables::{Example, ParsedTables};

use crate::mutate::subject::Subject;
use crate::mutate::walk::Change;

/// Result of checking a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The tables do not compile.
    Uncompiled,
    /// An example fails or is missing.
    Failed,
    /// No check fails.
    Survived,
}

/// Compiles and checks the tables with one change.
pub fn judge(tables: &ParsedTables, subject: &Subject, change: &Change) -> Verdict {
    let Ok(changed) = subject.changed(tables, change) else {
        return Verdict::Uncompiled;
    };
    let (tables, diags) = changed.compile();
    if !diags.is_empty() {
        return Verdict::Uncompiled;
    }
    let tables = Arc::new(tables);
    // Nearby examples kill most mutants; only a mutant that passes them needs the full check.
    for name in &subject.near {
        let near = |example: &&Example| *tables.rows[example.row].id == **name || *tables.rows[example.of].id == **name;
        if tables
            .examples
            .iter()
            .filter(near)
            .any(|example| !example_holds(&tables, example))
        {
            return Verdict::Failed;
        }
    }
    let (_, diags) = check(&tables);
    if diags.is_empty() {
        Verdict::Survived
    } else {
        Verdict::Failed
    }
}
