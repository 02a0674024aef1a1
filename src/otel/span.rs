//! Spans.

use rtm::value::Text;

/// Counter of spans that do not reach the collector.
pub(super) const DROPPED: &str = "trace spans";

/// Begin of a traced span: its ids, and its time in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) at: u64,
}

/// Kind of a span, by its number in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a client.
    Server = 2,
    /// A call to RTM.
    Client = 3,
}

/// Ended span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub begun: Begun,
    pub parent: Option<u64>,
    pub name: Text,
    pub kind: Kind,
    pub ended: u64,
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Reason of the failure.
    pub failure: Option<Text>,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Text(Text),
    List(Vec<Text>),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Attribute {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}
