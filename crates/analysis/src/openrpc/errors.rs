//! The failures of calls: Signaling's numbers by class, and JSON-RPC's own.

use rtm::value::{Text, Value};
use tables::Tables;
use tables::errors::FailClass;
use tables::row::{FailId, Row};

use crate::openrpc::{object, reference};

/// Refusals of a method itself, by JSON-RPC's numbers.
const OWN: &[(&str, i64, &str)] = &[
    ("params", -32_602, "the params do not fit the method"),
    ("busy", -32_000, "too many requests are pending"),
];
/// Text for reasons that a class does not name.
const ANY: &str = "any other reason";

/// All errors of methods, by name.
pub fn all(tables: &Tables) -> Value {
    let own = OWN
        .iter()
        .map(|(name, code, message)| (Text::from(*name), error(*code, message, None)));
    let classes = tables.fails.iter().flat_map(|class| {
        let event = &tables.signatures[class.event].name;
        let of = move |(code, reasons): (i64, String)| (key(class, code), error(code, &reasons, Some(event)));
        numbers(class).into_iter().map(of)
    });
    Value::Map(own.chain(classes).collect())
}

/// Returns the failures of a row's calls.
pub fn of_row(tables: &Tables, row: &Row) -> Value {
    let mut classes: Vec<FailId> = Vec::new();
    let outcomes = row.outcomes.iter().filter_map(|outcome| outcome.failure.as_ref());
    for failure in row.fail.iter().chain(outcomes) {
        if !classes.contains(&failure.class) {
            classes.push(failure.class);
        }
    }
    let own = OWN.iter().map(|(name, _, _)| reference("errors", name));
    let of_class = |id: FailId| {
        let class = &tables.fails[id];
        let one = |(code, _): (i64, String)| reference("errors", &key(class, code));
        numbers(class).into_iter().map(one).collect::<Vec<_>>()
    };
    Value::List(own.chain(classes.into_iter().flat_map(of_class)).collect())
}

/// The numbers of a class in its own order, with the reasons that lead to each.
fn numbers(class: &FailClass) -> Vec<(i64, String)> {
    let Some((_, codes)) = class.families.first() else {
        return Vec::new();
    };
    let written = codes.numbers.iter().map(|(reason, code)| (*code, &**reason));
    let mut found: Vec<(i64, String)> = Vec::new();
    for (code, reason) in written.chain(codes.any.map(|code| (code, ANY))) {
        match found.iter_mut().find(|(known, _)| *known == code) {
            Some((_, reasons)) => {
                reasons.push_str(", ");
                reasons.push_str(reason);
            }
            None => found.push((code, reason.to_owned())),
        }
    }
    found
}

fn key(class: &FailClass, code: i64) -> Text {
    format!("{}-{code}", class.name).into()
}

/// Creates an error. `message` lists the possible reasons; a response has one. `event` reports the same failure.
fn error(code: i64, message: &str, event: Option<&Text>) -> Value {
    let mut entries = vec![("code".into(), code.into()), ("message".into(), message.into())];
    if let Some(event) = event {
        entries.push(("data".into(), object([("event", event.clone().into())])));
    }
    Value::Map(entries)
}
