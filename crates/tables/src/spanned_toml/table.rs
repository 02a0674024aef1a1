//! A table that is taken apart key by key.

use std::fmt::Display;

use toml::de::DeTable;

use crate::diagnostics::{Diag, Span};
use crate::spanned_toml::{Item, Sink, Spanned, join};
use rtm::value::Text;

/// A cursor over one table: take what is known, then [`finish`](Self::finish) reports what is left.
#[must_use = "finish() reports the keys that nobody asked for"]
pub struct Table<'r> {
    sink: &'r Sink<'r>,
    path: String,
    span: Span,
    entries: DeTable<'r>,
    asked: Vec<Text>,
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
            asked: Vec::new(),
            done: false,
        }
    }

    /// Its header, or the braces of an inline table, or the start of the file.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Its dotted name, such as `row[3].answer`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// True when a key is there and has not been taken.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports an error about the table as a whole; the title is put behind its name.
    pub fn error(&self, title: impl Display) {
        self.report(Diag::new(&self.span, self.named(title)));
    }

    /// Reports an error that the caller has made, also one about another place.
    pub fn report(&self, diag: Diag) {
        self.sink.push(diag);
    }

    /// The key's value, whatever it is.
    pub fn take(&mut self, key: &str) -> Option<Item<'r>> {
        let path = join(&self.path, key);
        self.asked.push(key.into());
        self.sink.asked.borrow_mut().insert(path.clone());
        let (_, value) = self.entries.remove_entry(key)?;
        Some(Item::new(self.sink, path, value))
    }

    /// The key's value; a missing key is reported at the table.
    pub fn require(&mut self, key: &str) -> Option<Item<'r>> {
        let item = self.take(key);
        if item.is_none() {
            self.error(format_args!("the key `{key}` is missing"));
        }
        item
    }

    /// Text, when the key is there.
    pub fn take_str(&mut self, key: &str) -> Option<Spanned<Text>> {
        self.take(key)?.into_str()
    }

    /// Text; must be there.
    pub fn require_str(&mut self, key: &str) -> Option<Spanned<Text>> {
        self.require(key)?.into_str()
    }

    /// Text as `parse` understands it, when the key is there.
    pub fn take_parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        self.take(key)?.into_parsed(parse)
    }

    /// Text as `parse` understands it; must be there.
    pub fn require_parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        self.require(key)?.into_parsed(parse)
    }

    /// One of `choices` by name, when the key is there.
    pub fn take_choice<T: Clone>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        self.take(key)?.into_choice(choices)
    }

    /// One of `choices` by name; must be there.
    pub fn require_choice<T: Clone>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        self.require(key)?.into_choice(choices)
    }

    /// `true` or `false`, when the key is there.
    pub fn take_bool(&mut self, key: &str) -> Option<Spanned<bool>> {
        self.take(key)?.into_bool()
    }

    /// `true` or `false`; must be there.
    pub fn require_bool(&mut self, key: &str) -> Option<Spanned<bool>> {
        self.require(key)?.into_bool()
    }

    /// A whole number, when the key is there.
    pub fn take_int(&mut self, key: &str) -> Option<Spanned<i64>> {
        self.take(key)?.into_int()
    }

    /// A whole number; must be there.
    pub fn require_int(&mut self, key: &str) -> Option<Spanned<i64>> {
        self.require(key)?.into_int()
    }

    /// A table, when the key is there.
    pub fn take_table(&mut self, key: &str) -> Option<Table<'r>> {
        self.take(key)?.into_table()
    }

    /// A table; must be there.
    pub fn require_table(&mut self, key: &str) -> Option<Table<'r>> {
        self.require(key)?.into_table()
    }

    /// An array's items, when the key is there.
    pub fn take_array(&mut self, key: &str) -> Option<Vec<Item<'r>>> {
        self.take(key)?.into_array()
    }

    /// An array's items; must be there.
    pub fn require_array(&mut self, key: &str) -> Option<Vec<Item<'r>>> {
        self.require(key)?.into_array()
    }

    /// An array of texts, when the key is there.
    pub fn take_strs(&mut self, key: &str) -> Option<Vec<Spanned<Text>>> {
        self.take(key)?.into_strs()
    }

    /// An array of texts; must be there.
    pub fn require_strs(&mut self, key: &str) -> Option<Vec<Spanned<Text>>> {
        self.require(key)?.into_strs()
    }

    /// The tables of `[[key]]`, in order; none when the key is missing.
    pub fn take_tables(&mut self, key: &str) -> Vec<Table<'r>> {
        let items = self.take_array(key).unwrap_or_default();
        items.into_iter().filter_map(Item::into_table).collect()
    }

    /// All that is left, in the order of the file: for tables whose keys are data.
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

    /// Reports every key that nobody took, with the closest of those that were asked for.
    pub fn finish(mut self) {
        self.done = true;
        let entries = std::mem::take(&mut self.entries);
        for key in entries.keys() {
            let name = key.get_ref();
            let title = self.named(format_args!("unknown key `{name}`"));
            let asked = self.asked.iter().map(|asked| &**asked);
            self.report(Diag::new(&self.sink.span(key.span()), title).did_you_mean(name, asked));
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

/// A table that was dropped on the way of an error is fine; one that was forgotten would accept any key.
impl Drop for Table<'_> {
    fn drop(&mut self) {
        debug_assert!(
            self.done || std::thread::panicking() || !self.sink.is_empty(),
            "the reader of `{}` has not called finish()",
            self.path
        );
    }
}
