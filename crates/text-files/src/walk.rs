//! Listing of files in folders: tables, traces.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Name prefix of the metadata files in macOS archives. They contain no text.
const APPLE_DOUBLE: &str = "._";

/// A file or folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}", path = .path.display())]
pub struct Unreadable {
    pub path: PathBuf,
    pub source: io::Error,
}

impl Unreadable {
    pub fn new(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self { path, source }
    }
}

/// Returns true if a path ends in `.ext`.
pub fn has_extension(path: &Path, ext: &str) -> bool {
    path.extension().is_some_and(|its| its == ext)
}

/// Lists the matching files of a folder by name, without its subfolders.
///
/// # Errors
/// The folder cannot be read.
pub fn files_in(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Unreadable> {
    let mut walk = Walk::new(&wanted, false);
    walk.folder(folder)?;
    Ok(walk.found)
}

/// Lists files: each file of `paths` as it is named, and the matching files below each folder,
/// sorted by name. A file or folder that a walk reaches again, by a link or by another path, is
/// listed once.
///
/// # Errors
/// The first folder that cannot be read. A file that does not exist is returned like any other.
pub fn files_below(paths: &[PathBuf], wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Unreadable> {
    let mut walk = Walk::new(&wanted, true);
    for path in paths {
        if !path.is_dir() {
            walk.is_new(path);
            walk.found.push(path.clone());
        } else if walk.is_new(path) {
            walk.folder(path)?;
        }
    }
    Ok(walk.found)
}

struct Walk<'w> {
    wanted: &'w dyn Fn(&Path) -> bool,
    deep: bool,
    seen: HashSet<PathBuf>,
    found: Vec<PathBuf>,
}

impl<'w> Walk<'w> {
    fn new(wanted: &'w dyn Fn(&Path) -> bool, deep: bool) -> Self {
        Self {
            wanted,
            deep,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.seen.insert(real)
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Unreadable> {
        let unreadable = |source| Unreadable::new(folder, source);
        let entries = fs::read_dir(folder).map_err(unreadable)?;
        let entries = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
        let mut entries = entries.map_err(unreadable)?;
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(APPLE_DOUBLE) {
                continue;
            }
            if path.is_dir() {
                if self.deep && self.is_new(&path) {
                    self.folder(&path)?;
                }
            } else if (self.wanted)(&path) && self.is_new(&path) {
                self.found.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sigbridge-walk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn shown(folder: &Path, found: Result<Vec<PathBuf>, Unreadable>) -> Vec<String> {
        let found = found.expect("a folder").into_iter();
        let below = |path: PathBuf| path.strip_prefix(folder).expect("below it").display().to_string();
        found.map(below).collect()
    }

    fn check(folder: &Path, paths: &[&str], expected: &[&str]) {
        let paths: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
        let found = files_below(&paths, |path| has_extension(path, "x"));
        assert_eq!(shown(folder, found), expected, "{paths:?}");
    }

    #[test]
    fn folders_list_their_files_by_name() {
        let folder = folder(
            "names",
            &["b.x", "a.x", "c.y", "._a.x", "._d/e.x", "in/side/f.x", "in/g.x"],
        );
        let flat = files_in(&folder, |path| has_extension(path, "x"));
        assert_eq!(shown(&folder, flat), ["a.x", "b.x"]);
        check(&folder, &[""], &["a.x", "b.x", "in/g.x", "in/side/f.x"]);
        // A file that is named explicitly is listed regardless of its name.
        check(&folder, &["c.y", "._a.x", "none.x"], &["c.y", "._a.x", "none.x"]);
        check(&folder, &["c.y", "c.y"], &["c.y", "c.y"]);
        check(&folder, &["b.x", "", "in"], &["b.x", "a.x", "in/g.x", "in/side/f.x"]);
        let none = files_in(&folder.join("none"), |_| true).expect_err("there is none");
        assert_eq!(none.path, folder.join("none"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_once() {
        use std::os::unix::fs::symlink;
        let folder = folder("links", &["a.x", "in/b.x"]);
        symlink(&folder, folder.join("in/again")).expect("a link");
        symlink(folder.join("in"), folder.join("out")).expect("a link");
        symlink(folder.join("a.x"), folder.join("z.x")).expect("a link");
        symlink(folder.join("none"), folder.join("y.x")).expect("a link");
        check(&folder, &[""], &["a.x", "in/b.x", "y.x"]);
        check(&folder, &["out"], &["out/again/a.x", "out/again/y.x", "out/b.x"]);
    }
}
