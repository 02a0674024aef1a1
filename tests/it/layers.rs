//! The layers: which crate may use which, and rules for their sources that Cargo does not check.

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tables::Tables;

/// Longest source file, lines.
const LONGEST: usize = 600;

/// The crates of the workspace, each with those that it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("rtm", &[]),
    ("text-files", &[]),
    ("identity", &["rtm"]),
    ("rtm-embedded", &["rtm"]),
    ("rtm-redis", &["rtm", "rtm-embedded", "runtime"]),
    ("runtime", &["rtm"]),
    ("tables", &["identity", "rtm", "text-files"]),
    ("protocol", &["identity", "rtm", "tables"]),
    ("engine", &["identity", "protocol", "rtm", "tables"]),
    ("agent-link", &["rtm", "runtime", "tables"]),
    (
        "trace",
        &[
            "engine",
            "identity",
            "protocol",
            "rtm",
            "rtm-embedded",
            "runtime",
            "tables",
            "text-files",
        ],
    ),
    (
        "analysis",
        &["engine", "identity", "protocol", "rtm", "tables", "text-files", "trace"],
    ),
    (
        "budgets",
        &["engine", "identity", "protocol", "rtm", "rtm-embedded", "tables"],
    ),
    ("xtask", &["analysis", "rtm", "tables"]),
];

#[test]
fn crates_use_only_those_below() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let own = dependencies.iter().filter_map(|dependency| dependency["name"].as_str());
        used.insert(name, own.filter(|dependency| names.contains(dependency)).collect());
    }
    // The root is above all of them.
    used.remove("sigbridge");
    let allowed = EDGES
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()));
    assert_eq!(used, allowed.collect());
}

/// The Signaling side is data: its names are in the tables, and not in the code that runs them.
#[test]
fn no_signaling_name_is_in_code() {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let names: Vec<&str> = tables.signatures.iter().map(|signature| &*signature.name).collect();
    assert!(
        names.contains(&"messageInstantSend") && names.contains(&"login"),
        "{names:?}"
    );
    let mut found = Vec::new();
    for layer in [
        "crates/engine",
        "crates/rtm-embedded",
        "crates/agent-link",
        "crates/protocol",
        "src/server",
        "src/upstream",
    ] {
        for (path, text) in program(&root().join(layer)) {
            for (number, line) in code(&text) {
                // `login` and `logout` are also words, RTM's calls, and frames of the wire: as texts they are names of calls.
                let known = words(line).find(|word| {
                    let is_word = word.chars().all(|c| c.is_ascii_lowercase());
                    names.contains(word) && (!is_word || line.contains(&format!("call(\"{word}\"")))
                });
                found.extend(known.map(|name| format!("{}:{number}: {name}", path.display())));
            }
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

/// The engine and the embedded RTM are functions of their inputs: a replay has the same effects.
#[test]
fn pure_crates_know_no_clock_and_no_wire() {
    const FOREIGN: [&str; 5] = ["Instant", "SystemTime", "tokio", "serde_json", "getrandom"];
    let mut found = Vec::new();
    for layer in ["crates/engine", "crates/rtm-embedded"] {
        for (path, text) in program(&root().join(layer)) {
            for (number, line) in code(&text) {
                let foreign = words(line).find(|word| FOREIGN.contains(word));
                found.extend(foreign.map(|foreign| format!("{}:{number}: {foreign}", path.display())));
            }
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

/// Text files are read by `text-files`, so that all of them are read alike.
#[test]
fn text_files_are_read_in_one_place() {
    // These read no text that people write.
    let others = [
        "crates/trace/src/output.rs",
        "crates/trace/src/har/message.rs",
        "src/admin/handlers/recordings.rs",
        "src/admin/metrics/process.rs",
    ];
    let mut found = Vec::new();
    for (path, text) in all_programs() {
        let name = path.strip_prefix(root()).expect("below it");
        if name.starts_with("crates/text-files") || others.iter().any(|other| name == Path::new(other)) {
            continue;
        }
        for (number, line) in code(&text) {
            if words(line).any(|word| word == "read_to_string" || word == "read_dir") {
                found.push(format!("{}:{number}", name.display()));
            }
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

#[test]
fn no_file_is_long() {
    let sources: Vec<_> = ["src", "crates", "xtask"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .collect();
    assert!(sources.len() > 300, "only {} files", sources.len());
    let long = sources.iter().filter(|(_, text)| text.lines().count() > LONGEST);
    assert_eq!(long.map(|(path, _)| path).collect::<Vec<_>>(), [] as [&PathBuf; 0]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn all_programs() -> impl Iterator<Item = (PathBuf, String)> {
    ["src", "crates"]
        .iter()
        .flat_map(|folder| program(&root().join(folder)))
}

/// The files of a folder that do not only hold tests.
fn program(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = sources(folder);
    sources.retain(|(path, _)| !path.strip_prefix(root()).is_ok_and(|path| path.iter().any(is_test)));
    assert!(!sources.is_empty(), "{} has no sources", folder.display());
    sources
}

/// Returns true if a part of a path names tests: `tests`, `tests.rs`, `tests_native.rs`.
fn is_test(part: &OsStr) -> bool {
    part.to_str().is_some_and(|part| part.starts_with("tests"))
}

/// Every Rust file of a folder and of those in it.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            found.push((path, text));
        }
    }
    found
}

/// Lines with their numbers, without comments and tests, which are the end of a file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_tests = |at: usize| text[at..].lines().nth(1).is_some_and(|line| line.ends_with('{'));
    let mut tests = text
        .match_indices("#[cfg(test)]")
        .map(|(at, _)| at)
        .filter(|at| is_tests(*at));
    let end = tests.next().unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}
