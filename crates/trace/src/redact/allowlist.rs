//! Allowlist of words of the program and its tables, which are not secret and never replaced.
//!
//! An account with such a name is kept: an account `ok` cannot be distinguished from the `ok` of an answer.

use foldhash::HashSet;

use engine::emulate::system_attributes::SYSTEM_ATTRIBUTES;
use rtm::value::{Text, Value};
use rtm::{ConnectionReason, ConnectionState, LocalInvitationErr, OnlineState, RemoteInvitationErr};
use tables::Tables;
use tables::expr::{Expr, Part};
use tables::reason::ReasonSource;
use tables::row::{CallTemplate, Emission, Failure, LetDefault, StepKind};
use tables::ty::SigType;
use tables::wire::{Body, Target, Wire, WirePart};

/// Replacement of every token.
pub const TOKEN: &str = "<token>";
/// Prefix of a message line (signaling-wire 5).
pub(super) const LINE: &str = "msg-v2 ";
/// Prefix of a mailbox notification.
pub(super) const MAILBOX: &str = "notify recvmsg ";

/// Texts that the program writes or compares with.
const OF_THE_PROGRAM: &[&str] = &[
    TOKEN,
    "0",
    "1",
    "true",
    "false",
    "null",
    "ok",
    "failed",
    "timeout",
    "not login",
    "too often",
    "wrong param",
    "large param",
    "wrong line",
    "already login",
    "call before login",
    "login",
    "login_ret",
    "call2",
    "call2-ret",
    "ping",
    "pong",
    "set_flag",
    "notify",
    "msg",
    "channel2",
    "recvmsg",
    "close",
    "kick",
    "dtmf",
    "sigbridge/1",
    "v1:E:3600",
];

/// Allowed words, and keys with special values.
#[derive(Debug, Default)]
pub struct Allowlist {
    words: HashSet<Text>,
    /// Length of the longest word in bytes.
    longest: usize,
    /// Bit set of word lengths by first byte; the last bit covers all longer words. A fast filter for most names.
    lengths: Vec<u64>,
    /// JSON keys from which rows read settings.
    settings: HashSet<Text>,
    /// JSON keys from which rows read arguments.
    parts: HashSet<Text>,
}

impl Allowlist {
    /// Builds the allowlist of tables.
    pub fn of(tables: &Tables) -> Self {
        let mut all = Self::default();
        all.words.extend(OF_THE_PROGRAM.iter().map(|word| Text::from(*word)));
        all.members(ConnectionState::ALL.iter().map(|member| member.name()));
        all.members(ConnectionReason::ALL.iter().map(|member| member.name()));
        all.members(OnlineState::ALL.iter().map(|member| member.name()));
        all.members(LocalInvitationErr::ALL.iter().map(|member| member.name()));
        all.members(RemoteInvitationErr::ALL.iter().map(|member| member.name()));
        for class in &tables.fails {
            let reasons = class.families.iter().flat_map(|(_, codes)| &codes.numbers);
            all.words.extend(reasons.map(|(reason, _)| reason.clone()));
        }
        for profile in &tables.profiles {
            profile
                .identifying_fields
                .iter()
                .for_each(|(_, value)| all.value(value));
        }
        tables.wires.iter().for_each(|wire| all.wire(wire));
        all.rows(tables);
        all.lengths = vec![0; 256];
        for word in &all.words {
            all.lengths[usize::from(first(word))] |= bit(word);
        }
        all.longest = all.words.iter().map(|word| word.len()).max().unwrap_or(0);
        all
    }

    pub fn longest(&self) -> usize {
        self.longest
    }

    pub fn has(&self, text: &str) -> bool {
        let may_be = |lengths: &u64| lengths & bit(text) != 0;
        let lengths = self.lengths.get(usize::from(first(text)));
        text.len() <= self.longest && lengths.is_some_and(may_be) && self.words.contains(text)
    }

    /// Returns true if the key's value is a setting: the engine interprets its number or boolean.
    pub fn is_setting(&self, key: &str) -> bool {
        self.settings.contains(key)
    }

    /// Returns true if the key's value is an argument.
    pub fn is_part(&self, key: &str) -> bool {
        self.parts.contains(key)
    }

    fn members(&mut self, names: impl Iterator<Item = &'static str>) {
        self.words.extend(names.map(Text::from));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => drop(self.words.insert(text.clone())),
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(value) => self.value(value),
            Expr::Member(of, _) | Expr::Convert(_, of) | Expr::Json(of) => self.expr(of),
            Expr::Call(_, of) | Expr::List(of) => of.iter().for_each(|of| self.expr(of)),
            Expr::Map(entries) => entries.iter().for_each(|(_, of)| self.expr(of)),
            Expr::Template { parts, .. } => {
                for part in parts {
                    match part {
                        Part::Text(text) => self.words.extend(text.split('"').map(Text::from)),
                        Part::Expr(of) => self.expr(of),
                    }
                }
            }
            Expr::Slot(_) | Expr::State(_) | Expr::Ambient(_) | Expr::MemberReason(_) => {}
        }
    }

    fn wire(&mut self, wire: &Wire) {
        for function in wire.functions.iter().chain([&wire.login]) {
            let fixed = function.constants.iter().chain(&function.when);
            fixed.for_each(|(_, value)| self.value(value));
            if let Target::Row(call) = &function.target {
                let parts = call.args.iter().map(|arg| &arg.part);
                self.parts.extend(parts.filter_map(|part| match part {
                    WirePart::Json(key) => Some(key.clone()),
                    WirePart::Complete | WirePart::After(_) => None,
                }));
            }
        }
        for event in wire.events.iter().flatten() {
            self.words.insert(event.kind.clone());
            self.expr(&event.src);
            self.words
                .extend(event.frames.iter().flat_map(|(_, names)| names.clone()));
            match &event.body {
                Body::Text(text) => self.expr(text),
                Body::Content(entries) => entries.iter().for_each(|(_, of)| self.expr(of)),
                Body::None => {}
            }
        }
    }

    fn rows(&mut self, tables: &Tables) {
        for row in &tables.rows {
            self.words
                .extend(row.members.iter().map(|(_, reason)| tables.reason(*reason)));
            for computed in &row.let_values {
                self.expr(&computed.from);
                if let LetDefault::Value(value) = &computed.otherwise {
                    self.value(value);
                }
                if matches!(computed.ty, SigType::Flag | SigType::Int | SigType::Seconds) {
                    self.settings.extend(computed.json.clone());
                }
            }
            for step in &row.steps {
                match &step.kind {
                    StepKind::Rtm(rtm) => {
                        self.call(&rtm.call);
                        rtm.value.iter().flatten().for_each(|of| self.expr(of));
                        rtm.expect
                            .iter()
                            .filter_map(|e| e.is.as_ref())
                            .for_each(|is| self.value(is));
                    }
                    StepKind::Row { args, .. } => args.iter().for_each(|of| self.expr(of)),
                    StepKind::Value { expr, expect } => {
                        self.expr(expr);
                        expect
                            .iter()
                            .filter_map(|e| e.is.as_ref())
                            .for_each(|is| self.value(is));
                    }
                    StepKind::Outcome(_) => {}
                }
            }
            row.answer.fields.iter().for_each(|(_, of)| self.expr(of));
            row.fail.iter().for_each(|failure| self.failure(tables, failure));
            for outcome in &row.outcomes {
                outcome.rtm.iter().for_each(|call| self.call(call));
                outcome.failure.iter().for_each(|failure| self.failure(tables, failure));
                outcome.emission.iter().for_each(|emission| self.emission(emission));
            }
        }
    }

    fn call(&mut self, call: &CallTemplate) {
        call.args.iter().flatten().for_each(|of| self.expr(of));
    }

    fn failure(&mut self, tables: &Tables, failure: &Failure) {
        if let ReasonSource::Fixed(reason) = failure.reason {
            self.words.insert(tables.reason(reason));
        }
        self.emission(&failure.emission);
    }

    fn emission(&mut self, emission: &Emission) {
        emission.args.iter().chain(&emission.each).for_each(|of| self.expr(of));
    }
}

fn first(text: &str) -> u8 {
    text.as_bytes().first().copied().unwrap_or(0)
}

fn bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// Returns true if the engine interprets the attribute's number.
pub fn is_built_in(attribute: &str) -> bool {
    SYSTEM_ATTRIBUTES.contains(&attribute)
}

/// Returns true for a number or boolean as clients write them.
pub fn is_plain_number(text: &str) -> bool {
    text.trim().parse::<i64>().is_ok() || ["true", "false"].contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_built_in_tables() {
        let words = Allowlist::of(&Tables::built_in().expect("the built-in tables"));
        for word in [
            "peer is not online",
            "websdk",
            "v1:E:3600",
            "instant",
            "update",
            "ok",
            "PEER_OFFLINE",
        ] {
            assert!(words.has(word), "{word}");
        }
        for name in ["alice", "bob", "room", "", "hi"] {
            assert!(!words.has(name) || name.is_empty(), "{name}");
        }
        assert!(words.is_setting("_timeout") && !words.is_setting("timeout"));
        assert!(words.is_part("msgdata"));
        assert!(is_built_in("_sendmsg_limit") && !is_built_in("_secret"));
    }
}
