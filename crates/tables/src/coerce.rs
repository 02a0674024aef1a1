//! Values that rows read from their arguments, also from JSON text inside them.

use rtm::value::{Text, Value};

use crate::row::{Let, LetDefault};
use crate::ty::SigType;

impl Let {
    /// Returns the value, given that of `from`: typed, with its default and its bounds.
    ///
    /// Text that is not JSON, or has no such key of that type, gives the default: apps put any text
    /// into `extra`.
    pub fn compute(&self, from: Value, invite_timeout_secs: i64, own: &Text) -> Value {
        let found = match &self.json {
            None => Some(from),
            Some(key) => Value::from_json(&from.into_text())
                .ok()
                .and_then(|json| json.get(key).cloned()),
        };
        let typed = found.and_then(|value| typed(value, self.ty));
        let typed = typed.filter(|value| !self.positive || value.as_int().is_some_and(|n| n > 0));
        let value = typed.unwrap_or_else(|| match &self.otherwise {
            LetDefault::Value(value) => value.clone(),
            LetDefault::InviteTimeout => Value::Int(invite_timeout_secs),
            LetDefault::OwnAccount => own.clone().into(),
        });
        match (value, self.clamp) {
            (Value::Int(n), Some((low, high))) => Value::Int(n.clamp(low, high)),
            (value, _) => value,
        }
    }
}

/// Returns a value in the form of its type; `None` if it does not have that type.
pub fn typed(value: Value, ty: SigType) -> Option<Value> {
    match ty {
        SigType::Flag => flag(&value).map(Value::Bool),
        SigType::Int | SigType::Seconds => int(&value).map(Value::Int),
        _ if value.is_null() => None,
        SigType::Accounts | SigType::Ints => value.as_list().is_some().then_some(value),
        _ => Some(Value::Text(value.into_text())),
    }
}

/// Returns the boolean of a value: the JSON of some clients has 1 for true, that of others 1.0 or
/// text.
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Int(n) => Some(*n != 0),
        Value::Number(x) => Some(x.as_f64().is_none_or(|x| x != 0.0)),
        Value::Text(text) => match &**text {
            "1" | "true" => Some(true),
            "0" | "false" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        Value::Number(x) => x.as_f64().map(|x| x.trunc() as i64),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Bool(b) => Some(i64::from(*b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_accept_numbers_booleans_and_text() {
        let check = |json: &str, expected: Option<bool>| {
            let value = Value::from_json(json).unwrap();
            assert_eq!(typed(value, SigType::Flag), expected.map(Value::Bool), "{json}");
        };
        for json in ["true", "1", "1.0", "2", "-1", "0.5", "1e2", r#""1""#, r#""true""#] {
            check(json, Some(true));
        }
        for json in ["false", "0", "0.0", "-0.0", r#""0""#, r#""false""#, r#""""#] {
            check(json, Some(false));
        }
        for json in ["null", "[]", "{}", r#""yes""#] {
            check(json, None);
        }
    }
}
