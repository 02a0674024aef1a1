//! Message lines: `msg-v2 <src> <dst> <flag> <type> <time> <content>` (signaling-wire 5).

use rtm::value::{Text, Value};
use tables::expr::Expr;
use tables::profile::Profile;
use tables::scope::{Ambient, Scope, StateField};
use tables::ty::Conv;
use tables::wire::{Body, WireEvent};

use crate::encoder::LineContext;
use crate::event::Event;

/// The flag of every line, as sent by the Web SDKs.
const FLAG: &str = "v1:E:3600";

/// Encodes a line for a client of a profile.
pub fn line(form: &WireEvent, profile: &Profile, event: &Event, context: LineContext<'_>) -> String {
    let scope = LineScope { event, context };
    let src = form.src.eval(&scope).into_text();
    let dst = context.channel.unwrap_or(context.account);
    let content = match &form.body {
        Body::Text(text) => text.eval(&scope).into_text(),
        Body::Content(entries) => content(entries, profile, &scope).into(),
        Body::None => "".into(),
    };
    let time = context.now.as_millis();
    let mut line = String::with_capacity(content.len() + src.len() + dst.len() + form.kind.len() + 48);
    line.push_str("msg-v2");
    for word in [&*src, dst, FLAG, &form.kind, itoa::Buffer::new().format(time), &content] {
        line.push(' ');
        line.push_str(word);
    }
    line
}

fn content(entries: &[(Text, Expr)], profile: &Profile, scope: &LineScope<'_>) -> String {
    let of = |name: &Text| entries.iter().find(|(entry, _)| entry == name).map(|(_, expr)| expr);
    let entries = entries.iter().map(|(name, expr)| {
        let repair = profile.repair.iter().find(|(member, _)| member == name);
        let repaired = repair.and_then(|(_, from)| of(from)).unwrap_or(expr);
        (name.clone(), repaired.eval(scope))
    });
    Value::Map(entries.collect()).to_json()
}

/// Evaluates expressions with the event's arguments as slots.
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
            StateField::Line | StateField::Cid | StateField::MemberCount | StateField::Status | StateField::Online => {
                Value::Null
            }
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
