//! Table values that are interpreted later: a tree with source positions.

use rtm::value::{Text, Value};

use crate::diagnostics::Span;
use crate::spanned_toml::{Item, Spanned, Table};

/// A value with its source position.
#[derive(Clone, Debug)]
pub struct Node {
    /// The position.
    pub span: Span,
    /// The value.
    pub kind: NodeKind,
}

/// The kinds of [`Node`].
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Text: a literal, a path, a template.
    Text(Text),
    /// A literal that is not text.
    Literal(Value),
    /// A list.
    List(Vec<Node>),
    /// An object, in the order of the file.
    Map(Vec<(Spanned<Text>, Node)>),
}

impl Node {
    /// Reads a value with its children.
    pub fn read(item: Item<'_>) -> Option<Node> {
        let span = item.span().clone();
        let kind = if item.is_table() {
            return item.into_table().and_then(Node::read_table);
        } else if item.is_array() {
            NodeKind::List(item.into_array()?.into_iter().filter_map(Node::read).collect())
        } else if item.is_str() {
            NodeKind::Text(item.into_str()?.value)
        } else {
            NodeKind::Literal(item.into_value()?)
        };
        Some(Node { span, kind })
    }

    /// Reads a table with its children.
    pub fn read_table(table: Table<'_>) -> Option<Node> {
        let span = table.span().clone();
        let entries = table.into_entries().into_iter();
        let entries = entries.filter_map(|(key, item)| Some((key, Node::read(item)?)));
        Some(Node {
            span,
            kind: NodeKind::Map(entries.collect()),
        })
    }

    /// Returns the text of a text node.
    pub fn as_text(&self) -> Option<&Text> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the entries of an object.
    pub fn as_map(&self) -> Option<&[(Spanned<Text>, Node)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the member `key` of an object.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?
            .iter()
            .find_map(|(name, node)| (&*name.value == key).then_some(node))
    }

    /// Returns the plain value; paths remain text.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Text(text) => Value::Text(text.clone()),
            NodeKind::Literal(value) => value.clone(),
            NodeKind::List(items) => Value::List(items.iter().map(Node::to_value).collect()),
            NodeKind::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.value.clone(), node.to_value()))
                    .collect(),
            ),
        }
    }

    /// Returns the tree with every text `$name` replaced by that member of `with`, if there is one.
    pub fn substitute(&self, with: &Node) -> Node {
        let kind = match &self.kind {
            NodeKind::Text(text) => match text.strip_prefix('$').and_then(|name| with.get(name)) {
                Some(node) => node.kind.clone(),
                None => self.kind.clone(),
            },
            NodeKind::Literal(_) => self.kind.clone(),
            NodeKind::List(items) => NodeKind::List(items.iter().map(|item| item.substitute(with)).collect()),
            NodeKind::Map(entries) => NodeKind::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.substitute(with)))
                    .collect(),
            ),
        };
        Node {
            span: self.span.clone(),
            kind,
        }
    }
}
