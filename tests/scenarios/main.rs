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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use script::Scenario;

use agent_link::vocabulary::Vocabulary;
use sigbridge::server::TableSet;
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

/// Returns these tables as sidecars use them.
fn set() -> Arc<TableSet> {
    static SET: OnceLock<Arc<TableSet>> = OnceLock::new();
    SET.get_or_init(|| TableSet::new(tables()).expect("a wire for each profile"))
        .clone()
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

/// Runs a scenario, recorded or not, with RTM behind a link in a platform's vocabulary or in the same process.
fn check(path: &Path, words: Option<&Arc<Vocabulary>>, records: bool) -> Result<(), String> {
    let result = read(path).and_then(|scenario| scenario.run(words, records));
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    result.map_err(|(line, why)| format!("{shown}:{line}: {why}"))
}

fn check_all(check: impl Fn(&Path) -> Result<(), String>) {
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

#[test]
fn scenarios() {
    check_all(|path| check(path, None, true));
}

/// The messages of sessions that are not recorded have no frames.
#[test]
fn scenarios_without_a_recording() {
    check_all(|path| check(path, None, false));
}

/// A link must not change any output: each scenario is run in the vocabulary of one platform, in
/// turn.
#[test]
fn scenarios_over_a_link() {
    let words = |platform| Arc::new(Vocabulary::new(platform));
    let words: Vec<Arc<Vocabulary>> = tables().platforms.iter().map(words).collect();
    let turn = AtomicUsize::new(0);
    check_all(|path| {
        let words = &words[turn.fetch_add(1, Ordering::Relaxed) % words.len()];
        check(path, Some(words), true).map_err(|why| format!("{} {why}", words.platform()))
    });
}
