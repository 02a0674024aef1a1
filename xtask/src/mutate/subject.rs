//! Subjects of mutation: each row and each class of failures.

use std::sync::Arc;

use tables::ast::{RawFile, RawRow};
use tables::diagnostics::{Diags, Source};
use tables::row::Row;
use tables::spanned_toml::read_all;
use tables::{ParsedTables, Tables};

use crate::mutate::tree::{Tree, key};
use crate::mutate::walk::{Change, Pool};
use crate::mutate::{outcome, row};

/// A row or a class.
pub struct Subject {
    /// `invite.send`, `fail.login`.
    pub name: String,
    /// Its values, without its examples.
    pub tree: Tree,
    /// Every change of it.
    pub changes: Vec<Change>,
    /// Rows whose examples are the first to find a change: itself, and those that lead to it.
    pub near: Vec<String>,
    /// Its text before the values in a file.
    header: String,
    footer: &'static str,
}

impl Subject {
    /// The tables with one change.
    ///
    /// # Errors
    /// The changed part cannot even be read.
    pub fn changed(&self, tables: &ParsedTables, change: &Change) -> Result<ParsedTables, Diags> {
        let body = self.tree.edited(&change.path, &change.edit).body();
        let text = format!("{}{body}{}", self.header, self.footer);
        let (part, diags) = read_all(&Source::new(&*self.name, text), RawFile::read);
        let part = diags.or_ok(part.unwrap_or_default())?;
        let mut tables = tables.clone();
        for row in part.rows {
            for old in tables.file.rows.iter_mut().filter(|old| old.id.value == row.id.value) {
                *old = Arc::new(RawRow {
                    examples: old.examples.clone(),
                    ..RawRow::clone(&row)
                });
            }
        }
        for class in part.fails {
            for old in &mut tables.file.fails {
                if old.name.value == class.name.value {
                    *old = class.clone();
                }
            }
        }
        Ok(tables)
    }
}

/// Every row and every class of the files.
pub fn all(sources: &[Arc<Source>], tables: &Tables) -> Vec<Subject> {
    let files: Vec<Tree> = sources.iter().filter_map(|source| Tree::read(&source.text)).collect();
    let entries = |name: &str| -> Vec<(String, Tree)> {
        let tables = files.iter().filter_map(|file| file.get(name));
        tables.flat_map(Tree::entries).cloned().collect()
    };
    let rows: Vec<&Tree> = files
        .iter()
        .filter_map(|file| file.get("row"))
        .flat_map(Tree::items)
        .collect();
    let has_default = |row: &&Row| row.outcome("default").is_some();
    let pool = Pool {
        tables,
        reasons: entries("reason").into_iter().map(|(name, _)| name).collect(),
        results: tables
            .rows
            .iter()
            .filter(has_default)
            .map(|row| row.id.to_string())
            .collect(),
    };
    let compiled = |tree: &Tree| {
        let id = tables.row_named(tree.get("id")?.text()?)?;
        Some(&tables.rows[id])
    };
    let mut subjects: Vec<Subject> = rows
        .iter()
        .filter_map(|tree| Some(of_row(&pool, compiled(tree)?, tree, &rows)))
        .collect();
    subjects.extend(
        entries("fail")
            .iter()
            .map(|(name, tree)| of_class(&pool, name, tree, &rows)),
    );
    subjects
}

fn of_row(pool: &Pool<'_>, row: &Row, tree: &Tree, rows: &[&Tree]) -> Subject {
    let values = tree.entries().iter().filter(|(key, _)| key != "example").cloned();
    let values = Tree::Table(values.collect());
    Subject {
        name: row.id.to_string(),
        changes: row::changes(pool, row, &values),
        tree: values,
        near: leading_to(&row.id, rows),
        header: "row = [{ ".into(),
        footer: " }]\n",
    }
}

fn of_class(pool: &Pool<'_>, name: &str, tree: &Tree, rows: &[&Tree]) -> Subject {
    Subject {
        name: format!("fail.{name}"),
        changes: outcome::class_changes(pool, tree),
        tree: tree.clone(),
        near: leading_to(name, rows),
        header: format!("fail.{} = {{ ", key(name)),
        footer: " }\n",
    }
}

/// The rows that name something, and those that name them; itself first.
fn leading_to(name: &str, rows: &[&Tree]) -> Vec<String> {
    let mut found = vec![name.to_owned()];
    let mut at = 0;
    while let Some(name) = found.get(at).cloned() {
        for row in rows {
            let id = row.get("id").and_then(Tree::text).unwrap_or_default();
            if !found.iter().any(|known| known == id) && names(row, &name) {
                found.push(id.to_owned());
            }
        }
        at += 1;
    }
    found
}

/// True when a row fails, runs or ends by that name.
fn names(row: &Tree, name: &str) -> bool {
    let steps = row.get("do").into_iter().flat_map(Tree::items);
    let outcomes = row.get("outcome").into_iter().flat_map(Tree::entries);
    let parts = steps.chain(outcomes.map(|(_, outcome)| outcome)).chain([row]);
    let mut named = parts.flat_map(|part| [part.get("row"), part.get("fail")]).flatten();
    named.any(|tree| tree.text() == Some(name))
}
