//! Redaction of JSON-RPC texts of the documented API, by signature.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use rtm::json;
use rtm::value::{Text, Value};
use tables::ty::SigType;
use tables::wire::{Target, Wire};

use crate::placeholder::Class;
use crate::redact::Redactor;
use crate::redact::allowlist::TOKEN;
use crate::redact::json::{quoted, unquoted};

/// Replacement of params that are nested too deeply to be parsed.
const DEEP: usize = 200;

impl Redactor {
    pub(super) fn input_rpc(&mut self, wire: &Wire, text: &str) -> Option<String> {
        let paired = json::paired(text);
        let Ok(whole) = serde_json::from_str::<&RawValue>(&paired) else {
            return self.replace(text, Class::Text);
        };
        if !whole.get().starts_with('[') {
            return Some(self.request(wire, whole.get()));
        }
        let items: Vec<&RawValue> = serde_json::from_str(whole.get()).unwrap_or_default();
        let items: Vec<String> = items.into_iter().map(|item| self.request(wire, item.get())).collect();
        Some(format!("[{}]", items.join(",")))
    }

    /// Redacts a request; keeps IDs and methods.
    fn request(&mut self, wire: &Wire, raw: &str) -> String {
        let Ok(members) = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(raw) else {
            return "0".into();
        };
        let raw = |name: &str| members.get(name).map(|raw| raw.get());
        let mut parts = Vec::new();
        if let Some(version) = raw("jsonrpc") {
            parts.push(format!("\"jsonrpc\":{version}"));
        }
        if let Some(id) = raw("id") {
            let new = unquoted(id).and_then(|id| self.replace(&id, Class::Text));
            let new = new.map(|new| quoted(&new));
            parts.push(format!("\"id\":{}", new.as_deref().unwrap_or(id)));
        }
        if let Some(method) = raw("method") {
            parts.push(format!("\"method\":{method}"));
        }
        if let Some(params) = raw("params") {
            let params = match Value::from_json(params) {
                Ok(mut params) => {
                    let method = raw("method").and_then(unquoted).unwrap_or_default();
                    self.params(wire, &method, &mut params);
                    params.to_json()
                }
                Err(_) => "[".repeat(DEEP) + &"]".repeat(DEEP),
            };
            parts.push(format!("\"params\":{params}"));
        }
        format!("{{{}}}", parts.join(","))
    }

    fn params(&mut self, wire: &Wire, method: &str, params: &mut Value) {
        let tables = self.redaction.tables.clone();
        match wire.find(method, &Value::Null).map(|(_, function)| &function.target) {
            Some(Target::Row(call)) => self.signed(&tables.signatures[call.sig].args, params),
            Some(Target::Invoke(invoke)) => {
                let args = &tables.signatures[invoke.call].args;
                self.invoked(wire, args, params);
            }
            Some(Target::Local(_)) | None => self.scrub(params),
        }
    }

    /// Redacts params by name or position.
    fn signed(&mut self, args: &[(Text, SigType)], params: &mut Value) {
        match params {
            Value::List(values) => {
                let counted = args.iter().position(|(name, _)| &**name == "name");
                let counted = counted.and_then(|at| values.get(at)).is_some_and(is_built_in);
                for (at, value) in values.iter_mut().enumerate() {
                    self.signed_arg(args.get(at), value, counted);
                }
            }
            Value::Map(entries) => {
                let name = entries.iter().find(|(name, _)| &**name == "name");
                let counted = name.is_some_and(|(_, value)| is_built_in(value));
                for (name, value) in entries {
                    self.signed_arg(args.iter().find(|(arg, _)| arg == name), value, counted);
                }
            }
            other => self.scrub(other),
        }
    }

    fn signed_arg(&mut self, arg: Option<&(Text, SigType)>, value: &mut Value, counted: bool) {
        match arg {
            Some((name, _)) if &**name == "token" => *value = TOKEN.into(),
            Some((name, _)) if &**name == "appId" => self.named(value, Class::App),
            Some((_, ty)) => self.typed(*ty, value, counted),
            None => self.scrub(value),
        }
    }

    /// Redacts an invocation: function name, arguments as JSON text, a number of the app.
    fn invoked(&mut self, wire: &Wire, args: &[(Text, SigType)], params: &mut Value) {
        let name_of = |at: usize| args.get(at).map(|(name, _)| &**name);
        let part = |params: &Value, at: usize| match params {
            Value::List(values) => values.get(at).cloned(),
            other => other.get(name_of(at).unwrap_or_default()).cloned(),
        };
        let function = part(params, 0).unwrap_or_default().into_text();
        let function = function.rsplit('.').next().unwrap_or_default();
        let mut each = |name: Option<usize>, value: &mut Value| match (name, &mut *value) {
            (Some(0), _) => {}
            (Some(1), Value::Text(json)) => match Value::from_json(json) {
                Ok(mut args @ Value::Map(_)) => {
                    self.call(wire, function, &mut args);
                    *value = Value::Text(args.to_json().into());
                }
                _ => self.scrub_text(value),
            },
            (Some(1), Value::Map(_)) => self.call(wire, function, value),
            (Some(_), _) => self.scrub_text(value),
            (None, _) => self.scrub(value),
        };
        match params {
            Value::List(values) => {
                for (at, value) in values.iter_mut().enumerate() {
                    each((at < args.len()).then_some(at), value);
                }
            }
            Value::Map(entries) => {
                for (name, value) in entries {
                    each(args.iter().position(|(arg, _)| arg == name), value);
                }
            }
            other => self.scrub(other),
        }
    }

    /// Redacts an untyped value as text.
    fn scrub_text(&mut self, value: &mut Value) {
        match value {
            Value::List(_) | Value::Map(_) => self.scrub(value),
            _ => self.named(value, Class::Text),
        }
    }
}

fn is_built_in(name: &Value) -> bool {
    name.as_text()
        .is_some_and(|name| crate::redact::allowlist::is_built_in(name))
}
