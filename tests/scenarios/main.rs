//! Scenarios: what people see of each other through the bridge, as text files.

mod script;
mod sim;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sigbridge::mapping::Tables;

use script::Scenario;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// The scenario files of a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

fn check(path: &Path, tables: &Arc<Tables>) -> Result<(), String> {
    let text = std::fs::read_to_string(path).expect("readable");
    let result = Scenario::read(&text).and_then(|scenario| scenario.run(tables));
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    result.map_err(|(line, why)| format!("{shown}:{line}: {why}"))
}

#[test]
fn scenarios() {
    let tables = Arc::new(Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false))));
    let files = files(&directory());
    let failures: Vec<String> = files.iter().filter_map(|path| check(path, &tables).err()).collect();
    let (failed, all) = (failures.len(), files.len());
    assert!(
        failures.is_empty(),
        "{}\n{failed} of {all} scenarios fail",
        failures.join("\n")
    );
    println!("{all} scenarios");
}
