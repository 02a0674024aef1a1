//! Normalization of records before comparison: times, numbers of requests, calls and sockets, session lines, and
//! account numbers of different programs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::frame::{lines, opened};
use crate::record::{Dir, Leg, Record};
use rtm::value::{Text, Value};

/// Placeholder for ignored values.
const ANY: &str = "#";
/// Members with times.
const TIMES: [&str; 3] = ["at_ms", "serverReceivedTs", "lastUpdateTs"];

/// Session-specific identifiers.
#[derive(Clone, Default)]
pub(crate) struct Normalizer {
    /// Sockets, in order of appearance.
    sockets: HashMap<i64, i64>,
    /// RTM calls by number.
    requests: HashMap<i64, Text>,
    /// Client calls by socket and number.
    calls: HashMap<(i64, Text), Text>,
    /// Session lines.
    lines: Vec<Text>,
    /// Accounts by number, if numbers are not compared.
    uids: Arc<HashMap<i64, Text>>,
    /// Number of the last client call that was made or answered.
    call: Option<Text>,
}

impl Normalizer {
    /// Learns identifiers from a record; must see all records first.
    pub fn learn(&mut self, record: &Record, uids: bool) {
        if record.leg != Leg::Env || record.dir != Dir::In {
            return;
        }
        for login in ["admitted", "attached"] {
            let line = record.data.get(login).and_then(|data| data.get("line"));
            if let Some(line) = line.and_then(Value::as_text).filter(|line| !line.is_empty())
                && !self.lines.contains(line)
            {
                self.lines.push(line.clone());
            }
        }
        let uid = record.data.get("name").and_then(|name| name.get("uid"));
        if let (false, Some([Value::Text(account), Value::Int(uid)])) = (uids, uid.and_then(Value::as_list))
            && *uid != 0
        {
            Arc::make_mut(&mut self.uids).insert(*uid, account.clone());
        }
    }

    /// Returns the client call number of the last normalized record.
    pub fn call_number(&self) -> Option<&Text> {
        self.call.as_ref()
    }

    /// Returns kind and normalized data of a record.
    pub fn of(&mut self, record: &Record) -> (String, Value) {
        self.call = None;
        let (kind, mut data) = match record.leg {
            Leg::Legacy => self.legacy(record),
            Leg::Rtm => self.rtm(record),
            Leg::Timer => timer(&record.data),
            Leg::Env | Leg::Http => {
                let kind = record.data.as_map().and_then(|entries| entries.first());
                (
                    kind.map_or(Text::from("?"), |(name, _)| name.clone()).to_string(),
                    record.data.clone(),
                )
            }
        };
        let leg = match record.leg {
            Leg::Legacy => "legacy",
            Leg::Rtm => "rtm",
            Leg::Http => "http",
            Leg::Timer => "timer",
            Leg::Env => "env",
        };
        self.number_sockets(&mut data);
        (
            format!("{leg} {kind}"),
            self.walk(false, record.leg == Leg::Legacy, data),
        )
    }

    fn legacy(&mut self, record: &Record) -> (String, Value) {
        let Some(text) = record.data.get("frame").and_then(Value::as_text) else {
            let name = record
                .data
                .as_map()
                .and_then(|entries| entries.first())
                .map(|(name, _)| name.clone());
            return (name.unwrap_or_default().to_string(), record.data.clone());
        };
        let socket = record.data.get("socket").and_then(Value::as_int).unwrap_or(0);
        let mut frame = opened(text);
        let mut kind = match record.dir {
            Dir::In => self.call(socket, &mut frame),
            Dir::Out => self.answer(socket, &mut frame),
        };
        if record.dir == Dir::Out {
            lines(&frame, &mut |_, line| {
                if let Some(of) = line.get("type").and_then(Value::as_text) {
                    kind = format!("{kind} {of}");
                }
            });
        }
        let socket = ("socket".into(), Value::Int(socket));
        (kind, Value::Map(vec![socket, ("frame".into(), frame)]))
    }

    /// Normalizes a call: `["call2",[f,id,{…}]]`, `call f id retry {…}`, `{"method":f,"id":id,…}`.
    fn call(&mut self, socket: i64, frame: &mut Value) -> String {
        let items = match frame {
            Value::List(items) => items,
            request => return self.request(socket, request),
        };
        let (function, id) = match items.as_mut_slice() {
            [Value::Text(name), Value::List(call)] if &**name == "call2" => match call.as_mut_slice() {
                [Value::Text(function), id, _] => (function.clone(), id),
                _ => return name.to_string(),
            },
            [Value::Text(name), Value::Text(function), id, _, _] if &**name == "call" => (function.clone(), id),
            [Value::Map(_), ..] => return self.batch(socket, items, Self::request),
            _ => return first_word(items),
        };
        let number = std::mem::replace(id, ANY.into()).into_text();
        self.call = Some(number.clone());
        self.calls.insert((socket, number), function.clone());
        format!("call {function}")
    }

    /// Normalizes an answer: `["call2-ret",[id,err,json]]`, `call_ret f id 0 json`, `{"id":id,…}`.
    fn answer(&mut self, socket: i64, frame: &mut Value) -> String {
        let items = match frame {
            Value::List(items) => items,
            response => return self.response(socket, response),
        };
        let id = match items.as_mut_slice() {
            [Value::Text(name), Value::List(answer)] if &**name == "call2-ret" => answer.first_mut(),
            [Value::Text(name), _, id, ..] if &**name == "call_ret" => Some(id),
            [Value::Map(_), ..] => return self.batch(socket, items, Self::response),
            _ => return first_word(items),
        };
        let Some(id) = id else { return first_word(items) };
        let key = (socket, id.clone().into_text());
        self.call = Some(key.1.clone());
        let function = self.calls.remove(&key).unwrap_or_else(|| "?".into());
        *id = Value::Text(function.clone());
        format!("answer {function}")
    }

    /// Normalizes a JSON-RPC batch.
    fn batch(&mut self, socket: i64, items: &mut [Value], each: fn(&mut Self, i64, &mut Value) -> String) -> String {
        let kinds: Vec<String> = items.iter_mut().map(|item| each(self, socket, item)).collect();
        kinds.join(", ")
    }

    /// Normalizes a JSON-RPC request.
    fn request(&mut self, socket: i64, request: &mut Value) -> String {
        let Some(method) = request.get("method").and_then(Value::as_text).cloned() else {
            return ANY.into();
        };
        for (name, value) in entries(request) {
            if &**name == "id" {
                let number = std::mem::replace(value, ANY.into()).into_text();
                self.call = Some(number.clone());
                self.calls.insert((socket, number), method.clone());
            }
        }
        format!("call {method}")
    }

    /// Normalizes a JSON-RPC response or notification.
    fn response(&mut self, socket: i64, response: &mut Value) -> String {
        if let Some(method) = response.get("method").and_then(Value::as_text) {
            return format!("notify {method}");
        }
        let mut method: Text = ANY.into();
        for (name, value) in entries(response) {
            if &**name == "id" {
                let key = (socket, value.clone().into_text());
                self.call = Some(key.1.clone());
                method = self.calls.remove(&key).unwrap_or_else(|| "?".into());
                *value = method.clone().into();
            }
        }
        format!("answer {method}")
    }

    fn rtm(&mut self, record: &Record) -> (String, Value) {
        let data = &record.data;
        let request = data.get("request").and_then(Value::as_int);
        let first = |name: &str| Some(data.get(name)?.as_map()?.first()?.0.clone());
        if let Some(call) = first("call") {
            request
                .into_iter()
                .for_each(|request| drop(self.requests.insert(request, call.clone())));
            return (format!("call {call}"), without_request(data, &call));
        }
        if let Some(event) = first("event") {
            return (format!("event {event}"), data.clone());
        }
        let call = request.and_then(|request| self.requests.remove(&request));
        match call {
            Some(call) => (format!("reply {call}"), without_request(data, &call)),
            None => ("link".into(), data.clone()),
        }
    }

    /// Numbers sockets in order of appearance in the session.
    fn number_sockets(&mut self, data: &mut Value) {
        for (name, value) in entries(data) {
            match (&**name, value) {
                ("socket" | "close" | "closed", Value::Int(socket)) => {
                    let next = self.sockets.len() as i64 + 1;
                    *socket = *self.sockets.entry(*socket).or_insert(next);
                }
                ("admitted" | "attached" | "over_rate", inner) => self.number_sockets(inner),
                _ => {}
            }
        }
    }

    /// `frame`: part of a frame, whose members belong to the app, except in a decoded line.
    fn walk(&self, in_line: bool, frame: bool, value: Value) -> Value {
        match value {
            Value::Map(entries) => {
                let entries = entries.into_iter().map(|(name, value)| {
                    let is_time = !frame && TIMES.contains(&&*name) || in_line && &*name == "time";
                    let value = if is_time {
                        ANY.into()
                    } else {
                        self.walk(frame && &*name == "line", frame, value)
                    };
                    (name, value)
                });
                let mut entries: Vec<_> = entries.collect();
                // Object members have no order in JSON.
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Map(entries)
            }
            Value::List(items) => Value::List(items.into_iter().map(|item| self.walk(false, frame, item)).collect()),
            Value::Int(n) => match self.uids.get(&n) {
                Some(account) => Value::text(format!("<uid of {account}>")),
                None => Value::Int(n),
            },
            Value::Text(text) => {
                let mut shown = text;
                for line in &self.lines {
                    if shown.contains(&**line) {
                        shown = shown.replace(&**line, "<line>").into();
                    }
                }
                Value::Text(shown)
            }
            other => other,
        }
    }
}

fn entries(data: &mut Value) -> &mut [(Text, Value)] {
    match data {
        Value::Map(entries) => entries,
        _ => &mut [],
    }
}

fn first_word(items: &[Value]) -> String {
    items.first().cloned().unwrap_or_default().into_text().to_string()
}

fn without_request(data: &Value, call: &Text) -> Value {
    let entries = data.as_map().unwrap_or_default().iter();
    let entries = entries.map(|(name, value)| match &**name {
        "request" => (name.clone(), Value::Text(call.clone())),
        _ => (name.clone(), value.clone()),
    });
    Value::Map(entries.collect())
}

/// Normalizes `{"set":"retry:7","at_ms":…}`, which contains a request number.
fn timer(data: &Value) -> (String, Value) {
    let entries = data.as_map().unwrap_or_default().iter();
    let entries = entries.map(|(name, value)| match value {
        Value::Text(text) if text.starts_with("retry:") => (name.clone(), "retry".into()),
        _ => (name.clone(), value.clone()),
    });
    let entries: Vec<_> = entries.collect();
    let kind = entries.first().map_or(String::new(), |(name, value)| {
        format!("{name} {}", value.clone().into_text())
    });
    (kind, Value::Map(entries))
}
