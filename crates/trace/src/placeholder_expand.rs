//! Expansion of placeholders to stand-ins before a replay.
//!
//! Stand-ins need no escapes, so placeholders are expanded in place at any depth of JSON texts. Only base64 needs extra
//! work: `<base64 …>` contains the text to encode.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use rtm::value::{Text, Value};

use crate::placeholder::Placeholder;

/// Member with base64 data.
pub(super) const RAW: &str = "rawMessage";
const BASE64: &str = "<base64 ";

/// Wraps text that must be base64-encoded.
pub(super) fn as_base64(inner: &str) -> String {
    format!("{BASE64}{inner}>")
}

/// Returns the text that must be base64-encoded.
pub(super) fn in_base64(text: &str) -> Option<&str> {
    text.strip_prefix(BASE64)?.strip_suffix('>')
}

/// Returns true for JSON text whose values have the same placeholders as the text itself: no escaped code point can be a
/// part of one, and no text has to be encoded.
pub fn is_plain_json(text: &str) -> bool {
    let text = text.as_bytes();
    memmem::find(text, b"\\u").is_none() && memmem::find(text, BASE64.as_bytes()).is_none()
}

/// The expansion exceeds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpansionLimitExceeded;

/// Expands a text to at most `room` bytes; `None` without placeholders.
pub fn text(text: &str, room: usize) -> Result<Cow<'_, str>, ExpansionLimitExceeded> {
    let mut out = String::new();
    let mut rest = text;
    let mut done = 0;
    while let Some(at) = rest.find('<') {
        let Some((placeholder, after)) = Placeholder::parse(&rest[at..]) else {
            rest = &rest[at + 1..];
            continue;
        };
        let here = text.len() - rest.len() + at;
        if done == 0 {
            out.reserve(text.len() + placeholder.len);
        }
        out.push_str(&text[done..here]);
        if out.len() + placeholder.len > room {
            return Err(ExpansionLimitExceeded);
        }
        placeholder.write_stand_in(&mut out);
        rest = after;
        done = text.len() - after.len();
    }
    if done == 0 {
        return Ok(Cow::Borrowed(text));
    }
    out.push_str(&text[done..]);
    Ok(Cow::Owned(out))
}

/// Returns the length of a placeholder minus the length of its stand-in.
pub(super) fn excess(written: &str) -> isize {
    let mut excess = 0;
    let mut rest = written;
    while let Some(at) = rest.find('<') {
        match Placeholder::parse(&rest[at..]) {
            Some((placeholder, after)) => {
                excess += (rest.len() - at - after.len()) as isize - placeholder.len as isize;
                rest = after;
            }
            None => rest = &rest[at + 1..],
        }
    }
    excess
}

/// Expands a value with at most `room` bytes of text.
pub fn value(of: &mut Value, room: &mut usize) -> Result<(), ExpansionLimitExceeded> {
    match of {
        Value::Text(written) => expand(written, room)?,
        Value::List(items) => items.iter_mut().try_for_each(|item| value(item, room))?,
        Value::Map(entries) => {
            for (key, member) in entries {
                expand(key, room)?;
                match member {
                    Value::Text(written) if &**key == RAW => encode(written, room)?,
                    other => value(other, room)?,
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn expand(written: &mut Text, room: &mut usize) -> Result<(), ExpansionLimitExceeded> {
    if let Cow::Owned(expanded) = text(written, *room)? {
        *room = room.saturating_sub(expanded.len());
        *written = expanded.into();
    }
    Ok(())
}

fn encode(written: &mut Text, room: &mut usize) -> Result<(), ExpansionLimitExceeded> {
    let Some(inner) = in_base64(written) else {
        return Ok(());
    };
    let encoded = STANDARD.encode(&*text(inner, *room)?);
    *room = room.saturating_sub(encoded.len());
    *written = encoded.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: &str) {
        assert_eq!(text(written, 100).as_deref(), Ok(expected), "{written}");
        let longer = written.len() as isize - expected.len() as isize;
        assert_eq!(excess(written), longer, "{written}");
    }

    #[test]
    fn placeholders_are_expanded_where_they_stand() {
        check("", "");
        check("a < b", "a < b");
        check("<account:1 len=3>", "a1.");
        check("<<account:1 len=3>> <x", "<a1.> <x");
        check(r#"{"a":"<text:2 len=4>"}"#, r#"{"a":"t2.."}"#);
        check("<text:1 len=2><text:2 len=2>é", "t1t2é");
        assert_eq!(text("<text:1 len=101>", 100), Err(ExpansionLimitExceeded));
    }

    #[test]
    fn bytes_are_encoded() {
        let json = |text: &str| Value::from_json(text).expect("JSON");
        let mut raw = json(r#"{"rawMessage":"<base64 x<text:1 len=2>>","<id:3 len=3>":["<base64 x>"]}"#);
        value(&mut raw, &mut 100).expect("room");
        assert_eq!(raw, json(r#"{"rawMessage":"eHQx","i3.":["<base64 x>"]}"#));
    }
}
