//! Scenarios: what users observe of each other through the bridge, as text files (format in
//! `README.md`).

mod frames;
#[path = "../support/invent.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod invent;
mod matrix;
mod offline_lines;
mod row_coverage;
mod script;
mod sim;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use script::Scenario;

use agent_link::vocabulary::Vocabulary;
use tables::Tables;

/// Returns the directory of the scenarios.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Returns the built-in tables, compiled once.
fn tables() -> Arc<Tables> {
    static TABLES: OnceLock<Arc<Tables>> = OnceLock::new();
    let compile = || Arc::new(Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false))));
    TABLES.get_or_init(compile).clone()
}

/// Returns the scenario files of a directory, by name; none if the directory is missing.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// Returns the name of a scenario: the stem of its file.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Scenario, (usize, String)> {
    Scenario::read(&std::fs::read_to_string(path).expect("readable"))
}

fn check(path: &Path) -> Result<(), String> {
    check_over(path, None)
}

/// Checks a scenario with RTM behind a link in a platform's vocabulary.
fn check_over(path: &Path, words: Option<&Arc<Vocabulary>>) -> Result<(), String> {
    let result = read(path).and_then(|scenario| scenario.run(&tables(), words));
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    result.map_err(|(line, why)| format!("{shown}:{line}: {why}"))
}

#[test]
fn scenarios() {
    let files = files(&directory());
    let failures: Vec<String> = files.iter().filter_map(|path| check(path).err()).collect();
    let (failed, all) = (failures.len(), files.len());
    assert!(
        failures.is_empty(),
        "{}\n{failed} of {all} scenarios fail",
        failures.join("\n")
    );
    assert!(all > 100, "where are the scenarios?");
}

/// A link must not change any output: each scenario is run in the vocabulary of one platform, in
/// turn.
#[test]
fn scenarios_over_a_link() {
    let platforms = &tables().platforms;
    let words: Vec<Arc<Vocabulary>> = platforms
        .iter()
        .map(|platform| Arc::new(Vocabulary::new(platform)))
        .collect();
    let files = files(&directory());
    let failures = files.iter().zip(words.iter().cycle()).filter_map(|(path, words)| {
        let why = check_over(path, Some(words)).err()?;
        Some(format!("{} {why}", words.platform()))
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
