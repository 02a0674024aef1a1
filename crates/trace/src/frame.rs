//! Legacy frame as one value for any transport. Nested texts are decoded, so that their parts can be compared and
//! counted (signaling-wire 2, 5, 10).

use rtm::value::Value;

/// Maximum nesting of decoded texts.
const DEPTH: usize = 6;

/// Decodes a frame. WebSocket frames are arrays, JSON-RPC frames objects or arrays of them. TCP lines become arrays of
/// words, the last of which is often JSON.
pub(super) fn opened(frame: &str) -> Value {
    match Value::from_json(frame) {
        Ok(frame @ (Value::List(_) | Value::Map(_))) => open(frame, DEPTH),
        _ => words(frame, DEPTH),
    }
}

/// Returns record data with its frame decoded.
pub(super) fn opened_data(data: &Value) -> Value {
    let Value::Map(entries) = data else {
        return data.clone();
    };
    let entries = entries.iter().map(|(name, value)| match (&**name, value) {
        ("frame", Value::Text(frame)) => (name.clone(), opened(frame)),
        _ => (name.clone(), value.clone()),
    });
    Value::Map(entries.collect())
}

/// Decodes the texts of a value.
fn open(value: Value, depth: usize) -> Value {
    let Some(deeper) = depth.checked_sub(1) else {
        return value;
    };
    match value {
        Value::List(items) => Value::List(items.into_iter().map(|item| open(item, depth)).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, item)| (key, open(item, depth)))
                .collect(),
        ),
        Value::Text(text) => {
            if let Some(line) = line(&text, deeper) {
                return line;
            }
            if text.starts_with("notify ") {
                return words(&text, deeper);
            }
            match json(&text) {
                Some(inner) => Value::Map(vec![("json".into(), open(inner, deeper))]),
                None => Value::Text(text),
            }
        }
        other => other,
    }
}

/// Parses an object or array; other JSON, such as numbers, stays text.
fn json(text: &str) -> Option<Value> {
    let begins = text.starts_with(['{', '[']);
    begins.then(|| Value::from_json(text).ok()).flatten()
}

/// Parses a message line: `msg-v2 <src> <dst> <flag> <type> <time> <content>` (signaling-wire 5).
fn line(text: &str, depth: usize) -> Option<Value> {
    let mut words = text.splitn(7, ' ');
    if words.next()? != "msg-v2" {
        return None;
    }
    let mut entries = Vec::with_capacity(6);
    for name in ["src", "dst", "flag", "type", "time"] {
        entries.push((name.into(), words.next()?.into()));
    }
    entries.push(("content".into(), open(words.next()?.into(), depth)));
    Some(Value::Map(vec![("line".into(), Value::Map(entries))]))
}

/// Splits words at single spaces, with a trailing line or JSON (signaling-wire 10).
fn words(text: &str, depth: usize) -> Value {
    let mut items = Vec::new();
    let mut rest = text;
    loop {
        if let Some(line) = line(rest, depth) {
            items.push(line);
            break;
        }
        if let Some(inner) = json(rest) {
            items.push(open(Value::Map(vec![("json".into(), inner)]), depth));
            break;
        }
        let Some((word, after)) = rest.split_once(' ') else {
            items.push(rest.into());
            break;
        };
        items.push(word.into());
        rest = after;
    }
    Value::List(items)
}

/// Returns the JSON of a decoded text.
pub(super) fn inner(value: &Value) -> Option<&Value> {
    value.get("json")
}

/// Finds every message line, with its version if one precedes it.
pub(super) fn lines(value: &Value, found: &mut dyn FnMut(Option<i64>, &Value)) {
    match value {
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                match item.get("line") {
                    Some(line @ Value::Map(_)) => {
                        // Only mailbox entries have the form `[version, line]`.
                        let version = (items.len() == 2 && at == 1).then(|| items[0].as_int()).flatten();
                        found(version, line);
                    }
                    _ => lines(item, found),
                }
            }
        }
        Value::Map(entries) => entries.iter().for_each(|(_, item)| lines(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frame: &str, expected: &str) {
        assert_eq!(opened(frame).to_json(), expected, "{frame}");
    }

    #[test]
    fn text_inside_of_text_is_opened() {
        check(
            r#"["call2-ret",[3,"","{\"result\":\"ok\"}"]]"#,
            r#"["call2-ret",[3,"",{"json":{"result":"ok"}}]]"#,
        );
        let line = r#"{"line":{"src":"a","dst":"b","flag":"f","type":"instant","time":"5","content":"hi ho"}}"#;
        check(
            r#"["notify","notify recvmsg [1,\"msg-v2 a b f instant 5 hi ho\"]"]"#,
            &format!(r#"["notify",["notify","recvmsg",{{"json":[1,{line}]}}]]"#),
        );
        check(
            "notify channel2 3 msg-v2 a b f instant 5 hi ho",
            &format!(r#"["notify","channel2","3",{line}]"#),
        );
        check(
            r#"call_ret f 7 0 {"a":"[1]"}"#,
            r#"["call_ret","f","7","0",{"json":{"a":{"json":[1]}}}]"#,
        );
        check(r#"["close",""]"#, r#"["close",""]"#);
        check(r#"{"id":1,"result":"[2]"}"#, r#"{"id":1,"result":{"json":[2]}}"#);
        check("", r#"[""]"#);
        check(r#"["a","{\"b"]"#, r#"["a","{\"b"]"#);
        check("msg-v2 a b", r#"["msg-v2","a","b"]"#);
    }

    #[test]
    fn opening_ends() {
        let mut text = String::from("1");
        for _ in 0..12 {
            text = Value::List(vec![text.as_str().into()]).to_json();
        }
        assert_eq!(opened(&text).to_json().matches("json").count(), DEPTH);
    }

    #[test]
    fn lines_are_found_with_their_versions() {
        let check = |frame: &str, expected: &[(Option<i64>, &str)]| {
            let mut got = Vec::new();
            lines(&opened(frame), &mut |version, line| {
                got.push((version, line.get("type").and_then(Value::as_text).cloned()));
            });
            let got: Vec<_> = got.iter().map(|(v, t)| (*v, t.as_deref().unwrap_or(""))).collect();
            assert_eq!(got, expected, "{frame}");
        };
        check(
            r#"["call2-ret",[1,"","{\"msgs\":[[4,\"msg-v2 a b f x 5 c\"],[5,\"msg-v2 a b f y 5 c\"]]}"]]"#,
            &[(Some(4), "x"), (Some(5), "y")],
        );
        check(r#"["notify",["channel2",1,2,"msg-v2 a b f x 5 c"]]"#, &[(None, "x")]);
        check(r#"["close",""]"#, &[]);
    }
}
