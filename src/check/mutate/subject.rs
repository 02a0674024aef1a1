//! What is changed: each row and each class of failures, with the rest of its file around it.

use std::sync::Arc;

use crate::diag::Source;
use crate::mapping::Tables;

use super::tree::{Tree, key};
use super::walk::{Change, Pool};
use super::{outcome, row};

/// A row or a class, and the text of its file before and behind it.
pub struct Subject {
    /// `invite.send`, `fail.login`.
    pub name: String,
    /// The number of its file.
    pub source: usize,
    /// Its values, without its examples.
    pub tree: Tree,
    /// Every change of it.
    pub changes: Vec<Change>,
    before: String,
    behind: String,
}

impl Subject {
    /// Its file with one change.
    pub fn text(&self, change: &Change) -> String {
        let body = self.tree.edited(&change.path, &change.edit).body();
        format!("{}{body}{}", self.before, self.behind)
    }
}

/// Every row and every class of the files.
pub fn all(sources: &[Arc<Source>], tables: &Tables) -> Vec<Subject> {
    let files: Vec<Option<Tree>> = sources.iter().map(|source| Tree::read(&source.text)).collect();
    let has_default = |row: &&crate::mapping::row::Row| row.outcome("default").is_some();
    let keys = |name: &str| {
        let tables = files.iter().flatten().filter_map(|file| file.get(name));
        tables
            .flat_map(Tree::entries)
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let pool = Pool {
        tables,
        reasons: keys("reason"),
        results: tables
            .rows
            .iter()
            .filter(has_default)
            .map(|row| row.id.to_string())
            .collect(),
    };
    let mut subjects = Vec::new();
    for (source, file) in files.iter().enumerate() {
        let Some(file) = file else { continue };
        rows(&pool, source, file, &mut subjects);
        classes(&pool, source, file, &mut subjects);
    }
    subjects
}

fn rows(pool: &Pool<'_>, source: usize, file: &Tree, subjects: &mut Vec<Subject>) {
    let Some(list) = file.get("row") else { return };
    let written: Vec<String> = list.items().iter().map(Tree::to_string).collect();
    let rest = without(file, "row");
    for (at, tree) in list.items().iter().enumerate() {
        let id = tree.get("id").and_then(Tree::text).unwrap_or_default();
        let Some(compiled) = pool.tables.row_named(id).map(|id| &pool.tables.rows[id]) else {
            continue;
        };
        let values = tree.entries().iter().filter(|(key, _)| key != "example").cloned();
        let values = Tree::Table(values.collect());
        let examples = tree.get("example").map(|list| format!(", example = {list}"));
        let others = |rows: &[String]| rows.iter().map(|row| format!("{row}, ")).collect::<String>();
        subjects.push(Subject {
            name: id.to_owned(),
            source,
            changes: row::changes(pool, compiled, &values),
            tree: values,
            before: format!("{rest}row = [{}{{ ", others(&written[..at])),
            behind: format!("{} }}, {}]\n", examples.unwrap_or_default(), others(&written[at + 1..])),
        });
    }
}

fn classes(pool: &Pool<'_>, source: usize, file: &Tree, subjects: &mut Vec<Subject>) {
    let Some(classes) = file.get("fail") else { return };
    let rest = without(file, "fail");
    for (name, tree) in classes.entries() {
        let others = classes.entries().iter().filter(|(other, _)| other != name);
        let others: String = others
            .map(|(name, tree)| format!("fail.{} = {tree}\n", key(name)))
            .collect();
        subjects.push(Subject {
            name: format!("fail.{name}"),
            source,
            tree: tree.clone(),
            changes: outcome::class_changes(pool, tree),
            before: format!("{rest}{others}fail.{} = {{ ", key(name)),
            behind: " }\n".to_owned(),
        });
    }
}

fn without(file: &Tree, key_gone: &str) -> String {
    let entries = file.entries().iter().filter(|(name, _)| name != key_gone);
    entries
        .map(|(name, tree)| format!("{} = {tree}\n", key(name)))
        .collect()
}
