//! A table that is read key by key.

use std::fmt::Display;

use toml::de::DeTable;

use rtm::value::Text;

use crate::diagnostics::{Diag, Span};
use crate::spanned_toml::{Item, Sink, Spanned, join};

/// A cursor over one table: take the known keys, then [`finish`](Self::finish) reports the rest.
#[must_use = "finish() reports unknown keys"]
pub struct Table<'r> {
    sink: &'r Sink<'r>,
    path: String,
    span: Span,
    entries: DeTable<'r>,
    requested: Vec<Text>,
    done: bool,
}

impl<'r> Table<'r> {
    pub(super) fn root(sink: &'r Sink<'r>, entries: DeTable<'r>) -> Self {
        Self::new(sink, String::new(), sink.span(0..0), entries)
    }

    pub(super) fn new(sink: &'r Sink<'r>, path: String, span: Span, entries: DeTable<'r>) -> Self {
        Self {
            sink,
            path,
            span,
            entries,
            requested: Vec::new(),
            done: false,
        }
    }

    /// Returns the position of its header, the braces of an inline table, or the start of the file.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the dotted name, such as `row[3].answer`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns true if a key exists and has not been taken.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns the position of the value of a key that has not been taken.
    pub fn span_of(&self, key: &str) -> Option<Span> {
        let value = self.entries.get(key)?;
        Some(self.sink.span(value.span()))
    }

    /// Reports an error about the whole table; the title follows its name.
    pub fn error(&self, title: impl Display) {
        self.report(Diag::new(&self.span, self.named(title)));
    }

    /// Reports any error, also at another position.
    pub fn report(&self, diag: Diag) {
        self.sink.push(diag);
    }

    /// Takes the key's value of any kind.
    pub fn take(&mut self, key: &str) -> Option<Item<'r>> {
        let path = join(&self.path, key);
        self.requested.push(key.into());
        self.sink.requested.borrow_mut().insert(path.clone());
        let (_, value) = self.entries.remove_entry(key)?;
        Some(Item::new(self.sink, path, value))
    }

    /// Takes the key's value; a missing key is reported at the table.
    pub fn require(&mut self, key: &str) -> Option<Item<'r>> {
        let item = self.take(key);
        if item.is_none() {
            self.error(format_args!("the key `{key}` is missing"));
        }
        item
    }

    /// Takes optional text.
    pub fn take_str(&mut self, key: &str) -> Option<Spanned<Text>> {
        self.take(key)?.into_str()
    }

    /// Takes required text.
    pub fn require_str(&mut self, key: &str) -> Option<Spanned<Text>> {
        self.require(key)?.into_str()
    }

    /// Takes optional text and parses it.
    pub fn take_parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        self.take(key)?.into_parsed(parse)
    }

    /// Takes required text and parses it.
    pub fn require_parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        self.require(key)?.into_parsed(parse)
    }

    /// Takes an optional choice by name.
    pub fn take_choice<T: Clone>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        self.take(key)?.into_choice(choices)
    }

    /// Takes a required choice by name.
    pub fn require_choice<T: Clone>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        self.require(key)?.into_choice(choices)
    }

    /// Takes an optional boolean.
    pub fn take_bool(&mut self, key: &str) -> Option<Spanned<bool>> {
        self.take(key)?.into_bool()
    }

    /// Takes a required boolean.
    pub fn require_bool(&mut self, key: &str) -> Option<Spanned<bool>> {
        self.require(key)?.into_bool()
    }

    /// Takes an optional whole number.
    pub fn take_int(&mut self, key: &str) -> Option<Spanned<i64>> {
        self.take(key)?.into_int()
    }

    /// Takes a required whole number.
    pub fn require_int(&mut self, key: &str) -> Option<Spanned<i64>> {
        self.require(key)?.into_int()
    }

    /// Takes an optional table.
    pub fn take_table(&mut self, key: &str) -> Option<Table<'r>> {
        self.take(key)?.into_table()
    }

    /// Takes an optional table; a missing one is empty, at the position of this table.
    pub fn take_table_or_empty(&mut self, key: &str) -> Option<Table<'r>> {
        if self.has(key) {
            return self.take_table(key);
        }
        self.requested.push(key.into());
        let path = join(&self.path, key);
        Some(Table::new(self.sink, path, self.span.clone(), DeTable::default()))
    }

    /// Takes a required table.
    pub fn require_table(&mut self, key: &str) -> Option<Table<'r>> {
        self.require(key)?.into_table()
    }

    /// Takes the items of an optional array.
    pub fn take_array(&mut self, key: &str) -> Option<Vec<Item<'r>>> {
        self.take(key)?.into_array()
    }

    /// Takes the items of a required array.
    pub fn require_array(&mut self, key: &str) -> Option<Vec<Item<'r>>> {
        self.require(key)?.into_array()
    }

    /// Takes an optional array of texts.
    pub fn take_strs(&mut self, key: &str) -> Option<Vec<Spanned<Text>>> {
        self.take(key)?.into_strs()
    }

    /// Takes a required array of texts.
    pub fn require_strs(&mut self, key: &str) -> Option<Vec<Spanned<Text>>> {
        self.require(key)?.into_strs()
    }

    /// Takes the tables of `[[key]]`, in order; none if the key is missing.
    pub fn take_tables(&mut self, key: &str) -> Vec<Table<'r>> {
        let items = self.take_array(key).unwrap_or_default();
        items.into_iter().filter_map(Item::into_table).collect()
    }

    /// Takes all remaining entries, in the order of the file: for tables whose keys are data.
    pub fn into_entries(mut self) -> Vec<(Spanned<Text>, Item<'r>)> {
        self.done = true;
        let mut entries: Vec<_> = std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(key, value)| {
                let span = self.sink.span(key.span());
                let value = Item::new(self.sink, join(&self.path, key.get_ref()), value);
                let key = Text::from(key.into_inner());
                (Spanned { value: key, span }, value)
            })
            .collect();
        entries.sort_by_key(|(key, _)| key.span.range().start);
        entries
    }

    /// Reports every key that was not taken, with the most similar of the requested ones.
    pub fn finish(mut self) {
        self.done = true;
        let entries = std::mem::take(&mut self.entries);
        for key in entries.keys() {
            let name = key.get_ref();
            let title = self.named(format_args!("unknown key `{name}`"));
            let requested = self.requested.iter().map(|requested| &**requested);
            self.report(Diag::new(&self.sink.span(key.span()), title).did_you_mean(name, requested));
        }
    }

    fn named(&self, title: impl Display) -> String {
        if self.path.is_empty() {
            title.to_string()
        } else {
            format!("`{}`: {title}", self.path)
        }
    }
}

/// A table that is dropped after an error is correct. One that was forgotten would accept any key.
impl Drop for Table<'_> {
    fn drop(&mut self) {
        debug_assert!(
            self.done || std::thread::panicking() || !self.sink.is_empty(),
            "the reader of `{}` has not called finish()",
            self.path
        );
    }
}
