//! Frames for clients. Always two elements, always text (signaling-wire 2).

use crate::bridge::{Answer, Event, Form};
use crate::mapping::Tables;
use crate::mapping::lets::typed;
use crate::mapping::ty::SigType;
use crate::mapping::wire::{FailureForm, Fold, Function, Target, Wire};
use crate::value::{Text, Value};

use super::line::line;

pub use super::line::LineContext;

/// The reply to the login frame.
pub fn login_ret(tables: &Tables, wire: &Wire, answer: &Answer) -> String {
    let (err, json) = result(tables, wire, &wire.login, answer);
    frame("login_ret", &Value::List(vec![err.into(), json.into()]))
}

/// The reply to a call.
pub fn call2_ret(tables: &Tables, wire: &Wire, function: &Function, id: i64, answer: &Answer) -> String {
    let (err, json) = result(tables, wire, function, answer);
    frame("call2-ret", &Value::List(vec![id.into(), err.into(), json.into()]))
}

/// The reply to a call that no row has answered: success, or a reason.
pub fn plain_ret(form: FailureForm, id: i64, result: Result<(), &str>) -> String {
    let (err, json) = match result {
        Ok(()) => ("".into(), Value::Map(vec![ok()]).to_json()),
        Err(reason) => refusal(form, reason, None),
    };
    frame(
        "call2-ret",
        &Value::List(vec![id.into(), err.into(), json.into_value()]),
    )
}

/// The reply to a poll of the mailbox.
pub fn mailbox_ret(wire: &Wire, id: i64, ver_clear: u64, lines: &[(u64, Event)], context: LineContext<'_>) -> String {
    let lines = lines.iter().filter_map(|(version, event)| {
        let form = wire.events.get(event.sig)?.as_ref()?;
        Some(Value::List(vec![
            number(*version),
            line(form, event, context).into_value(),
        ]))
    });
    let json = Value::Map(vec![
        ok(),
        ("ver_clear".into(), number(ver_clear)),
        ("msgs".into(), Value::List(lines.collect())),
    ]);
    frame(
        "call2-ret",
        &Value::List(vec![id.into(), "".into(), json.to_json().into_value()]),
    )
}

/// The frames of a notification.
pub fn notify(wire: &Wire, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String> {
    let Some(wire_event) = wire.events.get(event.sig).and_then(Option::as_ref) else {
        return Vec::new();
    };
    match form {
        // The string form is delivered at once, where the array form would only hint at a poll.
        Form::Mailbox(version) => {
            let line = line(
                wire_event,
                event,
                LineContext {
                    channel: None,
                    ..context
                },
            );
            let pair = Value::List(vec![number(version), line.into_value()]);
            vec![frame("notify", &format!("notify recvmsg {pair}").into_value())]
        }
        Form::Channel { cid, msgid } => {
            let line = line(wire_event, event, context);
            let items = vec!["channel2".into(), number(cid), number(msgid), line.into_value()];
            vec![frame("notify", &Value::List(items))]
        }
        Form::Control => {
            let ecode = event.args.first().and_then(Value::as_int).unwrap_or(0);
            wire_event
                .frames_for(ecode)
                .iter()
                .map(|name| frame(name, &"".into()))
                .collect()
        }
        Form::Direct => Vec::new(),
    }
}

/// A frame by name.
pub fn frame(name: &str, arg: &Value) -> String {
    let mut text = Value::text(name).to_json();
    text.insert(0, '[');
    text.push(',');
    text.push_str(&arg.to_json());
    text.push(']');
    text
}

/// `err` and the JSON text of a reply.
fn result(tables: &Tables, wire: &Wire, function: &Function, answer: &Answer) -> (Text, Text) {
    if let Some(failure) = &answer.failure {
        let class = &tables.fails[failure.class];
        let shown = class.text_arg(&wire.family).and_then(|arg| {
            let at = tables.signatures[failure.event.sig].arg(arg)?;
            failure.event.args.get(at).cloned().map(Value::into_text)
        });
        let (err, json) = refusal(function.failure, &failure.reason, shown);
        return (err, json.into());
    }
    let mut entries = vec![ok()];
    if let Target::Row(call) = &function.target {
        if let Some((event, arg)) = call.whole {
            let told = answer.events.iter().find(|told| told.sig == event);
            let whole = told.and_then(|told| told.args.get(arg).cloned()).unwrap_or_default();
            return ("".into(), whole.into_text());
        }
        entries.extend(
            call.reply
                .iter()
                .map(|(name, fold)| (name.clone(), folded(fold, answer))),
        );
    }
    ("".into(), Value::Map(entries).to_json().into())
}

fn refusal(form: FailureForm, reason: &str, shown: Option<Text>) -> (Text, String) {
    let text = shown.unwrap_or_else(|| reason.into());
    let mut entries = vec![
        ("result".into(), "failed".into()),
        ("reason".into(), Value::text(reason)),
    ];
    match form {
        FailureForm::Own => (text, Value::Map(entries).to_json()),
        FailureForm::Invoked => {
            entries.push(("data".into(), Value::Map(vec![("result".into(), text.into())])));
            ("".into(), Value::Map(entries).to_json())
        }
    }
}

fn folded(fold: &Fold, answer: &Answer) -> Value {
    let of = |sig: usize| answer.events.iter().filter(move |event| event.sig == sig);
    match fold {
        Fold::Field(at) => answer.fields.get(*at).cloned().unwrap_or_default(),
        Fold::Arg { event, arg, as_int } => {
            let first = of(*event).next();
            let value = first
                .and_then(|event| event.args.get(*arg).cloned())
                .unwrap_or_default();
            if *as_int {
                typed(value, SigType::Int).unwrap_or_default()
            } else {
                value
            }
        }
        Fold::Object { event, key, value } => {
            let entry = |event: &Event| {
                let part = |at: usize| event.args.get(at).cloned().unwrap_or_default();
                (part(*key).into_text(), part(*value))
            };
            Value::Map(of(*event).map(entry).collect())
        }
        Fold::Zip { event, args } => {
            let Some(event) = of(*event).next() else {
                return Value::List(Vec::new());
            };
            let lists: Vec<&[Value]> = args
                .iter()
                .map(|&at| event.args.get(at).and_then(Value::as_list).unwrap_or_default())
                .collect();
            let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
            let row = |i: usize| {
                Value::List(
                    lists
                        .iter()
                        .map(|list| list.get(i).cloned().unwrap_or_default())
                        .collect(),
                )
            };
            Value::List((0..longest).map(row).collect())
        }
    }
}

fn ok() -> (Text, Value) {
    ("result".into(), "ok".into())
}

fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Text as a value, without a detour.
trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}
