//! Records the commit and the profile of a build, for `sigbridge --version`. Runs git where it is installed, and works without it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of.
const SOURCES: [&str; 7] = [
    "src",
    "crates",
    "mappings",
    "agent/web",
    "build.rs",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    for path in SOURCES {
        println!("cargo:rerun-if-changed={path}");
    }
    let commit = commit(&root).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=SIGBRIDGE_COMMIT={commit}");
    let profile = env::var("PROFILE").expect("cargo sets it");
    println!("cargo:rustc-env=SIGBRIDGE_PROFILE={profile}");
}

/// The commit of the sources, and whether they were changed since; none where they are no checkout of their own, such as
/// an unpacked archive in another repository.
fn commit(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "packed-refs", &branch] {
        let path = git(root, &["rev-parse", "--git-path", name])?;
        if root.join(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(root, &["rev-parse", "--short=12", "HEAD"])?;
    let changed = [&["status", "--porcelain", "--untracked-files=no", "--"][..], &SOURCES].concat();
    Some(match git(root, &changed)?.is_empty() {
        true => commit,
        false => format!("{commit}, changed"),
    })
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    // Reading the state of the files must not write to the index, which others may be using.
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(args)
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
