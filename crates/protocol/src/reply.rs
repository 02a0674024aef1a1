//! The content of an answer, independent of the transport: `err` and the JSON text (signaling-wire
//! 4).

use rtm::json::write;
use rtm::value::Value;
use tables::Tables;
use tables::coerce::typed;
use tables::ty::SigType;
use tables::wire::{FailureForm, Fold, Function, Target, Wire};

use crate::event::{Answer, Event};

/// `err` and the JSON of a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Empty for a success.
    pub err: String,
    /// A JSON object.
    pub json: String,
}

impl Reply {
    /// Builds the reply from a row's answer.
    pub fn of_answer(tables: &Tables, wire: &Wire, function: &Function, answer: &Answer) -> Self {
        if let Some(failure) = &answer.failure {
            let class = &tables.fails[failure.class];
            let shown = class.text_arg(&wire.family).and_then(|arg| {
                let at = tables.signatures[failure.event.sig].arg(arg)?;
                failure.event.args.get(at).cloned().map(Value::into_text)
            });
            return Self::refusal(function.failure, &failure.reason, shown.as_deref());
        }
        let mut json = ObjectWriter::ok();
        if let Target::Row(call) = &function.target {
            if let Some(fold) = &call.whole {
                return Self::success(folded(fold, answer).into_text().to_string());
            }
            for (name, fold) in &call.reply {
                json.member(name, &folded(fold, answer));
            }
        }
        Self::success(json.finish())
    }

    /// Builds the reply to a call without a row.
    pub fn plain(form: FailureForm, result: Result<(), &str>) -> Self {
        match result {
            Ok(()) => Self::success(ObjectWriter::ok().finish()),
            Err(reason) => Self::refusal(form, reason, None),
        }
    }

    /// Builds the reply to a poll: versions and lines.
    pub fn mailbox(ver_clear: u64, lines: impl Iterator<Item = (u64, String)>) -> Self {
        let mut json = ObjectWriter::ok();
        json.member("ver_clear", &number(ver_clear));
        let msgs = json.name("msgs");
        msgs.push('[');
        for (at, (version, line)) in lines.enumerate() {
            if at > 0 {
                msgs.push(',');
            }
            write_message(version, &line, msgs);
        }
        msgs.push(']');
        Self::success(json.finish())
    }

    fn success(json: String) -> Self {
        Self {
            err: String::new(),
            json,
        }
    }

    fn refusal(form: FailureForm, reason: &str, shown: Option<&str>) -> Self {
        let text = shown.unwrap_or(reason);
        let mut json = ObjectWriter::new("failed");
        json.member("reason", &reason.into());
        let err = match form {
            FailureForm::Own => text,
            FailureForm::Invoked => {
                json.name("data").push_str(&ObjectWriter::new(text).finish());
                ""
            }
        };
        Self {
            err: err.to_owned(),
            json: json.finish(),
        }
    }
}

/// A JSON object with a `result` and further members, in order.
struct ObjectWriter(String);

impl ObjectWriter {
    fn new(result: &str) -> Self {
        let mut json = String::with_capacity(48);
        json.push_str("{\"result\":");
        write::quote(result, &mut json);
        Self(json)
    }

    fn ok() -> Self {
        Self::new("ok")
    }

    /// Appends a member's name. The caller appends its value.
    fn name(&mut self, name: &str) -> &mut String {
        self.0.push(',');
        write::quote(name, &mut self.0);
        self.0.push(':');
        &mut self.0
    }

    fn member(&mut self, name: &str, value: &Value) {
        write::value(value, self.name(name));
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Appends a mailbox line with its version: `[version,line]`.
pub fn write_message(version: u64, line: &str, out: &mut String) {
    out.reserve(line.len() + line.len() / 8 + 32);
    out.push('[');
    write::value(&number(version), out);
    out.push(',');
    write::quote(line, out);
    out.push(']');
}

/// Converts a count to JSON.
pub fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Builds a member of a reply.
pub fn folded(fold: &Fold, answer: &Answer) -> Value {
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
