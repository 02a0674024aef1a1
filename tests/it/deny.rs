//! `deny.toml` and what is really linked agree. `cargo deny check` looks at advisories as well, where it is installed; this is what needs
//! neither it nor a network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

fn read(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(path).expect(name);
    text.parse().expect(name)
}

fn list<'t>(table: &'t Table, path: &[&str]) -> &'t [Value] {
    let (last, above) = path.split_last().expect("a path");
    let table = above
        .iter()
        .fold(table, |table, key| table[*key].as_table().expect("a table"));
    table[*last].as_array().expect("a list")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Banned crates are built only for their named wrappers, and each exception is still needed.
#[test]
fn no_banned_crate_is_built() {
    let deny = read("deny.toml");
    let mut wrong = Vec::new();
    for ban in list(&deny, &["bans", "deny"]) {
        let (banned, wrappers) = (text(ban, "crate"), ban.get("wrappers").and_then(Value::as_array));
        let allowed = wrappers.into_iter().flatten().filter_map(Value::as_str);
        let allowed: BTreeSet<String> = allowed.map(ToOwned::to_owned).collect();
        let users = users(banned);
        if users != allowed {
            wrong.push(format!("{banned} is for {allowed:?}, and used by {users:?}"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
    assert!(users("tokio").contains("sigbridge"));
}

/// The crates of a build. (`cargo metadata` also has those of unused features.)
fn users(name: &str) -> BTreeSet<String> {
    let args = [
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal,build,dev",
        "--depth",
        "1",
        "--workspace",
    ];
    let args = [&args[..], &["--prefix", "depth", "--format", "{p}", "--invert", name]].concat();
    // One that is not even locked is an error.
    let tree = cargo(&args).unwrap_or_default();
    let users = tree
        .lines()
        .filter_map(|line| line.strip_prefix('1')?.split(' ').next());
    users.map(ToOwned::to_owned).collect()
}

fn cargo(args: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(cargo);
    let output = command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("cargo is there");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("UTF-8")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn all_crates_come_from_the_registry() {
    let lock = read("Cargo.lock");
    let sources = list(&lock, &["package"])
        .iter()
        .filter_map(|package| package.get("source")?.as_str());
    let others: Vec<&str> = sources
        .filter(|source| *source != "registry+https://github.com/rust-lang/crates.io-index")
        .collect();
    assert_eq!(others, [] as [&str; 0]);
    let manifest = read("Cargo.toml");
    let dependencies = manifest["workspace"]["dependencies"].as_table().expect("a table");
    let any = |(name, spec): (&String, &Value)| {
        let version = spec.as_str().unwrap_or_else(|| text(spec, "version"));
        let is_own = spec.get("path").is_some();
        (!is_own && (version.is_empty() || version.contains('*'))).then(|| name.clone())
    };
    let wild: Vec<String> = dependencies.iter().filter_map(any).collect();
    assert_eq!(wild, [] as [String; 0], "a version that anything fits");
}

/// Every licence of a linked crate is allowed, and every allowed one is used.
#[test]
fn licences_are_those_that_are_allowed() {
    let deny = read("deny.toml");
    let allowed: BTreeSet<&str> = list(&deny, &["licenses", "allow"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let args = [
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--workspace",
    ];
    let tree = cargo(&[&args[..], &["--format", "{p}|{l}"]].concat()).expect("the crates that are linked");
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').expect("a package and its licence");
        let words = words(licence.trim_end_matches(" (*)"));
        seen.extend(allowed.iter().filter(|name| words.iter().any(|word| word == *name)));
        if !(Terms { words: &words, at: 0 }).any_of(&allowed) {
            wrong.push(format!("{package}: `{licence}`"));
        }
    }
    assert!(tree.lines().count() > 100, "{tree}");
    assert_eq!(wrong, [] as [String; 0]);
    let unused: Vec<&&str> = allowed.difference(&seen).collect();
    assert!(unused.is_empty(), "no crate has these: {unused:?}");
}

/// The words of an SPDX expression, of which older crates write `/` for OR.
fn words(licence: &str) -> Vec<String> {
    let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(ToOwned::to_owned).collect()
}

/// An SPDX expression: terms with AND before OR.
struct Terms<'w> {
    words: &'w [String],
    at: usize,
}

impl Terms<'_> {
    fn next(&mut self, word: &str) -> bool {
        let is_it = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is_it);
        is_it
    }

    fn any_of(&mut self, allowed: &BTreeSet<&str>) -> bool {
        let mut holds = self.all_of(allowed);
        while self.next("OR") {
            holds |= self.all_of(allowed);
        }
        holds
    }

    fn all_of(&mut self, allowed: &BTreeSet<&str>) -> bool {
        let mut holds = self.one(allowed);
        while self.next("AND") {
            holds &= self.one(allowed);
        }
        holds
    }

    fn one(&mut self, allowed: &BTreeSet<&str>) -> bool {
        if self.next("(") {
            let holds = self.any_of(allowed);
            return self.next(")") && holds;
        }
        let Some(name) = self.words.get(self.at) else {
            return false;
        };
        self.at += 1;
        // An exception to it is a licence of its own.
        let with = self.next("WITH");
        self.at += usize::from(with);
        !with && allowed.contains(&**name)
    }
}

#[test]
fn expressions_mean_what_they_say() {
    let check = |licence: &str, expected: bool| {
        let allowed = BTreeSet::from(["MIT", "ISC"]);
        let words = words(licence);
        let holds = Terms { words: &words, at: 0 }.any_of(&allowed);
        assert_eq!(holds, expected, "{licence}");
    };
    check("MIT", true);
    check("GPL-3.0", false);
    check("", false);
    check("GPL-3.0 OR MIT", true);
    check("GPL-3.0/MIT", true);
    check("MIT AND ISC", true);
    check("MIT AND GPL-3.0", false);
    check("GPL-3.0 OR MIT AND ISC", true);
    check("(GPL-3.0 OR MIT) AND ISC", true);
    check("(GPL-3.0 OR MIT) AND BSD-3-Clause", false);
    check("MIT WITH some-exception", false);
    check("MIT WITH some-exception OR ISC", true);
}
