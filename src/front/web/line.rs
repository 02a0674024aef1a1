//! Message lines: `msg-v2 <src> <dst> <flag> <type> <time> <content>` (signaling-wire 5).

use std::fmt::Write as _;

use crate::bridge::Event;
use crate::mapping::expr::{Ambient, Expr, Scope, StateField};
use crate::mapping::ty::Conv;
use crate::mapping::wire::{Body, WireEvent};
use crate::time::Time;
use crate::value::{Text, Value};

/// The flag of every line: what the Web SDKs themselves send.
const FLAG: &str = "v1:E:3600";

/// What a line is written with.
#[derive(Clone, Copy, Debug)]
pub struct LineContext<'c> {
    /// The session's account.
    pub account: &'c Text,
    /// The session's channel, for the lines of a channel.
    pub channel: Option<&'c Text>,
    /// Now, which clients ignore.
    pub now: Time,
}

/// Writes a line.
pub fn line(form: &WireEvent, event: &Event, context: LineContext<'_>) -> String {
    let scope = LineScope { event, context };
    let src = form.src.eval(&scope).into_text();
    let dst = context.channel.unwrap_or(context.account);
    let content = match &form.body {
        Body::Text(text) => text.eval(&scope).into_text(),
        Body::Content(entries) => content(entries, &scope).into(),
        Body::None => "".into(),
    };
    let time = context.now.as_millis();
    let mut line = String::with_capacity(content.len() + src.len() + dst.len() + form.kind.len() + 48);
    // Writing to a String does not fail.
    let _ = write!(line, "msg-v2 {src} {dst} {FLAG} {} {time} {content}", form.kind);
    line
}

fn content(entries: &[(Text, Expr)], scope: &LineScope<'_>) -> String {
    let entries = entries.iter().map(|(name, expr)| (name.clone(), expr.eval(scope)));
    Value::Map(entries.collect()).to_json()
}

/// The event's arguments are the slots.
struct LineScope<'l> {
    event: &'l Event,
    context: LineContext<'l>,
}

impl Scope for LineScope<'_> {
    fn convert(&self, _: Conv, text: &Text) -> Text {
        text.clone()
    }

    fn uid(&self, _: &Text) -> i64 {
        0
    }

    fn state(&self, field: StateField) -> Value {
        match field {
            StateField::Account => self.context.account.clone().into(),
            StateField::Channel => self.context.channel.cloned().map_or(Value::Null, Value::Text),
            StateField::Line | StateField::Cid | StateField::MemberCount => Value::Null,
        }
    }

    fn ambient(&self, _: Ambient) -> Value {
        Value::Null
    }

    fn slot(&self, slot: usize) -> Value {
        self.event.args.get(slot).cloned().unwrap_or_default()
    }

    fn member_reason(&self, _: usize) -> Text {
        "".into()
    }
}
