//! Compiled expressions: paths, functions, templates.

use serde_json::Value as Json;

use rtm::value::{Text, Value};
use rtm::{END_CALL_PREFIX, Field, Message, RtmError};

use crate::func::Func;
use crate::ty::Conv;

/// A compiled expression of a row, with slots instead of names.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// The value in a slot of the row.
    Slot(usize),
    /// A member of an object.
    Member(Box<Expr>, Text),
    /// A converted value.
    Convert(Conv, Box<Expr>),
    /// A function call.
    Call(Func, Vec<Expr>),
    /// A value as JSON text.
    Json(Box<Expr>),
    /// Text with embedded values, which are quoted if the template is JSON.
    Template {
        /// The pieces, in order.
        parts: Vec<Part>,
        /// True if the template is JSON.
        json: bool,
    },
    /// `$state.…`.
    State(StateField),
    /// `$reason`, `$ecode` of a failure; `$key`, `$value` of an entry; provided by the engine.
    Ambient(Ambient),
    /// The text of the error that selected the row, from the members of that row.
    MemberReason(usize),
    /// A list of expressions.
    List(Vec<Expr>),
    /// An object of expressions.
    Map(Vec<(Text, Expr)>),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Literal text.
    Text(Text),
    /// A value.
    Expr(Expr),
}

/// The fields of `$state` and `$self`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateField {
    /// The session's account.
    Account,
    /// The session line.
    Line,
    /// The joined channel's name.
    Channel,
    /// The number of the joined channel in this session.
    Cid,
    /// The joined channel's member count.
    MemberCount,
    /// The documented number of the session's state: 0 not logged in, 1 logging in, 2 logged in, 3
    /// reconnecting.
    Status,
    /// 1 if that number is 2, else 0.
    Online,
}

/// Values that exist only while an outcome is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambient {
    /// A failure's text.
    Reason,
    /// The number of the failure in the session's family.
    Ecode,
    /// The name of an entry of `each`.
    Key,
    /// The value of an entry of `each`, or of a `value` step.
    Value,
}

/// The inputs of expressions besides their row's slots.
pub trait Scope {
    /// Converts an id.
    fn convert(&self, conv: Conv, text: &Text) -> Text;
    /// Returns the number of an account.
    fn uid(&self, account: &Text) -> i64;
    /// Returns a field of the session's state.
    fn state(&self, field: StateField) -> Value;
    /// Returns an ambient value.
    fn ambient(&self, ambient: Ambient) -> Value;
    /// Returns the value in a slot.
    fn slot(&self, slot: usize) -> Value;
    /// Returns the text of the current error in row number `row`.
    fn member_reason(&self, row: usize) -> Text;
    /// Returns the current error.
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
            Self::Call(func, args) => {
                let args: Vec<Value> = args.iter().map(|arg| arg.eval(scope)).collect();
                func.eval(&args, scope)
            }
            Self::Json(of) => Value::text(of.eval(scope).to_json()),
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

/// Returns the text that ends a call in RTM; `_` and `%` of the info are escaped, since RTM forbids
/// `_` there (decisions H9).
pub fn end_call(channel: &str, info: &str) -> String {
    let info = info.replace('%', "%25").replace('_', "%5F");
    format!("{END_CALL_PREFIX}_{channel}_{info}")
}

/// Returns true if a text may be one that ends a call.
pub fn begins_end_call(text: &str) -> bool {
    text.starts_with(END_CALL_PREFIX)
}

/// Splits a text that ends a call into channel and info; the last `_` splits, since names may
/// contain it.
pub fn parse_end_call(text: &str) -> Option<(Text, Text)> {
    let rest = text.strip_prefix(END_CALL_PREFIX)?.strip_prefix('_')?;
    let (channel, info) = rest.rsplit_once('_')?;
    Some((channel.into(), info.replace("%5F", "_").replace("%25", "%").into()))
}

/// The description of raw messages between bridges, which RTM-native apps ignore (decisions H9).
const SIGNAL: &str = "sigbridge/1";

/// Returns a message between bridges, as a value for RTM's message type.
pub fn signal(kind: &str, channel_id: &str, data: &str) -> Value {
    let entry = |key: &str, value: &str| (Text::from(key), Value::text(value));
    let body = Value::Map(vec![
        entry("type", kind),
        entry("channelId", channel_id),
        entry("data", data),
    ]);
    let bytes = body.to_json().into_bytes();
    Message::Raw {
        bytes: bytes.into(),
        description: SIGNAL.into(),
    }
    .to_value()
}

/// Returns kind, channel id and data of a message between bridges.
pub fn parse_signal(message: &Message) -> Option<(Text, Text, Text)> {
    let Message::Raw { bytes, description } = message else {
        return None;
    };
    if &**description != SIGNAL {
        return None;
    }
    let body = Value::from_json(std::str::from_utf8(bytes).ok()?).ok()?;
    let text = |key: &str| body.get(key).and_then(Value::as_text).cloned();
    Some((text("type")?, text("channelId")?, text("data")?))
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
    fn end_calls_round_trip() {
        for (channel, info) in [("r", ""), ("my_room", "bye"), ("a_b_", "x_y%5F%25"), ("%", "100%_")] {
            let text = end_call(channel, info);
            assert_eq!(parse_end_call(&text), Some((channel.into(), info.into())), "{text}");
        }
        assert_eq!(parse_end_call("AgoraRTMLegacyEndcallCompatibleMessagePrefix"), None);
        assert_eq!(parse_end_call("hello"), None);
    }
}
