//! The corpus of `cargo fuzz`, through the same entries.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use super::case::seeds;
use super::entries;

/// Size of the corpus in the repository, bytes.
const MOST_BYTES: u64 = 300_000;

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

#[test]
fn the_corpus_violates_no_property() {
    let mut bytes = 0;
    for (name, entry) in entries::ALL {
        let paths = corpus(name);
        assert!(!paths.is_empty(), "{name} has no corpus");
        for path in paths {
            let data = fs::read(&path).expect("readable");
            bytes += data.len() as u64;
            if catch_unwind(|| entry(&data)).is_err() {
                panic!("with {}", path.display());
            }
        }
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

/// Input for the process (`tests/fuzz/corpus`) violates no property of a reader either.
#[test]
fn pieces_of_other_corpora_violate_no_property() {
    for (front, name, choices) in [
        ("web", "text_frames", &[3, 7, 11, 4][..]),
        ("native", "text_frames", &[19, 16]),
        ("api", "text_frames", &[15]),
        ("native", "native", &[2]),
        ("packets", "native", &[3, 255]),
        ("udp", "native", &[0, 1]),
        ("link", "link", &[0, 1, 2]),
        ("http", "admin", &[0, 1]),
    ] {
        let (_, entry) = entries::ALL.iter().find(|(known, _)| *known == name).expect("an entry");
        for piece in seeds(front) {
            for choice in choices {
                entry(&[&[*choice][..], &piece].concat());
            }
        }
    }
}

#[test]
fn every_entry_is_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let manifest = fs::read_to_string(folder.with_file_name("Cargo.toml")).expect("readable");
    for (name, _) in entries::ALL {
        let target = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap_or_default();
        assert!(target.contains(&format!("entries::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
