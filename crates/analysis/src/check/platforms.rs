//! Examples in each SDK's vocabulary, both directions; and guards for calls that an SDK lacks.

use std::collections::HashSet;
use std::sync::Arc;

use rtm::value::Text;
use tables::condition::Condition;
use tables::diagnostics::{Diag, Diags};
use tables::platform::Platform;
use tables::row::{Row, RowId, RowKind, Status, StepKind};
use tables::spanned_value::Node;
use tables::{Example, Tables};

use crate::check::bench::{Bench, Traffic};

/// Repeats an example for a platform; returns false if its SDK lacks a call.
///
/// # Errors
/// A name without a round trip, or an example that fails with the SDK's calls.
pub fn again(
    platform: &Platform,
    example: &Example,
    given: Option<&Node>,
    steps: &[Node],
    traffic: &Traffic,
    tables: &Arc<Tables>,
) -> Result<bool, Diag> {
    let lacks: HashSet<&str> = example.raw.lacks.iter().map(|name| &*name.value).collect();
    let lacks_more = lacks
        .iter()
        .any(|name| !platform.lacks.iter().any(|kind| kind.name() == *name));
    if lacks_more || traffic.calls.iter().any(|call| platform.lacks.contains(&call.kind())) {
        return Ok(false);
    }
    round_trip(platform, traffic).map_err(|name| {
        let title = format!("`{name}` has no round trip through {}", platform.name);
        Diag::new(&example.raw.span, title)
    })?;
    let missing = platform.lacks.clone();
    let mut bench = Bench::new(tables.clone(), example, move |kind| !missing.contains(&kind));
    match bench.run(given, steps) {
        Ok(()) => Ok(true),
        Err(diag) => {
            let title = format!("on {}: {}", platform.name, diag.title());
            Err(Diag::new(diag.span(), title))
        }
    }
}

fn round_trip(platform: &Platform, traffic: &Traffic) -> Result<(), String> {
    for call in &traffic.calls {
        let back = platform.write_call(call).and_then(|named| platform.read_call(&named));
        if back.as_ref() != Some(call) {
            return Err(call.kind().name().into());
        }
    }
    for event in &traffic.events {
        if platform.read_event(&platform.write_event(event)).as_ref() != Some(event) {
            return Err(event.kind().name().into());
        }
    }
    for &error in &traffic.errors {
        let name = platform.error_name(error);
        if platform.read_error(error.error_enum(), name) != Some(error) {
            return Err(error.name().into());
        }
    }
    Ok(())
}

/// Requires a guard for each step whose call some SDK lacks, unless the row is refused there.
pub fn check_guards(tables: &Tables, diags: &mut Diags) {
    for platform in &tables.platforms {
        for (id, row) in tables.rows.iter().enumerate() {
            if status(row, &platform.name) == Status::Refused {
                continue;
            }
            for step in &row.steps {
                let StepKind::Rtm(rtm) = &step.kind else { continue };
                let kind = rtm.call.kind;
                let is_tested = step
                    .conds
                    .iter()
                    .any(|c| c.condition == Condition::Can(kind) && !c.negated);
                if platform.lacks.contains(&kind) && !is_tested {
                    let Some(span) = tables.examples.iter().find(|e| e.of == id).map(|e| &e.raw.span) else {
                        continue;
                    };
                    let title = format!(
                        "row `{}` calls {} unasked, which {} lacks",
                        row.id,
                        kind.name(),
                        platform.name
                    );
                    diags.push(Diag::new(span, title).help(format!("add if = [\"{}\"] to the step", kind.name())));
                }
            }
        }
    }
}

fn status(row: &Row, platform: &str) -> Status {
    let page = row.pages.iter().find(|page| &*page.platform == platform);
    page.and_then(|page| page.status).unwrap_or(row.status)
}

/// Rows that ran, by platform.
#[derive(Default)]
pub struct Coverage {
    seen: HashSet<(Text, RowId)>,
    failed: HashSet<RowId>,
}

impl Coverage {
    /// Records a successful run.
    pub fn note(&mut self, platform: &Text, row: RowId) {
        self.seen.insert((platform.clone(), row));
    }

    /// Records a failed run, which was reported, so that no coverage error follows.
    pub fn failed(&mut self, row: RowId) {
        self.failed.insert(row);
    }

    /// Requires that every row entered from outside ran on every platform.
    pub fn check(&self, tables: &Tables, diags: &mut Diags) {
        for platform in &tables.platforms {
            for (id, row) in tables.rows.iter().enumerate() {
                let is_covered = self.failed.contains(&id) || self.seen.contains(&(platform.name.clone(), id));
                if is_covered || matches!(row.kind, RowKind::Result) {
                    continue;
                }
                let Some(span) = tables.examples.iter().find(|e| e.of == id).map(|e| &e.raw.span) else {
                    continue;
                };
                let title = format!("no example of row `{}` passes on {}", row.id, platform.name);
                diags
                    .push(Diag::new(span, title).help("add one with lacks = [\"…\"] for the calls that its SDK lacks"));
            }
        }
    }
}
