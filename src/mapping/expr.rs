//! Compiled expressions: paths, the few functions, templates.

use serde_json::Value as Json;

use crate::rtm::{END_CALL_PREFIX, RtmError};
use crate::value::{Text, Value};

use super::ty::Conv;

/// An expression of a row, compiled: slots instead of names.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// The value in a slot of the row.
    Slot(usize),
    /// A member of an object.
    Member(Box<Expr>, Text),
    /// A value on its way to the other side.
    Convert(Conv, Box<Expr>),
    /// `uid(x)`: the legacy number of an account, or of each of a list.
    Uid(Box<Expr>),
    /// `end-call(channel, info)`: the text that ends a call (rtm-api 11).
    EndCall(Box<Expr>, Box<Expr>),
    /// `attribute(name, value)`: an attribute as RTM holds it.
    Attribute(Box<Expr>, Box<Expr>),
    /// Text with values in it; values are quoted as JSON needs it when the template is JSON.
    Template {
        /// The pieces, in order.
        parts: Vec<Part>,
        /// Whether it is JSON.
        json: bool,
    },
    /// `$state.…`.
    State(StateField),
    /// `$reason`, `$ecode` of a failure; `$key`, `$value` of an entry; filled in by the engine.
    Ambient(Ambient),
    /// The text of the error that the row was entered with, by the members of that row.
    MemberReason(usize),
    /// A list of expressions.
    List(Vec<Expr>),
    /// An object of expressions.
    Map(Vec<(Text, Expr)>),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As it is.
    Text(Text),
    /// A value.
    Expr(Expr),
}

/// What `$state` and `$self` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateField {
    /// The session's account.
    Account,
    /// The session's line.
    Line,
    /// The joined channel's name.
    Channel,
    /// The number of the joined channel in this session.
    Cid,
    /// The joined channel's member count.
    MemberCount,
}

/// Values that exist only while an outcome is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambient {
    /// A failure's text.
    Reason,
    /// The number that the session's family makes of it.
    Ecode,
    /// The name of an entry of `each`.
    Key,
    /// The value of an entry of `each`, or of a `value` step.
    Value,
}

/// What expressions read besides their row's slots.
pub trait Scope {
    /// Converts an id.
    fn convert(&self, conv: Conv, text: &Text) -> Text;
    /// The number of an account.
    fn uid(&self, account: &Text) -> i64;
    /// A field of the session's state.
    fn state(&self, field: StateField) -> Value;
    /// An ambient value.
    fn ambient(&self, ambient: Ambient) -> Value;
    /// The value in a slot.
    fn slot(&self, slot: usize) -> Value;
    /// The text that row number `row` has for the error at hand.
    fn member_reason(&self, row: usize) -> Text;
    /// The error at hand.
    fn error(&self) -> Option<RtmError> {
        None
    }
}

impl Expr {
    /// Computes the value.
    pub fn eval(&self, scope: &dyn Scope) -> Value {
        match self {
            Self::Const(value) => value.clone(),
            Self::Slot(slot) => scope.slot(*slot),
            Self::Member(of, name) => of.eval(scope).get(name).cloned().unwrap_or_default(),
            Self::Convert(conv, inner) => convert(scope, *conv, inner.eval(scope)),
            Self::Uid(of) => uid(scope, of.eval(scope)),
            Self::EndCall(channel, info) => Value::text(end_call(
                &channel.eval(scope).into_text(),
                &info.eval(scope).into_text(),
            )),
            Self::Attribute(name, value) => {
                let value = Value::Text(value.eval(scope).into_text());
                Value::Map(vec![(name.eval(scope).into_text(), value)])
            }
            Self::Template { parts, json } => Value::text(template(parts, *json, scope)),
            Self::State(field) => scope.state(*field),
            Self::Ambient(ambient) => scope.ambient(*ambient),
            Self::MemberReason(row) => Value::Text(scope.member_reason(*row)),
            Self::List(items) => Value::List(items.iter().map(|item| item.eval(scope)).collect()),
            Self::Map(entries) => {
                let entry = |(key, value): &(Text, Expr)| (key.clone(), value.eval(scope));
                Value::Map(entries.iter().map(entry).collect())
            }
        }
    }
}

fn convert(scope: &dyn Scope, conv: Conv, value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(scope.convert(conv, &text)),
        Value::List(items) => Value::List(items.into_iter().map(|item| convert(scope, conv, item)).collect()),
        other => other,
    }
}

fn uid(scope: &dyn Scope, value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(|item| uid(scope, item)).collect()),
        other => Value::Int(scope.uid(&other.into_text())),
    }
}

/// The text that ends a call in RTM; `_` and `%` of the info are quoted, since RTM forbids `_` there (decisions H9).
pub fn end_call(channel: &str, info: &str) -> String {
    let info = info.replace('%', "%25").replace('_', "%5F");
    format!("{END_CALL_PREFIX}_{channel}_{info}")
}

/// Channel and info of a text that ends a call; the last `_` splits, since names may contain it.
pub fn parse_end_call(text: &str) -> Option<(Text, Text)> {
    let rest = text.strip_prefix(END_CALL_PREFIX)?.strip_prefix('_')?;
    let (channel, info) = rest.rsplit_once('_')?;
    Some((channel.into(), info.replace("%5F", "_").replace("%25", "%").into()))
}

fn template(parts: &[Part], json: bool, scope: &dyn Scope) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => {
                let text = expr.eval(scope).into_text();
                if json {
                    let quoted = Json::from(&*text).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                } else {
                    out.push_str(&text);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_calls_come_back() {
        for (channel, info) in [("r", ""), ("my_room", "bye"), ("a_b_", "x_y%5F%25"), ("%", "100%_")] {
            let text = end_call(channel, info);
            assert_eq!(parse_end_call(&text), Some((channel.into(), info.into())), "{text}");
        }
        assert_eq!(parse_end_call("AgoraRTMLegacyEndcallCompatibleMessagePrefix"), None);
        assert_eq!(parse_end_call("hello"), None);
    }
}
