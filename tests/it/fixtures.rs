//! The traces in `fixtures/traces`: each replays without a difference. Together they exercise every possible pair of the
//! comparison pages, and `docs/conformance.md` is current.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use analysis::conformance::{Exercised, Open, Report, play_folder};
use tables::Tables;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn traces() -> PathBuf {
    root("fixtures/traces")
}

fn tables() -> Arc<Tables> {
    static TABLES: OnceLock<Arc<Tables>> = OnceLock::new();
    let compile = || Arc::new(Tables::built_in().expect("the built-in tables"));
    TABLES.get_or_init(compile).clone()
}

/// Every trace is played the same, or this panics with the first that is not.
fn exercised() -> &'static Exercised {
    static EXERCISED: OnceLock<Exercised> = OnceLock::new();
    EXERCISED.get_or_init(|| play_folder(&tables(), &traces()).unwrap_or_else(|error| panic!("{error}")))
}

fn open() -> Open {
    Open::beside(&traces()).expect("the list of open pairs")
}

#[test]
fn every_trace_is_played_as_it_was_recorded() {
    exercised();
}

#[test]
fn every_pair_is_exercised_or_listed_as_open() {
    let open = open();
    let report = Report::of(&tables(), exercised(), &open);
    assert_eq!(report.open_list_errors(&open), [""; 0]);
    let crossing: usize = report
        .platforms
        .iter()
        .map(|platform| report.totals(platform).crossing)
        .sum();
    assert_eq!(
        crossing, 247,
        "352 pairs, 88 internal and 17 client-side ones among them"
    );
}

#[test]
fn the_list_of_open_pairs_only_shrinks() {
    let nothing = Open::default();
    let missing = Report::of(&tables(), exercised(), &nothing).open_list_errors(&nothing);
    assert_eq!(missing.len(), open().pairs.len(), "{missing:#?}");
    let list = |id: &str, platform: &str, why: &str| -> Vec<String> {
        let text = format!("[[open]]\nid = \"{id}\"\nplatform = \"{platform}\"\nwhy = \"{why}\"\n");
        let open: Open = toml::from_str(&text).expect("a list");
        let open_list_errors = Report::of(&tables(), exercised(), &open).open_list_errors(&open);
        open_list_errors
            .into_iter()
            .filter(|complaint| !missing.contains(complaint))
            .collect()
    };
    for (id, platform, why, complaint) in [
        ("peer.send", "web", "why", "exercises it"),
        ("peer.create-message", "web", "why", "does not reach the wire"),
        ("peer.nonsense", "web", "why", "is not a pair"),
        ("peer.send", "nowhere", "why", "is not a pair"),
        ("channel-attr.updated", "linux-cpp", " ", "a one-line reason"),
    ] {
        let open_list_errors = list(id, platform, why);
        assert!(
            open_list_errors.iter().any(|c| c.contains(complaint)),
            "{id} on {platform}: {open_list_errors:?}"
        );
    }
    // Without traces everything is missing.
    let none = Report::of(&tables(), &Exercised::default(), &nothing);
    assert_eq!(none.open_list_errors(&nothing).len(), 247);
}

#[test]
fn the_conformance_report_is_not_stale() {
    let text = Report::of(&tables(), exercised(), &open()).text(&tables());
    let written = std::fs::read_to_string(root("docs/conformance.md")).expect("docs/conformance.md");
    assert!(
        written == text,
        "docs/conformance.md is stale: run `cargo run -- conformance -o docs/conformance.md`"
    );
}

/// The folder stays small enough to be cloned by everybody.
#[test]
fn the_traces_are_small() {
    let entries = std::fs::read_dir(traces()).expect("the traces").flatten();
    let bytes: u64 = entries.map(|entry| entry.metadata().map_or(0, |data| data.len())).sum();
    assert!(bytes < 3_000_000, "{bytes} bytes");
}
