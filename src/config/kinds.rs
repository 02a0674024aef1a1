//! Types of keys.

use std::fmt::Display;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rtm::schema;
use rtm::value::{Text, Value};
use tables::duration::format_duration;
use tables::spanned_toml::Table;

use crate::config::Files;
use crate::config::declare::{Kind, quoted};
use crate::config::size::show as show_size;
use crate::config::values::{address, address_or_off, addresses, duration, number, origins, size, value};

/// Pattern of durations in the JSON Schema.
const DURATION: &str = "^([0-9]+(d|h|m|s|ms))+$";
/// Pattern of sizes in the JSON Schema.
const SIZE: &str = "^[0-9]+(KiB|MiB|GiB)$";

/// True or false.
pub struct Bool;

impl Kind for Bool {
    type Value = bool;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<bool> {
        value(table.take_bool(key))
    }

    fn show(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn schema(&self) -> Value {
        schema::of("boolean")
    }

    fn literal(&self, text: &str) -> String {
        bare_or_quoted::<bool>(text)
    }
}

/// Whole number in a range.
pub struct Int<T>(RangeInclusive<u32>, PhantomData<T>);

impl<T> Int<T> {
    pub fn new(range: RangeInclusive<u32>) -> Self {
        Self(range, PhantomData)
    }
}

impl<T: TryFrom<u32> + Display> Kind for Int<T> {
    type Value = T;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<T> {
        T::try_from(number(table, key, self.0.clone())?).ok()
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn schema(&self) -> Value {
        let bounds = [("minimum", self.0.start()), ("maximum", self.0.end())];
        bounds.into_iter().fold(schema::of("integer"), |schema, (name, bound)| {
            schema::with(schema, name, i64::from(*bound))
        })
    }

    fn range(&self) -> Option<String> {
        Some(format!("{} to {}", self.0.start(), self.0.end()))
    }

    fn literal(&self, text: &str) -> String {
        bare_or_quoted::<i64>(text)
    }
}

/// Duration in a range.
pub struct Time(pub RangeInclusive<Duration>);

impl Kind for Time {
    type Value = Duration;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Duration> {
        duration(table, key, self.0.clone())
    }

    fn show(&self, value: &Duration) -> Option<String> {
        Some(quoted(&format_duration(*value)))
    }

    fn schema(&self) -> Value {
        schema::with(schema::text(), "pattern", DURATION)
    }

    fn range(&self) -> Option<String> {
        let [min, max] = [*self.0.start(), *self.0.end()].map(format_duration);
        Some(format!("{min} to {max}"))
    }
}

/// Memory size in a range.
pub struct Size(pub RangeInclusive<usize>);

impl Kind for Size {
    type Value = usize;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<usize> {
        size(table, key, self.0.clone())
    }

    fn show(&self, value: &usize) -> Option<String> {
        Some(quoted(&show_size(*value)))
    }

    fn schema(&self) -> Value {
        schema::with(schema::text(), "pattern", SIZE)
    }

    fn range(&self) -> Option<String> {
        Some(format!(
            "{} to {}",
            show_size(*self.0.start()),
            show_size(*self.0.end())
        ))
    }
}

/// Listen address.
pub struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<SocketAddr> {
        address(table, key)
    }

    fn show(&self, value: &SocketAddr) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn schema(&self) -> Value {
        schema::text()
    }

    fn range(&self) -> Option<String> {
        Some("IP address and port".to_owned())
    }
}

/// Listen address, or `"off"`.
pub struct AddressOrOff;

impl Kind for AddressOrOff {
    type Value = Option<SocketAddr>;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Option<SocketAddr>> {
        address_or_off(table, key)
    }

    fn show(&self, value: &Option<SocketAddr>) -> Option<String> {
        Some(quoted(&value.map_or_else(|| "off".to_owned(), |addr| addr.to_string())))
    }

    fn schema(&self) -> Value {
        schema::text()
    }

    fn range(&self) -> Option<String> {
        Some("IP address and port, or \"off\"".to_owned())
    }
}

/// Listen addresses.
pub struct Addresses;

impl Kind for Addresses {
    type Value = Vec<SocketAddr>;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Vec<SocketAddr>> {
        addresses(table, key)
    }

    fn show(&self, value: &Vec<SocketAddr>) -> Option<String> {
        Some(shown_list(value.iter()))
    }

    fn schema(&self) -> Value {
        schema::list(schema::text())
    }

    fn literal(&self, text: &str) -> String {
        list_literal(text)
    }
}

/// One of several names.
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Clone + PartialEq> Choice<T> {
    fn name(&self, value: &T) -> &'static str {
        let found = self.0.iter().find(|(_, choice)| choice == value);
        found.map_or("", |(name, _)| name)
    }
}

impl<T: Clone + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<T> {
        value(table.take_choice(key, self.0))
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(quoted(self.name(value)))
    }

    fn schema(&self) -> Value {
        schema::names(self.0.iter().map(|(name, _)| *name))
    }

    fn range(&self) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(|(name, _)| quoted(name)).collect();
        Some(names.join(", "))
    }
}

/// Several of several names.
pub struct Choices<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Clone + PartialEq> Kind for Choices<T> {
    type Value = Vec<T>;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Vec<T>> {
        let items = table.take_array(key)?.into_iter();
        Some(items.filter_map(|item| value(item.into_choice(self.0))).collect())
    }

    fn show(&self, value: &Vec<T>) -> Option<String> {
        let choice = Choice(self.0);
        Some(shown_list(value.iter().map(|value| choice.name(value))))
    }

    fn schema(&self) -> Value {
        schema::list(Choice(self.0).schema())
    }

    fn range(&self) -> Option<String> {
        Choice(self.0).range()
    }

    fn literal(&self, text: &str) -> String {
        list_literal(text)
    }
}

/// Text with a parser.
pub struct Parsed<T, E>(pub fn(&str) -> Result<T, E>);

impl<T: Display, E: Display> Kind for Parsed<T, E> {
    type Value = T;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<T> {
        value(table.take_parsed(key, self.0))
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn schema(&self) -> Value {
        schema::text()
    }
}

/// Texts with a parser.
pub struct ParsedList<T, E>(pub fn(&str) -> Result<T, E>);

impl<T: Display, E: Display> Kind for ParsedList<T, E> {
    type Value = Vec<T>;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Vec<T>> {
        let items = table.take_array(key)?.into_iter();
        Some(items.filter_map(|item| value(item.into_parsed(self.0))).collect())
    }

    fn show(&self, value: &Vec<T>) -> Option<String> {
        (!value.is_empty()).then(|| shown_list(value.iter()))
    }

    fn schema(&self) -> Value {
        schema::list(schema::text())
    }

    fn literal(&self, text: &str) -> String {
        list_literal(text)
    }
}

/// Any text.
pub struct StringList;

impl Kind for StringList {
    type Value = Text;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Text> {
        value(table.take_str(key))
    }

    fn show(&self, value: &Text) -> Option<String> {
        Some(quoted(value))
    }

    fn schema(&self) -> Value {
        schema::text()
    }
}

/// Origins of pages.
pub struct Origins;

impl Kind for Origins {
    type Value = Vec<String>;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<Vec<String>> {
        origins(table, key)
    }

    fn show(&self, value: &Vec<String>) -> Option<String> {
        Some(shown_list(value.iter()))
    }

    fn schema(&self) -> Value {
        schema::list(schema::text())
    }

    fn literal(&self, text: &str) -> String {
        list_literal(text)
    }
}

/// Path of a file or folder that is opened later.
pub struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;

    fn read(&self, table: &mut Table<'_>, key: &str, files: &dyn Files) -> Option<PathBuf> {
        table.take_str(key).map(|path| files.path(Path::new(&*path.value)))
    }

    fn show(&self, value: &PathBuf) -> Option<String> {
        Some(quoted(&value.display().to_string()))
    }

    fn schema(&self) -> Value {
        schema::text()
    }

    fn range(&self) -> Option<String> {
        Some("path".to_owned())
    }
}

/// Key without a default.
pub struct Maybe<K>(pub K);

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;

    fn read(&self, table: &mut Table<'_>, key: &str, files: &dyn Files) -> Option<Option<K::Value>> {
        self.0.read(table, key, files).map(Some)
    }

    fn show(&self, value: &Option<K::Value>) -> Option<String> {
        self.0.show(value.as_ref()?)
    }

    fn content(&self, value: &Option<K::Value>) -> String {
        let content = value.as_ref().map(|value| self.0.content(value));
        content.map_or_else(String::new, |content| format!("={content}"))
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }

    fn range(&self) -> Option<String> {
        self.0.range()
    }

    fn literal(&self, text: &str) -> String {
        self.0.literal(text)
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// File with a secret, of which only its presence is shown.
pub struct SecretFile<T> {
    /// Reads the file that the key names.
    pub read: fn(&mut Table<'_>, &dyn Files, &str) -> Option<T>,
    /// Returns the secret, for comparisons.
    pub content: fn(&T) -> String,
}

impl<T> Kind for SecretFile<T> {
    type Value = T;

    fn read(&self, table: &mut Table<'_>, key: &str, files: &dyn Files) -> Option<T> {
        (self.read)(table, files, key)
    }

    fn show(&self, value: &T) -> Option<String> {
        (!(self.content)(value).is_empty()).then(|| "(set)".to_owned())
    }

    fn content(&self, value: &T) -> String {
        (self.content)(value)
    }

    fn schema(&self) -> Value {
        schema::text()
    }

    fn range(&self) -> Option<String> {
        Some("path".to_owned())
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// Returns a text of a type as it is. Other text becomes a string, which the reader reports.
fn bare_or_quoted<T: FromStr>(text: &str) -> String {
    match text.parse::<T>() {
        Ok(_) => text.to_owned(),
        Err(_) => quoted(text),
    }
}

fn shown_list<T: Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// Returns a list in an environment variable as TOML: an array, or items separated by commas.
fn list_literal(text: &str) -> String {
    if text.starts_with('[') {
        return text.to_owned();
    }
    shown_list(text.split(',').map(str::trim).filter(|item| !item.is_empty()))
}
