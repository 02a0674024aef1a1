//! Values that no change touches: there are none, or the format has a key that nobody has thought about here.

use crate::check::mutate::subject::Subject;
use crate::check::mutate::tree::{Seg, Tree};
use crate::check::mutate::walk::place;

/// Keys of a row that change nothing that the engine does; the module's documentation says why.
const KEPT: &[&str] = &["id", "status", "source", "page", "code"];

/// The places of a subject's values that no change is at.
pub fn untouched(subject: &Subject) -> Vec<String> {
    let mut leaves = Vec::new();
    for (name, tree) in subject.tree.entries() {
        if !KEPT.contains(&&**name) {
            gather(tree, vec![Seg::Key(name.clone())], &mut leaves);
        }
    }
    let touched = |path: &[Seg]| subject.changes.iter().any(|change| change.path == path);
    let untouched = leaves.iter().filter(|path| !touched(path));
    untouched
        .map(|path| format!("{}/{}", subject.name, place(path)))
        .collect()
}

fn gather(tree: &Tree, path: Vec<Seg>, leaves: &mut Vec<Vec<Seg>>) {
    let inner = |seg: Seg| path.iter().cloned().chain([seg]).collect();
    match tree {
        Tree::Table(entries) => {
            for (name, entry) in entries {
                gather(entry, inner(Seg::Key(name.clone())), leaves);
            }
        }
        Tree::List(items) => {
            for (at, item) in items.iter().enumerate() {
                gather(item, inner(Seg::At(at)), leaves);
            }
        }
        Tree::Text(_) | Tree::Plain(_) => leaves.push(path),
    }
}
