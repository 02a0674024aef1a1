//! A legacy client without its socket: frames as input, frames and events as output.

use std::collections::BTreeMap;
use std::sync::Arc;

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::scope::StateField;
use tables::wire::{Target, Wire};

use crate::client::catalog::{Catalog, fill};
use crate::client::codec::Codec;
use crate::client::events::Events;
use crate::client::io::{CallError, Login, MAX_PENDING_CALLS, Output, Reply};
use crate::client::keepalive::{Channel, Keepalive};
use crate::client::mailbox::Mailbox;
use crate::client::synthesized_events;
use crate::client::web_codec::{Answer, Inbound, Notice};
use crate::known_names::Known;

/// The argument of a poll that acknowledges all lines up to a version (signaling-wire 5).
const VERSION: &str = "ver_clear";
/// Maximum number of control frames in one event.
const MAX_CONTROLS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    LoggingIn,
    LoggedIn,
    /// Resuming by its session line.
    Resuming,
    Over,
}

#[derive(Clone, Debug)]
pub(super) struct PendingCall {
    pub name: Text,
    /// The row and its arguments; `None` for functions that are called by wire name.
    row_call: Option<(usize, Vec<Option<Value>>)>,
    pub poll: bool,
}

/// A legacy client as a state machine.
#[derive(Clone, Debug)]
pub struct LegacyClient {
    pub(super) tables: Arc<Tables>,
    pub(super) wire: Arc<Wire>,
    pub(super) codec: Codec,
    catalog: Catalog,
    events: Events,
    pub(super) login: Login,
    pub(super) phase: Phase,
    pub(super) known: Known,
    pub(super) line: Value,
    pub(super) pending: BTreeMap<i64, PendingCall>,
    next_id: i64,
    pub(super) mailbox: Mailbox,
    pub(super) keepalive: Keepalive,
    /// The joined channel.
    pub(super) channel: Option<Channel>,
    /// The names of the control frames so far; in order, they form one event.
    controls: Vec<Text>,
}

impl LegacyClient {
    /// Creates a disconnected client of a wire.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>, login: Login) -> Self {
        Self {
            catalog: Catalog::new(tables.clone(), wire.clone()),
            events: Events::new(&tables, &wire),
            codec: Codec::of(&tables, &wire),
            mailbox: Mailbox::new(wire.polls),
            tables,
            wire,
            login,
            phase: Phase::LoggingIn,
            known: Known::default(),
            line: Value::Null,
            pending: BTreeMap::new(),
            next_id: 1,
            keepalive: Keepalive::default(),
            channel: None,
            controls: Vec::new(),
        }
    }

    /// Returns the available calls.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Returns the number of pending calls, without polls.
    pub fn pending_calls(&self) -> usize {
        self.pending.values().filter(|pending| !pending.poll).count()
    }

    /// Handles an established connection: sends the login frame.
    pub fn connected(&mut self) -> Vec<Output> {
        let Login { vid, account, token } = &self.login;
        let frame = [("vid", vid), ("account", account), ("token", token)];
        let mut args = Vec::new();
        if let Target::Row(call) = &self.wire.login.target {
            let by_wire = |wire: &Text| frame.iter().find(|(name, _)| *name == &**wire);
            let given = call.args.iter().filter_map(|arg| {
                let (_, value) = by_wire(arg.wire.as_ref()?)?;
                Some((arg.name.clone(), Value::Text((*value).clone())))
            });
            let given: Vec<_> = given.collect();
            if let Ok((slots, carried)) = fill(call, &given) {
                self.known.slots = slots;
                args = carried;
            }
        }
        self.known.learn(StateField::Account, account.clone().into());
        args.extend(self.wire.login.constants.iter().cloned());
        vec![Output::Send(self.codec.login(Value::Map(args)))]
    }

    /// Handles a frame of the server.
    pub fn frame(&mut self, text: &str, now: Time) -> Vec<Output> {
        let mut out = Vec::new();
        match self.codec.read(text) {
            Some(Inbound::LoginRet(answer)) if self.phase == Phase::LoggingIn => self.login_ret(&answer, now, &mut out),
            Some(Inbound::CallRet(id, answer)) => match self.pending.remove(&id) {
                Some(pending) => self.call_ret(id, pending, &answer, now, &mut out),
                None => out.push(Output::Unknown(text.into())),
            },
            Some(Inbound::Notify(notice)) => self.notice(notice, text, now, &mut out),
            Some(Inbound::Other(name)) if self.events.is_control(&name) => self.control(name, &mut out),
            Some(Inbound::Resumed(word)) if self.phase == Phase::Resuming => self.resumed(&word, now, &mut out),
            Some(Inbound::Pong) => self.keepalive.pong(self.codec, now),
            _ => out.push(Output::Unknown(text.into())),
        }
        self.poll(now, &mut out);
        out
    }

    /// Sends the pings and polls whose time has come.
    pub fn tick(&mut self, now: Time) -> Vec<Output> {
        let mut out = Vec::new();
        if self.phase == Phase::LoggedIn {
            self.ping_or_disconnect(now, &mut out);
        }
        self.poll(now, &mut out);
        out
    }

    /// Returns the time of the next [`tick`](Self::tick).
    pub fn next_tick(&self) -> Option<Time> {
        if self.phase != Phase::LoggedIn {
            return None;
        }
        self.keepalive
            .deadline()
            .into_iter()
            .chain(self.mailbox.deadline())
            .min()
    }

    /// Makes a documented call with its documented arguments, by name. Returns its number and its
    /// frame.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&mut self, name: &str, args: &[(Text, Value)]) -> Result<(i64, String), CallError> {
        let mut built = self.catalog.build(name, args, &self.login.account)?;
        let function = &self.wire.functions[built.function];
        if let Some(version) = &function.acknowledges {
            built.args.retain(|(arg, _)| arg != version);
            built.args.push((version.clone(), self.mailbox.version().into()));
        }
        let function = function.name.clone();
        let pending = PendingCall {
            name: name.into(),
            row_call: Some((built.function, built.slots)),
            poll: false,
        };
        self.send(&function, built.args, pending)
    }

    /// Calls a wire function by its own name, known to the tables or not, with its own arguments.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn invoke(&mut self, function: &str, args: Vec<(Text, Value)>) -> Result<(i64, String), CallError> {
        let pending = PendingCall {
            name: function.into(),
            row_call: None,
            poll: false,
        };
        self.send(function, args, pending)
    }

    fn send(
        &mut self,
        function: &str,
        mut args: Vec<(Text, Value)>,
        pending: PendingCall,
    ) -> Result<(i64, String), CallError> {
        if self.phase != Phase::LoggedIn {
            return Err(CallError::NotLoggedIn);
        }
        if !pending.poll && self.pending_calls() >= MAX_PENDING_CALLS {
            return Err(CallError::TooMany);
        }
        let id = self.next_id;
        self.next_id += 1;
        if !args.iter().any(|(name, _)| &**name == "line") {
            args.insert(0, ("line".into(), self.line.clone()));
        }
        self.pending.insert(id, pending);
        Ok((id, self.codec.call(function, id, Value::Map(args))))
    }

    fn login_ret(&mut self, answer: &Answer, now: Time, out: &mut Vec<Output>) {
        let wire = self.wire.clone();
        let Target::Row(call) = &wire.login.target else { return };
        match answer.result() {
            Ok(reply) => {
                self.phase = Phase::LoggedIn;
                synthesized_events::learn(&self.tables, call, &reply, &mut self.known);
                let line = self.known.state.iter().find(|(field, _)| *field == StateField::Line);
                self.line = line.map(|(_, line)| line.clone()).unwrap_or_default();
                self.mailbox.start(now);
                out.push(Output::LoggedIn);
                let emitted = synthesized_events::of_success(&self.tables, call, &reply, &self.known);
                out.extend(emitted.into_iter().map(Output::Event));
                self.keepalive.start(self.codec, now);
                self.ping_or_disconnect(now, out);
            }
            Err(reason) => {
                self.phase = Phase::Over;
                let emitted =
                    synthesized_events::of_failure(&self.tables, &self.wire.family, call, &reason, &self.known);
                out.extend(emitted.map(Output::Event));
                out.push(Output::Refused(reason));
            }
        }
    }

    fn call_ret(&mut self, id: i64, pending: PendingCall, answer: &Answer, now: Time, out: &mut Vec<Output>) {
        let result = answer.result();
        if pending.poll {
            let lines = self.mailbox.answered(result.as_ref().ok(), now);
            out.extend(lines.iter().map(|line| self.line_event(line, line)));
            return;
        }
        out.push(Output::Reply(Reply {
            id,
            call: pending.name,
            result: result.clone(),
        }));
        let Some((function, slots)) = pending.row_call else {
            return;
        };
        let wire = self.wire.clone();
        let function = &wire.functions[function];
        let Target::Row(call) = &function.target else { return };
        self.known.slots = slots;
        match &result {
            Ok(reply) => {
                synthesized_events::learn(&self.tables, call, reply, &mut self.known);
                self.note_channel(call, reply);
                let emitted = synthesized_events::of_success(&self.tables, call, reply, &self.known);
                out.extend(emitted.into_iter().map(Output::Event));
                if function.ends {
                    self.phase = Phase::Over;
                    out.push(Output::LoggedOut);
                }
            }
            Err(reason) => {
                let emitted = synthesized_events::of_failure(&self.tables, &wire.family, call, reason, &self.known);
                out.extend(emitted.map(Output::Event));
            }
        }
    }

    fn notice(&mut self, notice: Notice, frame: &str, now: Time, out: &mut Vec<Output>) {
        match notice {
            Notice::Hint(version) => self.mailbox.hint(version, now),
            Notice::Mailbox(version, line) => {
                let line = self.mailbox.deliver(version, line, now);
                out.extend(line.map(|line| self.line_event(&line, frame)));
            }
            Notice::Channel(msgid, line) => {
                if let Some((channel, msgid)) = self.channel.as_mut().zip(msgid) {
                    channel.msgid = msgid;
                }
                out.push(self.line_event(&line, frame));
            }
        }
    }

    fn line_event(&self, line: &str, otherwise: &str) -> Output {
        match self.events.of_line(line) {
            Some(emitted) => Output::Event(emitted),
            None => Output::Unknown(otherwise.into()),
        }
    }

    pub(super) fn control(&mut self, name: Text, out: &mut Vec<Output>) {
        self.controls.push(name);
        if let Some(emitted) = self.events.of_control(&self.controls) {
            self.controls.clear();
            self.phase = Phase::Over;
            out.push(Output::Event(emitted));
        }
        self.controls.truncate(MAX_CONTROLS);
    }

    fn poll(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.phase != Phase::LoggedIn {
            return;
        }
        let Some(function) = self.catalog.mailbox() else { return };
        let (name, mut args) = (function.name.clone(), function.constants.clone());
        let Some(version) = self.mailbox.poll(now) else { return };
        // The tables have the version of the first poll; later polls use the current one.
        args.retain(|(arg, _)| &**arg != VERSION);
        args.push((VERSION.into(), version.into()));
        let pending = PendingCall {
            name: name.clone(),
            row_call: None,
            poll: true,
        };
        if let Ok((_, frame)) = self.send(&name, args, pending) {
            out.push(Output::Send(frame));
        }
    }
}
