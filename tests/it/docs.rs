//! Documents that are written by hand name all that they are about.

use std::path::Path;

use analysis::check;
use tables::Tables;
use tables::condition::{Condition, Emulation};
use tables::func::Func;

fn names_all<'n>(file: &str, names: impl IntoIterator<Item = &'n str>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).expect(file).replace('`', "");
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| !text.contains(&name.replace('`', "")))
        .collect();
    assert!(missing.is_empty(), "{file} does not name {missing:?}");
}

#[test]
fn every_limitation_code_is_in_the_limits() {
    let tables = Tables::built_in().expect("the built-in tables");
    assert!(check::check(&tables).1.is_empty());
    names_all("docs/limits.md", tables.codes.iter().map(|code| &*code.name));
    names_all("docs/limits.md", tables.codes.iter().map(|code| &*code.cause));
    names_all("docs/limits.md", tables.codes.iter().map(|code| &*code.workaround));
}

#[test]
fn the_format_names_every_fact_function_and_emulation() {
    names_all("docs/tables.md", Condition::NAMES.iter().map(|(name, _)| *name));
    names_all("docs/tables.md", Func::NAMES.iter().map(|(name, _)| *name));
    names_all("docs/tables.md", Emulation::NAMES.iter().map(|(name, _)| *name));
}

#[test]
fn every_profile_has_a_place_to_point_it_from() {
    let tables = Tables::built_in().expect("the built-in tables");
    let builds = tables.profiles.iter().map(|profile| &*profile.builds);
    names_all("docs/guide/point-a-client.md", builds);
}

/// The workflow is YAML, and each command of it is one of this program that takes these options.
#[test]
fn the_workflow_can_be_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/replay.yml");
    let text = std::fs::read_to_string(path).expect("it is there");
    let workflow: serde_json::Value = serde_saphyr::from_str(&text).expect("it is YAML");
    assert!(workflow["on"]["push"].is_object() && workflow["name"].is_string());
    let steps = workflow["jobs"]["replay"]["steps"].as_array().expect("steps");
    let does = |step: &&serde_json::Value| step["uses"].is_string() != step["run"].is_string();
    assert!(steps.iter().all(|step| does(&step)), "{steps:?}");
    let runs = steps.iter().filter_map(|step| step["run"].as_str());
    let ours: Vec<&str> = runs.filter_map(|run| run.strip_prefix("sigbridge ")).collect();
    assert_eq!(ours.len(), 2);
    for line in ours {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sigbridge"));
        let output = command
            .args(line.split(' '))
            .arg("--help")
            .output()
            .expect("the program runs");
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
