//! Coverage of the comparison: every row has a scenario, and every scenario belongs to a row.

use std::collections::BTreeMap;

use crate::{directory, files, name, read};

/// `lines.toml`: groups of comparison rows, each with its scenarios.
type Lines = BTreeMap<String, BTreeMap<String, Vec<String>>>;

#[test]
fn every_row_has_a_scenario() {
    let text = std::fs::read_to_string(directory().join("lines.toml")).expect("readable");
    let lines: Lines = toml::from_str(&text).expect("groups of lines of scenario names");
    let paths = [files(&directory()), files(&directory().join("later"))].concat();
    let mut wrong = Vec::new();
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    let mut names = Vec::new();
    for path in &paths {
        names.push(name(path));
        match read(path) {
            Ok(scenario) => {
                if let Some(other) = titles.insert(scenario.title.clone(), name(path)) {
                    wrong.push(format!("{} and {other} have one title: {}", name(path), scenario.title));
                }
            }
            Err((line, why)) => wrong.push(format!("{}:{line}: {why}", path.display())),
        }
    }
    let listed: Vec<&String> = lines.values().flat_map(BTreeMap::values).flatten().collect();
    for (group, of_group) in &lines {
        for (line, scenarios) in of_group {
            if scenarios.is_empty() {
                wrong.push(format!("{group}: no scenario for: {line}"));
            }
            let removed = scenarios.iter().filter(|scenario| !names.contains(scenario));
            wrong.extend(removed.map(|scenario| format!("{group}: {line}: there is no scenario {scenario}")));
        }
    }
    let of_no_line = names.iter().filter(|name| !listed.contains(name));
    wrong.extend(of_no_line.map(|name| format!("{name} is of no line of lines.toml")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
