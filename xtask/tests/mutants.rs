//! `check` detects every changed value of the tables, except for listed survivors.

use std::collections::BTreeMap;

use tables::embedded;
use xtask::mutate;

/// `"name" = "reason"` for each mutant that no check can detect.
const LIST: &str = include_str!("../../fixtures/mutation-survivors.toml");

#[test]
fn every_mutant_is_killed_or_listed() {
    let report = mutate::run(&embedded()).unwrap_or_else(|diags| panic!("{}", diags.render(false)));
    let listed: BTreeMap<String, String> = toml::from_str(LIST).expect("a table of names and reasons");
    println!("{report}");
    assert!(report.untouched.is_empty(), "without a mutant: {:#?}", report.untouched);
    let survives = |name: &String| report.survivors.contains(name);
    let unlisted: Vec<&String> = report
        .survivors
        .iter()
        .filter(|name| !listed.contains_key(*name))
        .collect();
    let stale: Vec<&String> = listed.keys().filter(|name| !survives(name)).collect();
    assert!(
        unlisted.is_empty(),
        "add an example for these mutants, or list them with a reason: {unlisted:#?}"
    );
    assert!(stale.is_empty(), "listed, but killed or no mutant: {stale:#?}");
    assert!(
        listed.values().all(|reason| reason.len() > 10),
        "every survivor has a reason"
    );
    assert!(
        report.survivors.len() * 50 <= report.mutants,
        "more than 2 % of the mutants survive: {report}"
    );
}

#[test]
fn the_mutants_of_admission_fit_the_sources() {
    for mutant in xtask::admission::MUTANTS {
        xtask::admission::read(mutant).unwrap_or_else(|error| panic!("{}: {error:#}", mutant.name));
    }
}
