//! What the layers do not know of each other, read from their sources.

use std::fs;
use std::path::{Path, PathBuf};

use sigbridge::mapping::Tables;

/// Longest file of `src`, lines.
const LONGEST: usize = 600;

/// The Signaling side is data: the tables know its names, and the code that runs them knows none.
#[test]
fn no_signaling_name_is_in_code() {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let names: Vec<&str> = tables.signatures.iter().map(|signature| &*signature.name).collect();
    assert!(names.len() > 40, "{names:?}");
    // `login` and `logout` are also words, RTM's calls, and frames of the wire.
    let is_word = |name: &str| name.chars().all(|c| c.is_ascii_lowercase());
    let names: Vec<&str> = names.into_iter().filter(|name| !is_word(name)).collect();
    assert!(names.contains(&"messageInstantSend") && names.contains(&"onInviteFailed"));
    let mut found = Vec::new();
    for layer in ["bridge", "front", "upstream"] {
        for (path, text) in program(&src().join(layer)) {
            for (number, line) in code(&text) {
                let known = words(line).find(|word| names.contains(word));
                found.extend(known.map(|name| format!("{}:{number}: {name}", path.display())));
            }
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

/// The engine is a function of its inputs: whoever replays them gets the same effects.
#[test]
fn the_engine_knows_no_clock_and_no_wire() {
    let mut found = Vec::new();
    for (path, text) in program(&src().join("bridge")) {
        for (number, line) in code(&text) {
            for foreign in [
                "Instant",
                "SystemTime",
                "tokio",
                "serde_json",
                "crate::front",
                "crate::shell",
                "getrandom",
            ] {
                if words(line).any(|word| word == foreign) || foreign.contains("::") && line.contains(foreign) {
                    found.push(format!("{}:{number}: {foreign}", path.display()));
                }
            }
        }
    }
    assert_eq!(found, [] as [String; 0]);
}

/// Files of text are read by `files`, so that all of them are read alike.
#[test]
fn text_files_are_read_in_one_place() {
    // What is read there is no text that people write.
    let others = ["trace/output.rs", "trace/har/message.rs"];
    let mut found = Vec::new();
    for (path, text) in program(&src()) {
        let name = path.strip_prefix(src()).expect("below it");
        if name.starts_with("files") || others.iter().any(|other| name == Path::new(other)) {
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
    let sources = sources(&src());
    assert!(sources.len() > 100, "only {} files", sources.len());
    let long = sources.iter().filter(|(_, text)| text.lines().count() > LONGEST);
    assert_eq!(long.map(|(path, _)| path).collect::<Vec<_>>(), [] as [&PathBuf; 0]);
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a folder that do not only hold tests.
fn program(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = sources(folder);
    sources.retain(|(path, _)| {
        !path
            .strip_prefix(src())
            .is_ok_and(|path| path.iter().any(|part| part == "tests" || part == "tests.rs"))
    });
    assert!(!sources.is_empty(), "{} has no sources", folder.display());
    sources
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
