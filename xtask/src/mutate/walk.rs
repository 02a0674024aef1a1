//! Going through a subject's tree, noting changes.

use rtm::FieldType;
use tables::Tables;
use tables::ty::{SigType, Ty};

use crate::mutate::tree::{Edit, Seg, Tree, key};

/// A change of one value.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where.
    pub path: Vec<Seg>,
    /// What.
    pub edit: Edit,
    /// Place and change, for people and for the list of survivors.
    pub name: String,
}

/// Declarations of the tables by name: the pool that other values are taken from.
#[derive(Clone, Debug)]
pub struct Pool<'t> {
    /// The tables as they are.
    pub tables: &'t Tables,
    /// Declared reasons.
    pub reasons: Vec<String>,
    /// Ids of rows that outcomes may lead to.
    pub results: Vec<String>,
}

/// A place in a subject, and the changes noted so far.
pub struct Walk<'t> {
    /// Source of other values.
    pub pool: &'t Pool<'t>,
    /// Names that expressions may use here, and their types.
    pub vars: Vec<(String, Ty)>,
    /// Outcomes of the row.
    pub outcomes: Vec<String>,
    path: Vec<Seg>,
    changes: Vec<Change>,
}

impl<'t> Walk<'t> {
    /// At the root of a subject.
    pub fn new(pool: &'t Pool<'t>) -> Self {
        const TEXT: Ty = Ty::Sig(SigType::Text);
        const INT: Ty = Ty::Sig(SigType::Int);
        let globals = [
            ("self", Ty::Sig(SigType::Account)),
            ("state.line", TEXT),
            ("state.channel", Ty::Sig(SigType::Channel)),
            ("state.cid", INT),
            ("state.memberCount", INT),
        ];
        Self {
            pool,
            vars: globals.map(|(name, ty)| (name.to_owned(), ty)).to_vec(),
            outcomes: Vec::new(),
            path: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Everything that was noted.
    pub fn finish(self) -> Vec<Change> {
        self.changes
    }

    /// Adds a name that expressions may use.
    pub fn know(&mut self, name: impl Into<String>, ty: Ty) {
        self.vars.push((name.into(), ty));
    }

    /// The type of a path without its `$`.
    pub fn type_of(&self, path: &str) -> Option<Ty> {
        let known = |name: &str| self.vars.iter().rev().find(|(var, _)| var == name).map(|(_, ty)| *ty);
        known(path).or_else(|| {
            let (root, member) = path.split_once('.')?;
            match known(root)? {
                Ty::Rtm(of) => FieldType::member(of, member).map(Ty::Rtm),
                _ => None,
            }
        })
    }

    /// Visits the entry `key` of `tree`, if it has one.
    pub fn at_key(&mut self, tree: &Tree, key: &str, visit: impl FnOnce(&mut Self, &Tree)) {
        if let Some(inner) = tree.get(key) {
            self.within(Seg::Key(key.to_owned()), |walk| visit(walk, inner));
        }
    }

    /// Visits each entry.
    pub fn each_entry(&mut self, tree: &Tree, mut visit: impl FnMut(&mut Self, &str, &Tree)) {
        for (name, inner) in tree.entries() {
            self.within(Seg::Key(name.clone()), |walk| visit(walk, name, inner));
        }
    }

    /// Visits each item.
    pub fn each_item(&mut self, tree: &Tree, mut visit: impl FnMut(&mut Self, usize, &Tree)) {
        for (at, inner) in tree.items().iter().enumerate() {
            self.within(Seg::At(at), |walk| visit(walk, at, inner));
        }
    }

    fn within(&mut self, seg: Seg, visit: impl FnOnce(&mut Self)) {
        self.path.push(seg);
        visit(self);
        self.path.pop();
    }

    /// Notes another value of this place.
    pub fn set(&mut self, from: &Tree, to: Tree) {
        if *from != to {
            let what = format!("{} → {}", shown(from), shown(&to));
            self.note(Edit::Set(to), &what);
        }
    }

    /// Notes other texts of this place.
    pub fn others<'o>(&mut self, from: &Tree, to: impl IntoIterator<Item = &'o str>) {
        for text in to {
            self.set(from, Tree::Text(text.to_owned()));
        }
    }

    /// Notes a removal of this entry or item.
    pub fn remove(&mut self) {
        self.note(Edit::Remove, "removed");
    }

    /// Notes that this item changes places with the next one.
    pub fn swap(&mut self) {
        self.note(Edit::Swap, "after the next");
    }

    /// Notes another name of this entry.
    pub fn rename(&mut self, to: &str) {
        self.note(Edit::Rename(to.to_owned()), &format!("renamed {}", key(to)));
    }

    fn note(&mut self, edit: Edit, what: &str) {
        let name = format!("{}: {what}", place(&self.path));
        self.changes.push(Change {
            path: self.path.clone(),
            edit,
            name,
        });
    }
}

/// A place as text: `do[1].args.calleeId`.
pub fn place(path: &[Seg]) -> String {
    let mut place = String::new();
    for seg in path {
        match seg {
            Seg::Key(name) if place.is_empty() => place.push_str(&key(name)),
            Seg::Key(name) => place.push_str(&format!(".{}", key(name))),
            Seg::At(at) => place.push_str(&format!("[{at}]")),
        }
    }
    place
}

fn shown(tree: &Tree) -> String {
    match tree {
        Tree::Text(text) if !text.is_empty() => text.clone(),
        tree => tree.to_string(),
    }
}

/// The `count` names that follow `of` in a closed list, around its end.
pub fn after<'n>(names: &[&'n str], of: &str, count: usize) -> Vec<&'n str> {
    let at = names.iter().position(|name| *name == of).map_or(0, |at| at + 1);
    let around = names.iter().cycle().skip(at).take(names.len());
    around.copied().filter(|name| *name != of).take(count).collect()
}
