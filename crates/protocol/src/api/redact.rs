//! Removal of tokens from API requests before they are recorded.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use rtm::json;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::wire::{RowCall, Target, Wire};

use crate::api::rpc::MAX_BATCH;
use crate::frame::NO_TOKEN;

/// Depth of the replacement for params that are nested too deeply to read.
const DEEP: usize = 200;

/// Returns a text without tokens, with the same responses and frames.
pub fn without_tokens(tables: &Tables, wire: &Wire, text: &str) -> String {
    let blank = Blank { tables, wire };
    let text = json::paired(text);
    let Ok(whole) = serde_json::from_str::<&RawValue>(&text) else {
        // Every text that is not JSON has the same response.
        return "not JSON".into();
    };
    if !whole.get().starts_with('[') {
        return blank.request(whole.get());
    }
    match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(items) if items.len() <= MAX_BATCH => {
            let items: Vec<String> = items.into_iter().map(|item| blank.request(item.get())).collect();
            format!("[{}]", items.join(","))
        }
        // Refused as a whole.
        _ => format!("[{}]", vec!["0"; MAX_BATCH + 1].join(",")),
    }
}

struct Blank<'b> {
    tables: &'b Tables,
    wire: &'b Wire,
}

impl Blank<'_> {
    fn request(&self, raw: &str) -> String {
        let members = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(raw);
        let Ok(members) = members else { return "0".into() };
        let method = members
            .get("method")
            .map(|raw| serde_json::from_str::<String>(raw.get()));
        let params = members.get("params").map(|raw| Value::from_json(raw.get()));
        let (Some(Ok(method)), Some(params)) = (method, params) else {
            // The other members are ignored.
            return composed(&members, None);
        };
        let login = match &self.wire.login.target {
            Target::Row(login) => login,
            _ => return raw.into(),
        };
        let params = match (
            self.wire.find(&method, &Value::Null).map(|(_, found)| &found.target),
            params,
        ) {
            (_, Err(_)) => "[".repeat(DEEP) + &"]".repeat(DEEP),
            (Some(Target::Row(call)), Ok(params)) if call.row == login.row => self.login_params(call, params).to_json(),
            (Some(Target::Invoke(_)), Ok(params)) if names_login(self.wire, login, &params) => {
                invoked_login(params).to_json()
            }
            _ => return raw.into(),
        };
        composed(&members, Some(&params))
    }

    /// Removes the token at its documented position, or anywhere in params that are refused.
    fn login_params(&self, call: &RowCall, params: Value) -> Value {
        let args = &self.tables.signatures[call.sig].args;
        let is_token = |name: &Text| &**name == "token" || args.iter().all(|(arg, _)| arg != name);
        match params {
            Value::List(values) => {
                let too_many = values.len() > args.len();
                let hide = |(at, value): (usize, Value)| {
                    let hidden = too_many || args.get(at).is_none_or(|(name, _)| is_token(name));
                    if hidden { NO_TOKEN.into() } else { value }
                };
                Value::List(values.into_iter().enumerate().map(hide).collect())
            }
            Value::Map(entries) => {
                let hide = |(name, value): (Text, Value)| {
                    let value = if is_token(&name) { NO_TOKEN.into() } else { value };
                    (name, value)
                };
                Value::Map(entries.into_iter().map(hide).collect())
            }
            Value::Null => Value::Null,
            _ => Value::Int(0),
        }
    }
}

/// Returns true if a param names the login function.
fn names_login(wire: &Wire, login: &RowCall, params: &Value) -> bool {
    let is_login = |value: &Value| {
        let name = value.as_text().and_then(|name| name.rsplit('.').next());
        let found = name.and_then(|name| wire.find(name, &Value::Null));
        matches!(found.map(|(_, found)| &found.target), Some(Target::Row(call)) if call.row == login.row)
    };
    match params {
        Value::List(values) => values.iter().any(is_login),
        Value::Map(entries) => entries.iter().any(|(_, value)| is_login(value)),
        _ => false,
    }
}

/// Replaces the arguments. They are ignored: a second login is refused.
fn invoked_login(params: Value) -> Value {
    let short = |value: Value| match value {
        Value::List(_) | Value::Map(_) => Value::Map(Vec::new()),
        Value::Text(text) if Value::from_json(&text).is_ok() => "{}".into(),
        other => other,
    };
    match params {
        Value::List(values) => Value::List(values.into_iter().map(short).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, value)| (name, short(value))).collect()),
        other => other,
    }
}

/// Returns a request with its original members and other params.
fn composed(members: &HashMap<Cow<'_, str>, &RawValue>, params: Option<&str>) -> String {
    let known = ["jsonrpc", "id", "method"].into_iter();
    let known = known.filter_map(|name| Some((name, members.get(name)?.get())));
    let members: Vec<String> = known
        .chain(params.map(|params| ("params", params)))
        .map(|(name, json)| format!("\"{name}\":{json}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::ApiDecoder;
    use tables::profile::Transport;

    fn check(request: &str, expected: &str) {
        let tables = Arc::new(Tables::built_in().unwrap());
        let profile = tables.profiles.iter().find(|p| p.transport == Transport::Api).unwrap();
        let wire = tables.wire(&profile.family).unwrap();
        let got = without_tokens(&tables, wire, request);
        assert_eq!(got, expected, "{request}");
        assert!(!got.contains("SECRET"), "{got}");
        let answer = |text: &str| ApiDecoder::new(&tables).decode(text).answer;
        assert_eq!(answer(request), answer(&got), "{request}");
    }

    #[test]
    fn only_tokens_are_removed() {
        let req = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1e3,"method":"login2","params":{params}}}"#);
        let login = |given: &str, kept: &str| check(&req(given), &req(kept));
        login(r#"["app","al","SECRET",0]"#, r#"["app","al","<token>",0]"#);
        login(
            r#"{"token":"SECRET","account":"al"}"#,
            r#"{"token":"<token>","account":"al"}"#,
        );
        login(
            r#"{"tokn":"SECRET","account":"al"}"#,
            r#"{"tokn":"<token>","account":"al"}"#,
        );
        login(
            r#"[1,2,3,4,5,6,7,"SECRET"]"#,
            &format!("[{}\"<token>\"]", "\"<token>\",".repeat(7)),
        );
        login(r#""SECRET""#, "0");
        let deep = format!("{}\"SECRET\"{}", "[".repeat(300), "]".repeat(300));
        login(&deep, &("[".repeat(200) + &"]".repeat(200)));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"login2","par"#, "not JSON");
        check("{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"jsonrpc\":\"2.0\",\"id\":1}");
        check(r#"{"jsonrpc":"1.0","params":["SECRET"]}"#, r#"{"jsonrpc":"1.0"}"#);
        let other = r#"{"jsonrpc":"2.0","id":1,"method":"getStatus","params":[], "more":2}"#;
        check(other, other);
        check(
            &format!("[{}, {other}, \"SECRET\"]", req(r#"["app","al","SECRET"]"#)),
            &format!("[{},{other},0]", req(r#"["app","al","<token>"]"#)),
        );
        check(
            &format!("[{}]", vec!["\"SECRET\""; 40].join(",")),
            &format!("[{}]", vec!["0"; 33].join(",")),
        );
        let invoked = |args: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"invoke","params":["io.agora.signal.login2",{args},7]}}"#)
        };
        check(&invoked(r#"{"token":"SECRET"}"#), &invoked("{}"));
        check(&invoked(r#""{\"token\":\"SECRET\"}""#), &invoked("\"{}\""));
    }
}
