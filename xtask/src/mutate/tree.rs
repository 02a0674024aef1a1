//! A table file as a tree that is written again after one change.
//!
//! Numbers and truths stay as they are spelled; order is kept, since it means something (outcomes, reasons, steps).

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of a table file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Text.
    Text(String),
    /// Anything that is written as it is: a number, a truth, a part that is already written.
    Plain(String),
    /// A list.
    List(Vec<Tree>),
    /// A table, in the order of the file.
    Table(Vec<(String, Tree)>),
}

/// One step into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seg {
    /// The entry of that name.
    Key(String),
    /// The item of that number.
    At(usize),
}

/// One change at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Another value.
    Set(Tree),
    /// The entry or item is removed.
    Remove,
    /// The entry has another name.
    Rename(String),
    /// The item changes places with the next one.
    Swap,
}

impl Tree {
    /// Reads a file; `None` when it is no TOML.
    pub fn read(text: &str) -> Option<Self> {
        Some(table(text, DeTable::parse(text).ok()?.into_inner()))
    }

    /// The entry of that name.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entries()
            .iter()
            .find_map(|(name, tree)| (name == key).then_some(tree))
    }

    /// The entries of a table.
    pub fn entries(&self) -> &[(String, Tree)] {
        match self {
            Self::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Tree] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The text, when it is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The tree after one change; the same tree if the place does not exist.
    #[must_use]
    pub fn edited(&self, path: &[Seg], edit: &Edit) -> Self {
        let mut tree = self.clone();
        tree.edit(path, edit);
        tree
    }

    fn edit(&mut self, path: &[Seg], edit: &Edit) {
        let [seg, rest @ ..] = path else {
            if let Edit::Set(tree) = edit {
                *self = tree.clone();
            }
            return;
        };
        match (self, seg, rest.is_empty(), edit) {
            (Self::Table(entries), Seg::Key(key), true, Edit::Remove) => entries.retain(|(name, _)| name != key),
            (Self::Table(entries), Seg::Key(key), true, Edit::Rename(to)) => {
                for (name, _) in entries.iter_mut().filter(|(name, _)| name == key) {
                    name.clone_from(to);
                }
            }
            (Self::List(items), Seg::At(at), true, Edit::Remove) => {
                items.remove(*at);
            }
            (Self::List(items), Seg::At(at), true, Edit::Swap) => items.swap(*at, at + 1),
            (Self::Table(entries), Seg::Key(key), ..) => {
                for (_, tree) in entries.iter_mut().filter(|(name, _)| name == key) {
                    tree.edit(rest, edit);
                }
            }
            (Self::List(items), Seg::At(at), ..) => items[*at].edit(rest, edit),
            _ => {}
        }
    }

    /// The entries of a table as the inside of an inline table.
    pub fn body(&self) -> String {
        let entries = self.entries().iter();
        let entries: Vec<String> = entries.map(|(name, tree)| format!("{} = {tree}", key(name))).collect();
        entries.join(", ")
    }
}

/// As TOML, on one line.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Plain(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Table(_) => write!(f, "{{ {} }}", self.body()),
        }
    }
}

fn table(text: &str, entries: DeTable<'_>) -> Tree {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, item): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        (key.into_owned(), value(text, item))
    };
    Tree::Table(entries.into_iter().map(entry).collect())
}

fn value(text: &str, item: Spanned<DeValue<'_>>) -> Tree {
    let span = item.span();
    match item.into_inner() {
        DeValue::String(text) => Tree::Text(text.into_owned()),
        DeValue::Array(items) => Tree::List(items.into_iter().map(|item| value(text, item)).collect()),
        DeValue::Table(entries) => table(text, entries),
        _ => Tree::Plain(text[span].to_owned()),
    }
}

fn quoted(text: &str) -> String {
    // Every escape of JSON is one of TOML.
    serde_json::Value::from(text).to_string()
}

/// A key as TOML writes it.
pub fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_written_as_it_was_read() {
        let text = "b.\"x y\" = 'q\"'\na = 0x1f\n[[row]]\nid = \"i\" # why\n[[row.do]]\nif = [\"!x\", 'y']\n";
        let tree = Tree::read(text).unwrap();
        let written = r#"b = { "x y" = "q\"" }, a = 0x1f, row = [{ id = "i", do = [{ if = ["!x", "y"] }] }]"#;
        assert_eq!(tree.body(), written);
        assert_eq!(
            Tree::read(&written.replace(", a", "\na").replace(", row", "\nrow")),
            Some(tree)
        );
    }

    #[test]
    fn a_change_is_at_one_place() {
        let tree = Tree::read("a = [1, 2, 3]\nb = { x = 1, y = 2 }").unwrap();
        let at = |path: &[Seg], edit: Edit| tree.edited(path, &edit).body();
        let (a, b) = (Seg::Key("a".into()), Seg::Key("b".into()));
        assert_eq!(
            at(&[a.clone(), Seg::At(1)], Edit::Remove),
            "a = [1, 3], b = { x = 1, y = 2 }"
        );
        assert_eq!(at(&[a, Seg::At(0)], Edit::Swap), "a = [2, 1, 3], b = { x = 1, y = 2 }");
        let y = Seg::Key("y".into());
        assert_eq!(
            at(&[b.clone(), y.clone()], Edit::Rename("z".into())),
            "a = [1, 2, 3], b = { x = 1, z = 2 }"
        );
        assert_eq!(
            at(&[b.clone(), y.clone()], Edit::Set(Tree::Text("t".into()))),
            "a = [1, 2, 3], b = { x = 1, y = \"t\" }"
        );
        assert_eq!(at(&[b, y], Edit::Remove), "a = [1, 2, 3], b = { x = 1 }");
    }
}
