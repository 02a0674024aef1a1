//! One value of a document, whose kind is not checked yet.

use std::fmt::Display;

use toml::de::{DeInteger, DeValue};

use rtm::value::{Number, Text, Value};

use crate::diagnostics::{Diag, Span};
use crate::spanned_toml::{Kind, Sink, Spanned, Table};

/// A value with its position and its name. Requesting another kind reports "expected …, got …".
#[must_use = "an unread value is a key without effect"]
pub struct Item<'r> {
    pub(super) sink: &'r Sink<'r>,
    pub(super) path: String,
    pub(super) span: Span,
    value: DeValue<'r>,
}

impl<'r> Item<'r> {
    pub(super) fn new(sink: &'r Sink<'r>, path: String, value: toml::Spanned<DeValue<'r>>) -> Self {
        Self {
            span: sink.span(value.span()),
            value: value.into_inner(),
            sink,
            path,
        }
    }

    /// Returns the position.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the dotted name, such as `row[3].answer.at`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns true for text, for readers that accept text or another kind.
    pub fn is_str(&self) -> bool {
        self.kind() == Kind::Text
    }

    /// Returns true for an array.
    pub fn is_array(&self) -> bool {
        self.kind() == Kind::Array
    }

    /// Returns true for a table.
    pub fn is_table(&self) -> bool {
        self.kind() == Kind::Table
    }

    /// Reports an error about this value; the title follows its name.
    pub fn error(&self, title: impl Display) {
        self.sink
            .push(Diag::new(&self.span, format!("`{}`: {title}", self.path)));
    }

    /// Returns the text.
    pub fn into_str(self) -> Option<Spanned<Text>> {
        match self.value {
            DeValue::String(text) => Some(Spanned {
                value: text.into(),
                span: self.span,
            }),
            _ => self.expected(Kind::Text),
        }
    }

    /// Returns the parsed text; the parser's error is reported.
    pub fn into_parsed<T, E: Display>(self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Spanned<T>> {
        let (sink, path) = (self.sink, self.path.clone());
        let text = self.into_str()?;
        match parse(&text) {
            Ok(value) => Some(text.map(|_| value)),
            Err(error) => {
                sink.push(Diag::new(&text.span, format!("`{path}`: {error}")));
                None
            }
        }
    }

    /// Returns the choice that the text names; another text is reported with the valid ones.
    pub fn into_choice<T: Clone>(self, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        let (sink, path) = (self.sink, self.path.clone());
        let text = self.into_str()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == &**text) {
            return Some(text.map(|_| choice.clone()));
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let title = format!("`{path}`: expected {}, got `{}`", one_of(&names), &**text);
        let names = choices.iter().map(|(name, _)| *name);
        sink.push(Diag::new(&text.span, title).did_you_mean(&text, names));
        None
    }

    /// Returns the boolean.
    pub fn into_bool(self) -> Option<Spanned<bool>> {
        match self.value {
            DeValue::Boolean(value) => Some(Spanned { value, span: self.span }),
            _ => self.expected(Kind::Bool),
        }
    }

    /// Returns the whole number; one beyond 64 bits is reported.
    pub fn into_int(self) -> Option<Spanned<i64>> {
        match &self.value {
            DeValue::Integer(digits) => match int(digits) {
                Some(value) => Some(Spanned { value, span: self.span }),
                None => {
                    self.error("expected a number of at most 64 bits");
                    None
                }
            },
            _ => self.expected(Kind::Int),
        }
    }

    /// Returns the table.
    pub fn into_table(self) -> Option<Table<'r>> {
        match self.value {
            DeValue::Table(entries) => Some(Table::new(self.sink, self.path, self.span, entries)),
            _ => self.expected(Kind::Table),
        }
    }

    /// Returns the items, in order, named `path[0]` and so on.
    pub fn into_array(self) -> Option<Vec<Item<'r>>> {
        match self.value {
            DeValue::Array(items) => Some(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(i, item)| Item::new(self.sink, format!("{}[{i}]", self.path), item))
                    .collect(),
            ),
            _ => self.expected(Kind::Array),
        }
    }

    /// Returns the items, which must be text. Others are reported and omitted.
    pub fn into_strs(self) -> Option<Vec<Spanned<Text>>> {
        Some(self.into_array()?.into_iter().filter_map(Item::into_str).collect())
    }

    /// Returns a dynamic value, with keys in the order of the file. Dates and infinite numbers,
    /// which a [`Value`] cannot hold, are reported.
    pub fn into_value(self) -> Option<Value> {
        Some(match self.kind() {
            Kind::Text => Value::Text(self.into_str()?.value),
            Kind::Int => Value::Int(self.into_int()?.value),
            Kind::Bool => Value::Bool(self.into_bool()?.value),
            Kind::Float => self.into_float()?,
            Kind::Date => {
                self.error("a date is not supported here; write it as a string");
                return None;
            }
            Kind::Array => Value::List(all(self.into_array()?.into_iter().map(Item::into_value))?),
            Kind::Table => {
                let entries = self.into_table()?.into_entries().into_iter();
                Value::Map(all(entries.map(|(key, item)| Some((key.value, item.into_value()?))))?)
            }
        })
    }

    fn into_float(self) -> Option<Value> {
        match &self.value {
            DeValue::Float(digits) => match digits.as_str().parse().ok().and_then(Number::of) {
                Some(number) => Some(Value::Number(number)),
                None => {
                    self.error("expected a finite number");
                    None
                }
            },
            _ => self.expected(Kind::Float),
        }
    }

    fn kind(&self) -> Kind {
        match self.value {
            DeValue::String(_) => Kind::Text,
            DeValue::Integer(_) => Kind::Int,
            DeValue::Float(_) => Kind::Float,
            DeValue::Boolean(_) => Kind::Bool,
            DeValue::Datetime(_) => Kind::Date,
            DeValue::Array(_) => Kind::Array,
            DeValue::Table(_) => Kind::Table,
        }
    }

    fn expected<T>(&self, kind: Kind) -> Option<T> {
        let title = format!("`{}`: expected {kind}, got {}", self.path, self.kind());
        self.sink
            .push(Diag::new(&self.span, title).label(format!("not {kind}")));
        None
    }
}

fn int(digits: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(digits.as_str(), digits.radix()).ok()
}

/// Returns all items, or `None`; unlike `collect` it evaluates all of them, so that all errors are
/// reported.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = items.collect();
    items.into_iter().collect()
}

fn one_of(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
