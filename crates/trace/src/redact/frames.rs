//! Redaction of frames from and to legacy clients.

use rtm::value::{Text, Value};
use tables::coerce::flag;
use tables::profile::Transport;
use tables::ty::SigType;
use tables::wire::{Function, RowCall, Target, Wire, WireArg, WirePart};

use crate::placeholder::{Class, Placeholder};
use crate::redact::Redactor;
use crate::redact::allowlist;
use crate::redact::allowlist::TOKEN;
use crate::redact::texts::{Json, word};

impl Redactor {
    /// Redacts a frame from a client.
    pub(super) fn input(&mut self, session: u64, frame: &str) -> Option<String> {
        let Some(client_wire) = self.client_wires.get(&session).cloned() else {
            return self.input_json(&Wire::nothing(), frame);
        };
        match client_wire.transport {
            Transport::Tcp => self.input_line(&client_wire.wire, frame),
            Transport::WebSocket => self.input_json(&client_wire.wire, frame),
            Transport::Api => self.input_rpc(&client_wire.wire, frame),
        }
    }

    fn input_json(&mut self, wire: &Wire, frame: &str) -> Option<String> {
        let Ok(Value::List(mut items)) = Value::from_json(frame) else {
            return self.replace(frame, Class::Text);
        };
        let [Value::Text(name), arg] = &mut items[..] else {
            items.iter_mut().for_each(|item| self.scrub(item));
            return Some(Value::List(items).to_json());
        };
        match (&**name, arg) {
            ("login", Value::Map(fields)) => self.login(wire, fields),
            ("call2", Value::List(call)) => {
                match &mut call[..] {
                    [Value::Text(function), _, args @ Value::Map(_)] => self.call(wire, function, args),
                    // Function names are not secret.
                    [Value::Text(_), Value::Int(_), args] => self.scrub(args),
                    other => other.iter_mut().for_each(|item| self.scrub(item)),
                }
            }
            (_, arg) => self.scrub(arg),
        }
        Some(Value::List(items).to_json())
    }

    fn input_line(&mut self, wire: &Wire, frame: &str) -> Option<String> {
        let (name, rest) = frame.split_once(' ').unwrap_or((frame, ""));
        let words = if name == "call" { 3 } else { 0 };
        match name {
            "login" | "channel_sub" | "call" => {
                let json = rest.splitn(words + 1, ' ').nth(words).unwrap_or_default();
                let head = &frame[..frame.len() - json.len()];
                let Ok(mut args @ Value::Map(_)) = Value::from_json(json) else {
                    return self.replace(frame, Class::Text);
                };
                match (name, &mut args) {
                    ("login", Value::Map(fields)) => self.login(wire, fields),
                    ("channel_sub", Value::Map(fields)) => self.channel_sub(fields),
                    _ => {
                        let function: Text = rest.split(' ').next().unwrap_or_default().into();
                        self.call(wire, &function, &mut args);
                    }
                }
                Some(format!("{head}{args}"))
            }
            "line_login2" | "line_login3" => {
                let (line, tail) = word(rest);
                let line = self.replace(line, Class::Line).unwrap_or_else(|| line.into());
                let known = tail.bytes().all(|b| b.is_ascii_digit() || b == b' ');
                let new = if known { None } else { self.replace(tail, Class::Text) };
                let tail = new.as_deref().unwrap_or(tail);
                let between = if tail.is_empty() { "" } else { " " };
                Some(format!("{name} {line}{between}{tail}"))
            }
            _ if name.starts_with("line_ping:") && rest.is_empty() => None,
            _ => self.replace(frame, Class::Text),
        }
    }

    /// Redacts a frame to a client.
    pub(super) fn output(&mut self, frame: &str) -> Option<String> {
        if frame.starts_with(['[', '{']) {
            return Some(self.json(frame, Json::Own, 0));
        }
        let behind = |words: usize| frame.splitn(words + 1, ' ').nth(words).unwrap_or_default();
        let (first, rest) = frame.split_once(' ').unwrap_or((frame, ""));
        let tail = match first {
            "call_ret" => behind(4),
            "login_res" => return self.login_res(frame),
            "notify" if rest.starts_with("recvmsg ") => behind(2),
            "notify" if rest.starts_with("channel2 ") => behind(3),
            // Other parts are words and numbers.
            "notify" | "line_login_res" => return None,
            _ if first.starts_with("line_pong:") => return None,
            _ => frame,
        };
        let head = &frame[..frame.len() - tail.len()];
        let new = if tail.starts_with(['[', '{']) {
            self.json(tail, Json::Own, 0)
        } else {
            self.echo(tail)?
        };
        Some(format!("{head}{new}"))
    }

    /// The format counts words, so the JSON has no spaces; only placeholders do.
    fn login_res(&mut self, frame: &str) -> Option<String> {
        let (head, json) = frame.split_at(frame.find('{')?);
        let json = self.json(json, Json::Own, 0);
        let mut out = String::from(head);
        let mut rest = &*json;
        while let Some(first) = rest.chars().next() {
            if let Some((placeholder, after)) = Placeholder::parse(rest) {
                out.push_str(&placeholder.to_string());
                rest = after;
                continue;
            }
            match first {
                ' ' => out.push_str("\\u0020"),
                other => out.push(other),
            }
            rest = &rest[first.len_utf8()..];
        }
        Some(out)
    }

    fn login(&mut self, wire: &Wire, fields: &mut [(Text, Value)]) {
        let login = &wire.login;
        let row = match &login.target {
            Target::Row(row) => Some(row),
            Target::Local(_) | Target::Invoke(_) => None,
        };
        for (key, value) in fields {
            let arg = row.and_then(|row| arg_of(row, key)).map(|arg| &*arg.name);
            match arg {
                Some("token") => *value = TOKEN.into(),
                Some("appId") => self.named(value, Class::App),
                Some("account") => self.named(value, Class::Account),
                _ if is_token(key) => *value = TOKEN.into(),
                _ if is_constant(login, key, value) => {}
                _ => match value {
                    Value::Text(_) => self.named(value, Class::Client),
                    Value::List(_) | Value::Map(_) => self.scrub(value),
                    Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => {}
                },
            }
        }
    }

    fn channel_sub(&mut self, fields: &mut [(Text, Value)]) {
        for (key, value) in fields {
            match &**key {
                "cname" => self.named(value, Class::Channel),
                "vid" => self.named(value, Class::App),
                "cid" | "msgid" if is_number(value) => {}
                _ => self.unknown(key, value),
            }
        }
    }

    /// Redacts the arguments of a function, by the tables.
    pub(super) fn call(&mut self, wire: &Wire, function: &str, args: &mut Value) {
        let found = wire.find(function, args).map(|(_, function)| function);
        let row = match found.map(|function| &function.target) {
            Some(Target::Row(row)) => Some(row),
            _ => None,
        };
        let name = args.get("name").and_then(Value::as_text);
        let counted = name.is_some_and(|name| allowlist::is_built_in(name));
        let Value::Map(entries) = args else { return };
        for (key, value) in entries {
            let arg = row.and_then(|row| arg_of(row, key));
            if &**key == "line" {
                self.named(value, Class::Line);
            } else if let Some(arg) = arg {
                self.arg(arg, value, counted);
            } else if !found.is_some_and(|function| is_constant(function, key, value)) {
                self.unknown(key, value);
            }
        }
    }

    fn arg(&mut self, arg: &WireArg, value: &mut Value, counted: bool) {
        if let WirePart::After(prefix) = &arg.part
            && let Value::Text(text) = &*value
            && let Some(rest) = text.strip_prefix(&**prefix)
        {
            let new = if rest.parse::<i64>().is_ok() {
                None
            } else {
                self.replace(rest, Class::Text)
            };
            if let Some(new) = new {
                *value = Value::Text(format!("{prefix}{new}").into());
            }
            return;
        }
        match arg.part {
            WirePart::Complete => self.typed(arg.ty, value, counted),
            WirePart::Json(_) | WirePart::After(_) => self.typed(SigType::Text, value, false),
        }
    }

    /// Redacts a value of a documented type. `counted`: the value of an attribute whose number the engine interprets.
    pub(super) fn typed(&mut self, ty: SigType, value: &mut Value, counted: bool) {
        match ty {
            SigType::Account => self.named(value, Class::Account),
            SigType::Channel => self.named(value, Class::Channel),
            SigType::Digits => self.named(value, Class::Text),
            SigType::Value if counted && is_number(value) => {}
            SigType::Text | SigType::Json | SigType::Value => self.body(value),
            SigType::Key => {
                if matches!(value, Value::List(_) | Value::Map(_)) {
                    self.scrub(value);
                } else {
                    self.dictionary.is_attribute(&value.clone().into_text());
                }
            }
            SigType::Int | SigType::Seconds | SigType::Flag => {
                if !is_number(value) {
                    self.scrub(value);
                }
            }
            SigType::Accounts | SigType::Ints => {
                if let Value::List(items) = value {
                    let each = if ty == SigType::Accounts {
                        SigType::Account
                    } else {
                        SigType::Int
                    };
                    items.iter_mut().for_each(|item| self.typed(each, item, false));
                } else {
                    self.scrub(value);
                }
            }
        }
    }

    /// Redacts a name, also in number form; other values are kept.
    pub(super) fn named(&mut self, value: &mut Value, class: Class) {
        match value {
            Value::Null => {}
            Value::List(_) | Value::Map(_) => self.scrub(value),
            _ => self.text(value, class),
        }
    }

    /// Redacts a body; a non-text value as its JSON.
    pub(super) fn body(&mut self, value: &mut Value) {
        if !value.is_null() {
            self.text(value, Class::Text);
        }
    }

    fn text(&mut self, value: &mut Value, class: Class) {
        let text = value.clone().into_text();
        // A kept number stays a number.
        if let Some(new) = self.replace(&text, class) {
            *value = Value::Text(new.into());
        }
    }

    /// Redacts an argument unknown to the tables.
    fn unknown(&mut self, key: &str, value: &mut Value) {
        if is_token(key) {
            *value = TOKEN.into();
        } else {
            self.scrub(value);
        }
    }

    /// Redacts an untyped value: texts and longer numbers.
    pub(super) fn scrub(&mut self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Int(-9_999..=9_999) => {}
            Value::Int(_) | Value::Number(_) | Value::Text(_) => self.text(value, Class::Text),
            Value::List(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::Map(entries) => {
                for (key, member) in entries {
                    self.unknown(key, member);
                }
            }
        }
    }
}

pub(super) fn arg_of<'r>(row: &'r RowCall, key: &str) -> Option<&'r WireArg> {
    row.args.iter().find(|arg| arg.wire.as_deref() == Some(key))
}

/// Returns true for a value set by the SDK: the one in the tables, or another number.
fn is_constant(function: &Function, key: &str, value: &Value) -> bool {
    let fixed = function.constants.iter().chain(&function.when);
    let mut of_key = fixed.filter(|(name, _)| &**name == key).map(|(_, value)| value);
    of_key.any(|known| match known {
        // A function may be selected by a boolean, in any form.
        Value::Bool(_) => flag(value).is_some(),
        Value::Int(_) => is_number(value),
        known => known == value,
    })
}

pub(super) fn is_token(key: &str) -> bool {
    key.to_ascii_lowercase().contains("token")
}

fn is_number(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => true,
        Value::Text(text) => text.is_empty() || allowlist::is_plain_number(text),
        Value::List(_) | Value::Map(_) => false,
    }
}
