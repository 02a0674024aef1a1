//! Whether `check` finds a change.

use std::sync::Arc;

use tables::diagnostics::Diags;
use tables::{Example, ParsedTables, Tables};

use crate::check::bench::Bench;
use crate::check::mutate::subject::Subject;
use crate::check::mutate::walk::Change;
use crate::check::{check, instances, lacking};

/// What became of a changed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not compile.
    Uncompiled,
    /// An example does not hold, or is missing.
    Failed,
    /// Nothing was found.
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
    // What finds most comes first; only what passes it is checked in full.
    for name in &subject.near {
        let near = |example: &&Example| *tables.rows[example.row].id == **name || *tables.rows[example.of].id == **name;
        if tables
            .examples
            .iter()
            .filter(near)
            .any(|example| fails(&tables, example))
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

fn fails(tables: &Arc<Tables>, example: &Example) -> bool {
    instances(example).iter().any(|(steps, given)| {
        let mut diags = Diags::new();
        let lacks = lacking(example, &mut diags);
        let mut bench = Bench::new(tables.clone(), example, move |kind| !lacks.contains(&kind));
        bench.run(given.as_ref(), steps).is_err()
    })
}
