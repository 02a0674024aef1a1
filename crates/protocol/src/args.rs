//! Arguments of a call: from wire names and any JSON to a row's typed values.

use identity::{Account, ChannelName, is_lossless};
use rtm::json::shared_texts;
use rtm::value::{Text, Value};
use tables::coerce::typed;
use tables::reason::Reason;
use tables::ty::SigType;
use tables::wire::{RowCall, WireArg, WirePart};

/// Largest text argument, bytes: messages and `extra` (signaling-api 5.1).
pub const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Longest attribute name, bytes.
pub const MAX_KEY_BYTES: usize = 128;
/// Largest attribute value, bytes.
pub const MAX_VALUE_BYTES: usize = 8_096;

/// Reads the arguments of a call, in the order of the row.
///
/// Clients send other JSON where text is documented (signaling-wire 14): numbers as accounts,
/// objects as messages. Such values are converted to text.
///
/// # Errors
/// The reason for the refusal.
pub fn read_args(call: &RowCall, args: &Value) -> Result<Vec<Value>, Reason> {
    if args.as_map().is_none() {
        return Err(Reason::WrongParam);
    }
    let mut values = Vec::with_capacity(call.slots);
    for arg in &call.args {
        values.push(match &arg.wire {
            Some(name) => read(arg.ty, part(&arg.part, args.get(name).cloned().unwrap_or_default()))?,
            // A text argument that this wire lacks is empty, as if the client had omitted it.
            None => read(arg.ty, Value::Null).unwrap_or_default(),
        });
    }
    Ok(values)
}

/// Returns the valid arguments of a refused call, in the order of the row. The failure event uses
/// them.
pub fn readable_args(call: &RowCall, args: &Value) -> Vec<Value> {
    let read_one = |arg: &WireArg| {
        let value = args.get(arg.wire.as_ref()?).cloned()?;
        read(arg.ty, part(&arg.part, value)).ok()
    };
    call.args.iter().map(|arg| read_one(arg).unwrap_or_default()).collect()
}

/// Extracts a row's argument from a wire argument.
fn part(part: &WirePart, value: Value) -> Value {
    match part {
        WirePart::Complete => value,
        WirePart::Json(key) => {
            let json = Value::from_json(&value.into_text()).ok();
            json.and_then(|json| json.get(key).cloned()).unwrap_or_default()
        }
        WirePart::After(prefix) => {
            let text = value.into_text();
            text.strip_prefix(&**prefix)
                .filter(|rest| !rest.is_empty())
                .map_or(Value::Null, |rest| shared_texts::text(rest).into())
        }
    }
}

fn read(ty: SigType, value: Value) -> Result<Value, Reason> {
    match ty {
        SigType::Account => name(value, |text| is_lossless(&text) && Account::new(text).is_ok()),
        SigType::Channel => name(value, |text| ChannelName::new(text).is_ok()),
        SigType::Key => name(value, |text| !text.is_empty() && text.len() <= MAX_KEY_BYTES),
        SigType::Text | SigType::Json => text(value, MAX_TEXT_BYTES),
        SigType::Digits => name(value, |text| {
            (1..=MAX_KEY_BYTES).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || "*#".contains(c))
        }),
        SigType::Value => text(value, MAX_VALUE_BYTES),
        SigType::Int | SigType::Seconds | SigType::Flag if value.is_null() => Ok(Value::Null),
        _ => typed(value, ty).ok_or(Reason::WrongParam),
    }
}

/// Reads a name: text, or an unquoted number or boolean.
fn name(value: Value, legal: impl Fn(Text) -> bool) -> Result<Value, Reason> {
    let text = match value {
        Value::Text(text) => text,
        Value::Int(_) | Value::Number(_) | Value::Bool(_) => value.into_text(),
        Value::Null | Value::List(_) | Value::Map(_) => return Err(Reason::WrongParam),
    };
    if legal(text.clone()) {
        Ok(Value::Text(text))
    } else {
        Err(Reason::WrongParam)
    }
}

fn text(value: Value, max: usize) -> Result<Value, Reason> {
    let text = if value.is_null() {
        shared_texts::text("")
    } else {
        value.into_text()
    };
    if text.len() > max {
        Err(Reason::LargeParam)
    } else {
        Ok(Value::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: SigType, json: &str, expected: Result<&str, Reason>) {
        let value = Value::from_json(json).unwrap();
        let got = read(ty, value).map(|v| v.to_json());
        assert_eq!(got, expected.map(str::to_owned), "{ty:?} {json}");
    }

    #[test]
    fn arguments_are_converted_to_the_rows_types() {
        check(SigType::Account, r#""bob""#, Ok(r#""bob""#));
        check(SigType::Account, "42", Ok(r#""42""#));
        check(SigType::Account, "null", Err(Reason::WrongParam));
        check(SigType::Account, r#""""#, Err(Reason::WrongParam));
        check(SigType::Account, r#""a b""#, Err(Reason::WrongParam));
        check(SigType::Account, "{}", Err(Reason::WrongParam));
        check(
            SigType::Account,
            &format!("\"{}\"", "x".repeat(129)),
            Err(Reason::WrongParam),
        );
        check(SigType::Channel, r#""a room""#, Err(Reason::WrongParam));
        check(SigType::Text, r#"{"type":1}"#, Ok(r#""{\"type\":1}""#));
        check(SigType::Text, "null", Ok(r#""""#));
        check(
            SigType::Text,
            &format!("\"{}\"", "x".repeat(8_193)),
            Err(Reason::LargeParam),
        );
        check(SigType::Key, r#""""#, Err(Reason::WrongParam));
        check(SigType::Value, "7", Ok(r#""7""#));
        check(
            SigType::Value,
            &format!("\"{}\"", "x".repeat(8_097)),
            Err(Reason::LargeParam),
        );
        check(SigType::Int, r#""x""#, Err(Reason::WrongParam));
        check(SigType::Int, "null", Ok("null"));
        check(SigType::Flag, "1", Ok("true"));
    }
}
