//! Differences between two values, by path.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use rtm::value::Value;

/// Difference at a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Path from the record's data: `.frame[1][2].json.uid`.
    pub path: String,
    pub expected: Option<Value>,
    pub got: Option<Value>,
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_json);
        write!(f, "{}: {} / {}", self.path, value(&self.expected), value(&self.got))
    }
}

/// Returns all differences, outermost first.
pub(crate) fn changes(expected: &Value, got: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    walk(Some(expected), Some(got), String::new(), &mut found);
    found
}

fn walk(expected: Option<&Value>, got: Option<&Value>, path: String, found: &mut Vec<Change>) {
    match (expected, got) {
        (expected, got) if expected == got => {}
        (Some(Value::Map(a)), Some(Value::Map(b))) => {
            let added = b.iter().filter(|(key, _)| a.iter().all(|(known, _)| known != key));
            for (key, _) in a.iter().chain(added) {
                let of = |entries: &'_ [_]| position(entries, key);
                walk(
                    of(a).map(|at| &a[at].1),
                    of(b).map(|at| &b[at].1),
                    format!("{path}.{key}"),
                    found,
                );
            }
        }
        (Some(Value::List(a)), Some(Value::List(b))) => {
            for at in 0..a.len().max(b.len()) {
                walk(a.get(at), b.get(at), format!("{path}[{at}]"), found);
            }
        }
        (expected, got) => found.push(Change {
            path,
            expected: expected.cloned(),
            got: got.cloned(),
        }),
    }
}

fn position(entries: &[(rtm::value::Text, Value)], key: &str) -> Option<usize> {
    entries.iter().position(|(known, _)| &**known == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, got: &str, paths: &[&str]) {
        let value = |text| Value::from_json(text).expect("JSON");
        let found = changes(&value(expected), &value(got));
        let shown = found.iter().map(|change| {
            let show = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_json);
            format!("{} {} {}", change.path, show(&change.expected), show(&change.got))
        });
        assert_eq!(shown.collect::<Vec<_>>(), paths, "{expected} {got}");
    }

    #[test]
    fn places_that_differ() {
        check("1", "1", &[]);
        check(r#"{"a":[1,{"b":2}]}"#, r#"{"a":[1,{"b":3}]}"#, &[".a[1].b 2 3"]);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"c":3}"#, &[".a 1 -", ".c - 3"]);
        check("[1]", "[1,2]", &["[1] - 2"]);
        check("[1]", r#"{"a":1}"#, &[r#" [1] {"a":1}"#]);
    }
}
