//! The content of an answer, independent of the transport: `err` and the JSON text (signaling-wire
//! 4).

use rtm::value::{Text, Value};
use tables::Tables;
use tables::coerce::typed;
use tables::ty::SigType;
use tables::wire::{FailureForm, Fold, Function, Target, Wire};

use crate::event::{Answer, Event};

/// `err` and the JSON of a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Empty for a success.
    pub err: Text,
    /// A JSON object.
    pub json: Text,
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
            return Self::refusal(function.failure, &failure.reason, shown);
        }
        let mut entries = vec![ok()];
        if let Target::Row(call) = &function.target {
            if let Some(fold) = &call.whole {
                return Self::success(folded(fold, answer).into_text());
            }
            entries.extend(
                call.reply
                    .iter()
                    .map(|(name, fold)| (name.clone(), folded(fold, answer))),
            );
        }
        Self::success(Value::Map(entries).to_json().into())
    }

    /// Builds the reply to a call without a row.
    pub fn plain(form: FailureForm, result: Result<(), &str>) -> Self {
        match result {
            Ok(()) => Self::success(Value::Map(vec![ok()]).to_json().into()),
            Err(reason) => Self::refusal(form, reason, None),
        }
    }

    /// Builds the reply to a poll: versions and lines.
    pub fn mailbox(ver_clear: u64, lines: impl Iterator<Item = (u64, String)>) -> Self {
        let line = |(version, line): (u64, String)| Value::List(vec![number(version), Value::Text(line.into())]);
        let entries = vec![
            ok(),
            ("ver_clear".into(), number(ver_clear)),
            ("msgs".into(), Value::List(lines.map(line).collect())),
        ];
        Self::success(Value::Map(entries).to_json().into())
    }

    fn success(json: Text) -> Self {
        Self { err: "".into(), json }
    }

    fn refusal(form: FailureForm, reason: &str, shown: Option<Text>) -> Self {
        let text = shown.unwrap_or_else(|| reason.into());
        let mut entries = vec![
            ("result".into(), "failed".into()),
            ("reason".into(), Value::text(reason)),
        ];
        let err = match form {
            FailureForm::Own => text,
            FailureForm::Invoked => {
                entries.push(("data".into(), Value::Map(vec![("result".into(), text.into())])));
                "".into()
            }
        };
        Self {
            err,
            json: Value::Map(entries).to_json().into(),
        }
    }
}

/// Converts a count to JSON.
pub fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn ok() -> (Text, Value) {
    ("result".into(), "ok".into())
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
