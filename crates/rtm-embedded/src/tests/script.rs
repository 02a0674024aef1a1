//! The script language.
//!
//! One step per line, followed by a line beginning with `- ` for each output, in order:
//!
//! | step | action |
//! |---|---|
//! | `users alice bob` | opens an instance per user, named like the user, and logs it in |
//! | `crowd 511 room` | adds 511 users to the channel `room`, whose outputs are not displayed |
//! | `alice join room` | a call, with positional arguments: texts, numbers, JSON without spaces |
//! | `alice link down`, `alice close` | the other inputs of the service |
//! | `+4s`, `+999ms` | advances the time, timer by timer |
//! | `~ …` | any step without displayed outputs; `~ 10x …` repeats it |
//!
//! In arguments `*33` is a text of 33 bytes, `ids*33` are 33 ids and `pairs*33` are 33 attributes.
//! In outputs, `@500` is the time 500 ms after the start.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{CallKind, RtmCall};

use crate::{ClientId, Output, RtmService, RtmServiceConfig};

const START: u64 = 1_000_000_000;

/// Runs a script in a service with the documented Web rates.
#[track_caller]
pub(super) fn check(script: &str) {
    check_in(RtmServiceConfig::default(), script);
}

/// Runs a script in a service with that configuration.
#[track_caller]
pub(super) fn check_in(config: RtmServiceConfig, script: &str) {
    let mut harness = Harness::new(config);
    let mut seen = String::new();
    let mut expected = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(expected, "{line}").expect("writing to a String cannot fail");
        if line.starts_with("- ") {
            continue;
        }
        writeln!(seen, "{line}").expect("writing to a String cannot fail");
        for output in harness.step(line) {
            writeln!(seen, "- {output}").expect("writing to a String cannot fail");
        }
    }
    assert!(seen == expected, "seen:\n{seen}\nexpected:\n{expected}");
}

/// A service under test, with names for its instances.
pub(super) struct Harness {
    pub(super) service: RtmService,
    pub(super) now: Time,
    clients: HashMap<String, ClientId>,
    names: BTreeMap<ClientId, String>,
    /// The pending requests and their calls.
    pending: HashMap<(ClientId, u64), CallKind>,
    requests: u64,
}

impl Harness {
    pub(super) fn new(config: RtmServiceConfig) -> Self {
        Self {
            service: RtmService::new(config),
            now: Time::from_millis(START),
            clients: HashMap::new(),
            names: BTreeMap::new(),
            pending: HashMap::new(),
            requests: 0,
        }
    }

    /// Runs one step; returns all outputs.
    pub(super) fn step(&mut self, line: &str) -> Vec<String> {
        let mut words = line.split_whitespace();
        let mut out = Vec::new();
        match words.next().expect("a step has a first word") {
            "~" => {
                let rest: Vec<_> = words.collect();
                let times = rest[0].strip_suffix('x').and_then(|n| n.parse().ok());
                let quiet = rest[usize::from(times.is_some())..].join(" ");
                for _ in 0..times.unwrap_or(1) {
                    self.step(&quiet);
                }
            }
            "users" => {
                for user in words {
                    self.step(&format!("{user} login {user}"));
                }
            }
            "crowd" => {
                let size: usize = words.next().and_then(|n| n.parse().ok()).expect("a size");
                let channel = words.next().expect("a channel");
                for i in 0..size {
                    let client = self.service.open();
                    self.call(client, CallKind::Login, &[format!("u{i}").as_str().into()], &mut out);
                    self.call(client, CallKind::Join, &[channel.into()], &mut out);
                }
                out.clear();
            }
            time if time.starts_with('+') => self.pass(duration(time), &mut out),
            name => {
                let client = self.client(name);
                match words.next().expect("a call") {
                    "link" => {
                        let up = words.next() == Some("up");
                        self.service.link(self.now, client, up, &mut out);
                    }
                    "close" => {
                        self.service.close(self.now, client, &mut out);
                        self.clients.remove(name);
                    }
                    call => {
                        let kind = CallKind::parse(call).unwrap_or_else(|| panic!("no call {call}"));
                        let args: Vec<_> = words.map(argument).collect();
                        self.call(client, kind, &args, &mut out);
                    }
                }
            }
        }
        out.iter().filter_map(|output| self.show(output)).collect()
    }

    /// Returns the number of pending calls of existing instances.
    pub(super) fn unanswered(&self) -> usize {
        let is_there = |client| self.service.state.clients.get(client).is_some();
        self.pending.keys().filter(|(client, _)| is_there(*client)).count()
    }

    fn client(&mut self, name: &str) -> ClientId {
        if let Some(&client) = self.clients.get(name) {
            return client;
        }
        let client = self.service.open();
        self.clients.insert(name.to_owned(), client);
        self.names.insert(client, name.to_owned());
        client
    }

    fn call(&mut self, client: ClientId, kind: CallKind, args: &[Value], out: &mut Vec<Output>) {
        self.requests += 1;
        self.pending.insert((client, self.requests), kind);
        let call: RtmCall = kind.build(args).unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
        self.service.call(self.now, client, self.requests, call, out);
    }

    fn pass(&mut self, duration: Duration, out: &mut Vec<Output>) {
        let end = self.now + duration;
        while let Some(due) = self.service.deadline().filter(|&due| due <= end) {
            self.service.tick(due, out);
            assert!(self.service.deadline() != Some(due), "a timer does not go away");
        }
        self.service.tick(end, out);
        self.now = end;
    }

    /// Formats an output as a line; `None` for an instance without a name.
    fn show(&mut self, output: &Output) -> Option<String> {
        match output {
            Output::Reply {
                client,
                request,
                result,
            } => {
                let kind = self.pending.remove(&(*client, *request)).expect("one answer per call");
                let name = self.names.get(client)?;
                let result = match result {
                    Ok(reply) => {
                        let value = show(&reply.to_value());
                        format!("ok {value}").trim_end_matches(" {}").to_owned()
                    }
                    Err(error) => {
                        assert!(
                            kind.errors().contains(&error.error_enum()),
                            "{} fails by {error}",
                            kind.name()
                        );
                        format!("{}.{}", error.error_enum().name(), error.name())
                    }
                };
                Some(format!("{name} {} {result}", kind.name()))
            }
            Output::Event { client, event } => {
                let name = self.names.get(client)?;
                let values: Vec<_> = event.values().iter().map(show).collect();
                let event = event.kind().name().replace("ConnectionStateChanged", "state");
                Some(format!("{name} {event} {}", values.join(" ")).trim_end().to_owned())
            }
        }
    }
}

fn duration(text: &str) -> Duration {
    let text = text.trim_start_matches('+');
    match text.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().expect("milliseconds")),
        None => Duration::from_secs(text.trim_end_matches('s').parse().expect("seconds")),
    }
}

fn argument(word: &str) -> Value {
    let numbered = |n: &str, prefix: &str| -> Vec<Text> {
        let n: usize = n.parse().expect("how many");
        (0..n).map(|i| format!("{prefix}{i}").into()).collect()
    };
    if let Some(n) = word.strip_prefix("ids*") {
        return Value::List(numbered(n, "id").into_iter().map(Value::Text).collect());
    }
    if let Some(n) = word.strip_prefix("pairs*") {
        return Value::Map(numbered(n, "k").into_iter().map(|k| (k, "v".into())).collect());
    }
    let is_json =
        word.starts_with(['[', '{']) || word.parse::<i64>().is_ok() || ["true", "false", "null"].contains(&word);
    if is_json {
        return expand(Value::from_json(word).expect("JSON"));
    }
    expand(Value::from(word))
}

/// Replaces size notations by texts.
fn expand(value: Value) -> Value {
    let text = |text: Text| match text.strip_prefix('*').and_then(|n| n.parse().ok()) {
        Some(n) => "x".repeat(n).into(),
        None => text,
    };
    match value {
        Value::Text(t) => Value::Text(text(t)),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(k, v)| (text(k), expand(v))).collect()),
        other => other,
    }
}

/// Formats a value as short as it is unambiguous.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Int(n) => match u64::try_from(*n) {
            Ok(n) if n >= START => format!("@{}", n - START),
            _ => n.to_string(),
        },
        Value::Text(text) if text.len() > 80 => format!("*{}", text.len()),
        Value::Text(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(show).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(entries) => match value.get("text").or(value.get("rawMessage")) {
            Some(message) => show(message),
            None if value.get("invitation").is_some() => {
                let fields: Vec<_> = entries.iter().map(|(_, v)| show(v)).collect();
                fields.join("/")
            }
            None => {
                let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{k}={}", show(v))).collect();
                format!("{{{}}}", entries.join(","))
            }
        },
        other => other.to_json(),
    }
}
