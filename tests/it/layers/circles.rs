//! Circles of files by their `use` and paths. A file and the files of its own folder count as one part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{program, root};

/// The circles that remain, each with its reason.
const REMAINING: &[(&str, &[&str])] = &[
    // A message carries the inbox of its sender, and an inbox holds messages.
    (
        "src",
        &["server/message", "server/session_directory", "server/session_inbox"],
    ),
    // The server starts sessions, which use the server; it holds the viewers and the readiness of its admin address.
    (
        "src",
        &[
            "admin/live",
            "admin/readiness",
            "server/live_session",
            "server/live_session/record",
            "server/session_start",
            "server/state",
            "server/webhook_events",
        ],
    ),
    // Recursion over a tree.
    ("crates/tables/src", &["spanned_toml/item", "spanned_toml/table"]),
    // The documented API decodes to the type that the decoder of all wires returns.
    ("crates/protocol/src", &["api/decode", "decoder"]),
];

type Module = Vec<String>;

/// The text of a file, divided.
struct Source {
    submodules: BTreeSet<String>,
    /// Names of re-exports, with their paths.
    exports: Vec<(String, Module)>,
    /// Paths that it uses.
    uses: Vec<Module>,
}

#[test]
fn files_form_no_new_circles() {
    let crates = std::fs::read_dir(root().join("crates")).expect("the folder of crates");
    let mut folders = vec!["src".to_owned()];
    folders.extend(crates.map(|entry| {
        let name = entry.expect("a folder").file_name();
        format!("crates/{}/src", name.to_str().expect("UTF-8"))
    }));
    folders.sort();
    let mut found = BTreeSet::new();
    for folder in folders {
        let graph = graph(&root().join(&folder));
        assert!(!graph.is_empty(), "{folder}");
        found.extend(circles(&graph).into_iter().map(|circle| (folder.clone(), circle)));
    }
    let owned = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect::<BTreeSet<_>>();
    let remaining = REMAINING
        .iter()
        .map(|(folder, files)| ((*folder).to_owned(), owned(files)));
    assert_eq!(found, remaining.collect());
}

#[test]
fn a_circle_is_found_through_a_reexport() {
    let files = [
        ("a.rs", "use crate::b::{Inner, other::Thing as T};"),
        ("b.rs", "mod inner;\npub use inner::Inner;\nmod other;"),
        ("b/inner.rs", "// use crate::a::Not;\nfn f() { crate::a::g() }"),
        (
            "b/other.rs",
            "struct Thing;\n#[cfg(test)]\nmod tests {\n use crate::a::X;\n}",
        ),
    ];
    let sources = files.map(|(path, text)| {
        (
            module_of(Path::new(path)),
            Source::parse(&module_of(Path::new(path)), text),
        )
    });
    let circle = circles(&edges(&BTreeMap::from(sources)));
    assert_eq!(circle, [BTreeSet::from(["a".to_owned(), "b/inner".to_owned()])]);
}

/// The edges between the files of a crate.
fn graph(folder: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let sources = program(folder).into_iter().map(|(path, text)| {
        let module = module_of(path.strip_prefix(folder).expect("a file of the folder"));
        let source = Source::parse(&module, &text);
        (module, source)
    });
    edges(&sources.collect())
}

fn edges(sources: &BTreeMap<Module, Source>) -> BTreeMap<Module, BTreeSet<Module>> {
    let edges = sources.iter().map(|(module, source)| {
        let used = source.uses.iter().filter_map(|path| resolve(sources, path, 0));
        // A file may use those of the folders that it is in.
        let used = used.filter(|used| !module.starts_with(used));
        (module.clone(), used.collect())
    });
    edges.collect()
}

/// `server/live_session/mod.rs` is `server`, `live_session`.
fn module_of(path: &Path) -> Module {
    let path = path.with_extension("");
    let mut parts: Module = path
        .iter()
        .map(|part| part.to_str().expect("UTF-8").to_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&&**last))
    {
        parts.pop();
    }
    parts
}

/// Returns the file that defines an item, through re-exports.
fn resolve(sources: &BTreeMap<Module, Source>, path: &[String], depth: usize) -> Option<Module> {
    let length = (0..=path.len())
        .rev()
        .find(|length| sources.contains_key(&path[..*length]))?;
    let (file, rest) = path.split_at(length);
    let exported = rest.first().and_then(|name| {
        let exports = &sources[file].exports;
        exports.iter().find(|(exported, _)| exported == name)
    });
    match exported {
        Some((_, path)) if depth < 8 => resolve(sources, &[path, &rest[1..]].concat(), depth + 1),
        _ => Some(file.to_vec()),
    }
}

impl Source {
    fn parse(module: &[String], text: &str) -> Self {
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let lines = text[..end]
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join("\n");
        let submodules: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
            .map(str::to_owned)
            .collect();
        let mut source = Self {
            submodules,
            exports: Vec::new(),
            uses: Vec::new(),
        };
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let (visibility, rest) = line.trim_start().split_once("use ").unwrap_or(("-", ""));
            let is_export = visibility.starts_with("pub");
            let is_use = visibility.is_empty() || is_export && visibility.ends_with([' ', ')']);
            if !is_use {
                let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                let paths = line.split(|c| !is_path(c)).filter(|path| path.contains("::"));
                let paths: Vec<Module> = paths.filter_map(|path| source.absolute(module, path)).collect();
                source.uses.extend(paths);
                continue;
            }
            let mut tree = rest.to_owned();
            while !tree.contains(';') {
                tree += lines.next().expect("the end of the statement");
            }
            for (name, path) in leaves("", tree.trim_end_matches(';')) {
                match source.absolute(module, &path) {
                    Some(path) if is_export => source.exports.push((name, path)),
                    Some(path) => source.uses.push(path),
                    None => {}
                }
            }
        }
        source
    }

    /// Returns a path from the crate's root; `None` for one of another crate.
    fn absolute(&self, module: &[String], path: &str) -> Option<Module> {
        let mut parts = path
            .split("::")
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .peekable();
        let mut base: Module = match *parts.peek()? {
            "crate" => Vec::new(),
            "super" | "self" => module.to_vec(),
            first if self.submodules.contains(first) => {
                return Some([module, &parts.map(str::to_owned).collect::<Vec<_>>()].concat());
            }
            _ => return None,
        };
        while let Some(part) = parts.next_if(|part| ["crate", "super", "self"].contains(part)) {
            if part == "super" {
                base.pop();
            }
        }
        base.extend(parts.filter(|part| *part != "*").map(str::to_owned));
        Some(base)
    }
}

/// The names and paths of a `use` tree.
fn leaves(prefix: &str, tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let (path, name) = tree
            .split_once(" as ")
            .unwrap_or((tree, tree.rsplit("::").next().unwrap_or(tree)));
        return vec![(name.trim().to_owned(), format!("{prefix}{path}"))];
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let item = inner[start..at].trim();
                if !item.is_empty() {
                    found.extend(leaves(&format!("{prefix}{head}"), item));
                }
                start = (at + 1).min(inner.len());
            }
            _ => {}
        }
    }
    found
}

/// Files that use each other, directly or through others.
fn circles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<String>> {
    let mut reached: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for start in graph.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(at) = open.pop() {
            open.extend(graph[at].iter().filter(|next| seen.insert(*next)));
        }
        reached.insert(start, seen);
    }
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (start, seen) in &reached {
        if !seen.contains(start) {
            continue;
        }
        let circle = seen.iter().filter(|other| reached[*other].contains(start));
        let circle: BTreeSet<String> = circle.map(|module| module.join("/")).collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}
