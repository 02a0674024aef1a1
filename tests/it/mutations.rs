//! Every value of every row, changed one at a time, is found by `check`; what is not is listed with a reason.

use std::collections::BTreeMap;
use std::process::Command;

use crate::documents::compare_printed;

use sigbridge::check::mutate;
use tables::embedded;

/// One `"name" = "reason"` for each change that nothing can find.
const LIST: &str = include_str!("../../fixtures/mutation-survivors.toml");

#[test]
fn check_finds_every_change() {
    let report = mutate::run(&embedded()).unwrap_or_else(|diags| panic!("{}", diags.render(false)));
    let listed: BTreeMap<String, String> = toml::from_str(LIST).expect("a table of names and reasons");
    println!(
        "{} changes, {} of them do not compile, {} survive",
        report.mutants,
        report.uncompiled,
        report.survivors.len()
    );
    assert!(
        report.untouched.is_empty(),
        "nothing changes these: {:#?}",
        report.untouched
    );
    let unlisted: Vec<&String> = report
        .survivors
        .iter()
        .filter(|name| !listed.contains_key(*name))
        .collect();
    let gone: Vec<&String> = listed.keys().filter(|name| !report.survivors.contains(name)).collect();
    assert!(
        unlisted.is_empty(),
        "nothing finds these changes; add an example, or list them with a reason: {unlisted:#?}"
    );
    assert!(gone.is_empty(), "listed, but found, or no change any more: {gone:#?}");
    assert!(
        listed.values().all(|reason| reason.len() > 10),
        "every survivor has a reason"
    );
    let survivors = report.survivors.len();
    let per_mille = survivors * 1000 / report.mutants;
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge")).arg("check").output();
    let printed = String::from_utf8(output.expect("the program runs").stdout).expect("UTF-8")
        + &format!(
            "mutations      {} ({} do not compile)\n",
            report.mutants, report.uncompiled
        )
        + &format!("survivors      {survivors} ({}.{} %)\n", per_mille / 10, per_mille % 10);
    let shown = compare_printed(
        "docs/guide/get-started.md",
        "cargo run --release -q -- check --mutations",
        &printed,
    );
    assert_eq!(shown, [] as [String; 0], "UPDATE_DOCS=1 writes it");
    assert!(
        survivors * 50 <= report.mutants,
        "{survivors} of {} changes survive, more than 2 %",
        report.mutants
    );
}
