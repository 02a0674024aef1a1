//! Values without a mutant: a key of the format that this module does not know.

use crate::mutate::subject::Subject;
use crate::mutate::tree::{Seg, Tree};
use crate::mutate::walk::place;

/// Keys of a row without effect on the engine; see the module documentation.
const KEPT: &[&str] = &["id", "status", "source", "page", "code"];

/// Returns the places of a subject's values without a mutant.
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
