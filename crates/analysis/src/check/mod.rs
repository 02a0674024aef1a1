//! `check`: runs every example of the tables on the engine, and again with each platform's vocabulary.
//!
//! An example is exact: an effect that no step expects is an error. So a changed value in a covered row is found here,
//! not at run time.

mod bench;
mod failure;
mod given;
mod platforms;
mod steps;
mod suspect;

use std::sync::Arc;

use rtm::CallKind;
use rtm::value::Value;
use tables::comparison;
use tables::diagnostics::{Diag, Diags, Source};
use tables::spanned_toml::Spanned;
use tables::spanned_value::{Node, NodeKind};
use tables::{Example, ParsedTables, Tables};

use bench::Bench;
use suspect::Suspects;

/// Counts of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rows: usize,
    /// Examples in the tables.
    pub examples: usize,
    /// Runs of examples: one per entry of an example's table.
    pub runs: usize,
    /// Repeated runs with a platform's vocabulary.
    pub platform_runs: usize,
    /// Runs that a platform lacks the calls for.
    pub platform_skips: usize,
}

/// Compiles table files and runs their examples. If a part does not compile, unrelated examples still run.
pub fn check_sources(sources: &[Arc<Source>]) -> (Counts, Diags) {
    let (written, mut diags) = ParsedTables::read(sources);
    if !written.is_complete {
        // Tables missing for a TOML error would cause follow-up errors.
        return (Counts::default(), diags);
    }
    let (mut tables, more) = written.compile();
    diags.extend(more);
    if diags.is_empty() {
        return check(&tables);
    }
    let suspects = Suspects::of(&written, &diags);
    let mut examples = std::mem::take(&mut tables.examples);
    examples.retain(|example| !suspects.concern(example, |row| &tables.rows[row].id));
    tables.examples = examples;
    if suspects.platforms {
        tables.platforms.clear();
    }
    let (counts, _, failed) = run_examples(&tables);
    diags.extend(failed);
    (counts, diags)
}

/// Runs all examples of tables that compiled without errors.
pub fn check(tables: &Tables) -> (Counts, Diags) {
    let mut diags = Diags::new();
    platforms::check_guards(tables, &mut diags);
    comparison::check(tables, &mut diags);
    let (counts, covered, failed) = run_examples(tables);
    diags.extend(failed);
    covered.check(tables, &mut diags);
    (counts, diags)
}

fn run_examples(tables: &Tables) -> (Counts, platforms::Coverage, Diags) {
    let mut diags = Diags::new();
    let mut counts = Counts {
        rows: tables.rows.len(),
        examples: tables.examples.len(),
        ..Counts::default()
    };
    let mut covered = platforms::Coverage::default();
    let shared = Arc::new(tables.clone());
    for example in &tables.examples {
        for (steps, given) in instances(example) {
            counts.runs += 1;
            let lacks = lacking(example, &mut diags);
            let mut bench = Bench::new(shared.clone(), example, move |kind| !lacks.contains(&kind));
            if let Err(diag) = bench.run(given.as_ref(), &steps) {
                diags.push(diag);
                covered.failed(example.row);
                continue;
            }
            let traffic = bench.traffic;
            for platform in &tables.platforms {
                match platforms::again(platform, example, given.as_ref(), &steps, &traffic, &shared) {
                    Ok(true) => {
                        counts.platform_runs += 1;
                        covered.note(&platform.name, example.row);
                    }
                    Ok(false) => counts.platform_skips += 1,
                    Err(diag) => {
                        diags.push(diag);
                        covered.failed(example.row);
                    }
                }
            }
        }
    }
    // One mistake in several entries of a table is reported once.
    (counts, covered, diags.without_repeats())
}

/// Returns true if all instances of an example pass; a fast check of one example.
pub fn example_holds(tables: &Arc<Tables>, example: &Example) -> bool {
    instances(example).iter().all(|(steps, given)| {
        let lacks = lacking(example, &mut Diags::new());
        let mut bench = Bench::new(tables.clone(), example, move |kind| !lacks.contains(&kind));
        bench.run(given.as_ref(), steps).is_ok()
    })
}

/// Expands an example per entry of its table, replacing `$name` by the entry's values.
fn instances(example: &Example) -> Vec<(Vec<Node>, Option<Node>)> {
    let raw = &example.raw;
    let many = |node: &Node| match raw.given.as_ref().and_then(|g| g.get("many")) {
        Some(count) => node.substitute(&many_users(count)),
        None => node.clone(),
    };
    if raw.table.is_empty() {
        return vec![(raw.steps.iter().map(many).collect(), raw.given.clone())];
    }
    let entries = raw.table.iter();
    entries
        .map(|entry| {
            let steps = raw.steps.iter().map(|step| many(step).substitute(entry)).collect();
            (steps, raw.given.as_ref().map(|given| given.substitute(entry)))
        })
        .collect()
}

/// Returns `$many`: the number of user IDs that an example requests.
fn many_users(count: &Node) -> Node {
    let n = count.to_value().as_int().unwrap_or(0);
    let user = |i| Node {
        span: count.span.clone(),
        kind: NodeKind::Literal(Value::text(format!("user{i:04}"))),
    };
    let list = Node {
        span: count.span.clone(),
        kind: NodeKind::List((0..n).map(user).collect()),
    };
    let name = Spanned {
        value: "many".into(),
        span: count.span.clone(),
    };
    Node {
        span: count.span.clone(),
        kind: NodeKind::Map(vec![(name, list)]),
    }
}

fn lacking(example: &Example, diags: &mut Diags) -> Vec<CallKind> {
    let mut kinds = Vec::new();
    for name in &example.raw.lacks {
        match CallKind::parse(&name.value) {
            Some(kind) => kinds.push(kind),
            None => {
                let names = CallKind::ALL.iter().map(|c| c.name());
                let title = format!("unknown RTM call `{}`", name.value);
                diags.push(Diag::new(&name.span, title).did_you_mean(&name.value, names));
            }
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_examples_hold() {
        let tables = Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false)));
        let (counts, diags) = check(&tables);
        assert!(diags.is_empty(), "{}", diags.render(false));
        assert!(
            counts.runs >= 60 && counts.platform_runs > 2 * counts.runs,
            "{counts:?}"
        );
    }
}
