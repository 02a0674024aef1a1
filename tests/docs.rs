//! Documents that are written by hand name all that they are about.

use std::path::Path;

use sigbridge::check;
use sigbridge::mapping::Tables;
use sigbridge::mapping::fact::{Emulation, Fact};
use sigbridge::mapping::func::Func;

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
    names_all("docs/tables.md", Fact::NAMES.iter().map(|(name, _)| *name));
    names_all("docs/tables.md", Func::NAMES.iter().map(|(name, _)| *name));
    names_all("docs/tables.md", Emulation::NAMES.iter().map(|(name, _)| *name));
}

#[test]
fn every_profile_has_a_place_to_point_it_from() {
    let tables = Tables::built_in().expect("the built-in tables");
    let builds = tables.profiles.iter().map(|profile| &*profile.builds);
    names_all("docs/point-a-client.md", builds);
}
