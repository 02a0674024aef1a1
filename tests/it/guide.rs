//! Documents against their sources: links, the configuration reference, quoted log lines.
//!
//! `UPDATE_DOCS=1 cargo test --test it guide::` writes the configuration reference.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Below this line the configuration reference is made from the declarations of keys.
const GENERATED: &str = "<!-- from the declarations; UPDATE_DOCS=1 cargo test --test it guide:: writes it -->\n";
const REFERENCE: &str = "docs/guide/configuration.md";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder with this extension, without build output and packages.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_left_out = name.starts_with('.') || ["target", "node_modules"].contains(&name);
        if path.is_dir() && !is_left_out && !path.join("CACHEDIR.TAG").exists() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found
}

/// The anchors of a document: those of its headings, as GitHub makes them, and those that are written.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_fenced = false;
    for line in text.lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if !is_fenced && title.len() < line.len() && title.starts_with(' ') {
            let kept = title
                .trim()
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
        }
        if let Some((id, _)) = line.strip_prefix("<a id=\"").and_then(|rest| rest.split_once('"')) {
            found.insert(id.to_owned());
        }
    }
    found
}

/// The targets of the links of a document.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
}

#[test]
fn every_link_has_a_target() {
    let mut problems = Vec::new();
    let mut total = 0;
    for file in files(&root(), "md") {
        let text = fs::read_to_string(&file).expect("a text file");
        for link in links(&text).filter(|link| !link.contains("://") && !link.contains(' ')) {
            total += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => normal(&file.parent().expect("a folder").join(path)),
            };
            let is_document = target.extension().is_some_and(|end| end == "md");
            let shown = file.strip_prefix(root()).expect("below the root").display().to_string();
            if !target.exists() {
                problems.push(format!("{shown}: no file {link}"));
            } else if is_document && !anchor.is_empty() {
                let text = fs::read_to_string(&target).expect("a text file");
                if !anchors(&text).contains(anchor) {
                    problems.push(format!("{shown}: no anchor {link}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(total > 100, "only {total} links were found");
}

/// A path without `..` parts.
fn normal(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(made.pop(), "{}", path.display()),
            part => made.push(part),
        }
    }
    made
}

#[test]
fn the_configuration_reference_is_that_of_the_declarations() {
    let page = fs::read_to_string(root().join(REFERENCE)).expect(REFERENCE);
    let (intro, generated) = page.split_once(GENERATED).expect("the mark of the generated part");
    let expected = sigbridge::config::reference();
    if generated != expected && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(REFERENCE), format!("{intro}{GENERATED}{expected}")).expect("the page can be written");
        return;
    }
    assert_eq!(generated, expected, "UPDATE_DOCS=1 writes it");
}

/// Troubleshooting quotes log lines. Each is a text of the code.
#[test]
fn quoted_log_lines_exist() {
    let page = fs::read_to_string(root().join("docs/guide/troubleshooting.md")).expect("the page");
    let (_, section) = page.split_once("\n## Log lines\n").expect("the section");
    let mut sources = String::new();
    for folder in ["src", "crates"].map(|name| root().join(name)) {
        if folder.exists() {
            for file in files(&folder, "rs") {
                sources += &fs::read_to_string(file).expect("a source file");
            }
        }
    }
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let lines: Vec<&str> = rows.map(|(line, _)| line).collect();
    assert!(lines.len() > 15, "only {} lines", lines.len());
    let missing: Vec<&&str> = lines
        .iter()
        .filter(|line| !sources.contains(&format!("\"{line}")))
        .collect();
    assert!(missing.is_empty(), "no log line of the program: {missing:?}");
}
