//! Redaction of secrets while a trace is written (decisions H12).
//!
//! Every place with a name or a body has a type: from the wire tables in client frames, from RTM's field types, and
//! from the kinds of `env`. At its first use there, a secret enters the [`pseudonyms`] and gets a placeholder for the
//! whole trace. Frames to clients are untyped; they repeat inputs, so they are decomposed and looked up. A replay of
//! the placeholders' stand-ins ([`crate::placeholder_expand`]) produces the recorded bytes. Names of functions,
//! attributes and JSON members are kept.

mod allowlist;
mod api;
mod frames;
mod json;
mod line;
mod pseudonyms;
mod rtm_fields;
mod texts;

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use rtm::value::Value;
use rtm::{CallKind, FieldSpec};
use tables::profile::Transport;
use tables::wire::Wire;

use crate::event::GRACE;
use crate::placeholder::{Class, Placeholder};
use crate::policy::{Policy, Redaction};
use crate::record::{Dir, Leg, Record};

use pseudonyms::Dictionary;

pub use allowlist::Allowlist;

/// Wire of a client.
#[derive(Clone, Debug)]
struct ClientWire {
    transport: Transport,
    wire: Arc<Wire>,
}

/// Redactor of one trace.
#[derive(Debug)]
pub struct Redactor {
    redaction: Redaction,
    dictionary: Dictionary,
    /// Wires by session.
    client_wires: HashMap<u64, ClientWire>,
    /// Open RTM calls by session and number: the call's kind determines the type of some replies.
    open: HashMap<(u64, i64), CallKind>,
    /// Cached start of lines with the same time.
    moment: (u64, String),
    /// Last short text found to be JSON of the program, since most answers are equal.
    last_json: String,
}

impl Redactor {
    pub fn new(redaction: Redaction) -> Self {
        Self {
            redaction,
            dictionary: Dictionary::new(),
            client_wires: HashMap::new(),
            open: HashMap::new(),
            moment: (0, String::new()),
            last_json: String::new(),
        }
    }

    /// Learns the placeholders of a redacted record, so that their stand-ins become the same placeholders again.
    pub fn learn_from(&mut self, record: &Record) {
        self.learn(&record.data);
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.learn_text(text),
            Value::List(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.learn_text(key);
                    self.learn(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => {}
        }
    }

    fn learn_text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            rest = match Placeholder::parse(&rest[at..]) {
                Some((placeholder, after)) => {
                    self.dictionary.learn(placeholder);
                    after
                }
                None => &rest[at + 1..],
            };
        }
    }

    /// Redacts a record. Records must come in trace order.
    pub fn redact(&mut self, mut record: Record) -> Record {
        if !self.redaction.replaces() {
            self.tokens_only(&mut record);
            return record;
        }
        match record.leg {
            Leg::Legacy => self.legacy(record.session, record.dir, &mut record.data),
            Leg::Rtm => self.rtm(record.session, &mut record.data),
            Leg::Timer => {}
            Leg::Env => self.env(record.session, &mut record.data),
            Leg::Http => self.scrub(&mut record.data),
        }
        record
    }

    /// Removes tokens only; applies to every policy.
    fn tokens_only(&mut self, record: &mut Record) {
        let data = &mut record.data;
        match (record.leg, record.dir) {
            (Leg::Env, Dir::In) if data.get("begin").is_some() => self.env(record.session, data),
            (Leg::Rtm, Dir::Out) => forget_tokens(data),
            (Leg::Legacy, Dir::In) => {
                let frame = data.get("frame").and_then(Value::as_text);
                if frame.is_some_and(|frame| may_hold_token(frame)) {
                    self.legacy(record.session, record.dir, data);
                }
            }
            _ => {}
        }
    }

    fn words(&self) -> &Allowlist {
        &self.redaction.words
    }

    fn replaces_bodies(&self) -> bool {
        self.redaction.bodies != Policy::Keep
    }

    fn legacy(&mut self, session: u64, dir: Dir, data: &mut Value) {
        let Value::Map(entries) = data else {
            return self.scrub(data);
        };
        for (key, value) in entries {
            match (&**key, value) {
                ("socket" | "closed" | "close" | "rest" | GRACE, _) => {}
                ("frame", Value::Text(frame)) => {
                    let new = match dir {
                        Dir::Out => self.output(frame),
                        Dir::In => self.input(session, frame),
                    };
                    if let Some(new) = new {
                        *frame = new.into();
                    }
                }
                (_, other) => self.scrub(other),
            }
        }
    }

    fn env(&mut self, session: u64, data: &mut Value) {
        let Value::Map(entries) = data else {
            return self.scrub(data);
        };
        for (key, value) in entries {
            match &**key {
                "begin" => self.begin(session, value),
                "admitted" | "attached" => self.member(value, "line", Class::Line),
                "name" => self.names(value),
                "kept" | "keep" => self.lines(value),
                // Words of the program and its tables.
                "note" | "dropped" | "alive" | "end" | "cut" | "lost" | "over_rate" | "pressed" => {}
                _ => self.scrub(value),
            }
        }
    }

    fn begin(&mut self, session: u64, begin: &mut Value) {
        let tables = self.redaction.tables.clone();
        let profile = begin.get("profile").and_then(Value::as_text);
        let profile = profile.and_then(|name| tables.profiles.iter().find(|profile| profile.name == *name));
        if let Some(profile) = profile
            && let Some(wire) = tables.wire(&profile.family)
        {
            let client_wire = ClientWire {
                transport: profile.transport,
                wire: wire.clone(),
            };
            self.client_wires.insert(session, client_wire);
        }
        self.member(begin, "account", Class::Account);
    }

    fn member(&mut self, of: &mut Value, name: &str, class: Class) {
        let Value::Map(entries) = of else { return };
        for (_, value) in entries.iter_mut().filter(|(key, _)| &**key == name) {
            self.named(value, class);
        }
    }

    /// Redacts a name translation.
    fn names(&mut self, value: &mut Value) {
        let Value::Map(entries) = value else { return };
        for (which, pair) in entries {
            let Value::List(pair) = pair else { continue };
            let [requested, answer] = &mut pair[..] else { continue };
            let (requests, answers) = match &**which {
                "account" => (Class::Id, Class::Account),
                "channelId" => (Class::Channel, Class::Id),
                "channel" => (Class::Id, Class::Channel),
                _ => (Class::Account, Class::Id),
            };
            let same = requested == answer;
            // An equal text on both sides is a name rather than an ID.
            let class = |class: Class, other: Class| if same && class == Class::Id { other } else { class };
            self.named(requested, class(requests, answers));
            if answer.as_text().is_some() {
                self.named(answer, class(answers, requests));
            }
        }
    }

    /// Redacts an account's mailbox lines.
    fn lines(&mut self, lines: &mut Value) {
        let tables = self.redaction.tables.clone();
        let Value::List(lines) = lines else { return };
        for line in lines {
            let event = line.get("event").and_then(Value::as_text);
            let sig = event.and_then(|name| tables.signature_named(name));
            let Value::Map(entries) = line else { continue };
            for (_, args) in entries.iter_mut().filter(|(key, _)| &**key == "args") {
                let Value::List(args) = args else { continue };
                for (at, arg) in args.iter_mut().enumerate() {
                    match sig.and_then(|sig| tables.signatures[sig].args.get(at)) {
                        Some((_, ty)) => self.typed(*ty, arg, false),
                        None => self.scrub(arg),
                    }
                }
            }
        }
    }
}

/// Returns true if a client frame may contain a token.
fn may_hold_token(frame: &str) -> bool {
    frame.contains("oken") || frame.contains("login")
}

/// Removes tokens from RTM calls.
fn forget_tokens(data: &mut Value) {
    let Value::Map(entries) = data else { return };
    for (_, call) in entries.iter_mut().filter(|(key, _)| &**key == "call") {
        let Value::Map(call) = call else { continue };
        for (_, args) in call {
            let Value::Map(args) = args else { continue };
            for (_, token) in args.iter_mut().filter(|(name, _)| FieldSpec::is_token(name)) {
                if !token.is_null() {
                    *token = allowlist::TOKEN.into();
                }
            }
        }
    }
}
