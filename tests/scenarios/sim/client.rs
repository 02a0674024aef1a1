//! A legacy client: the frame handling of an unmodified SDK, recorded by documented names. The Web
//! client is one of the 1.4 line. Native clients use lines instead (`native_native_lines.rs`); Java's and
//! Python's are as strict as Python is.
//!
//! It uses the tables in reverse: a call becomes the frame of its function, a frame becomes the
//! event of the table. Besides, it is as strict as the strictest build: replies without a call,
//! versions with gaps and content without its keys are faults, and a fault fails a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::Value;
use tables::Tables;
use tables::profile::{Profile, Transport};
use tables::wire::{Local, Polls, ResumeMode, Target, Wire};

use super::VID;
use super::observed::Observed;

/// Delay of the acknowledgement after a delivery.
const ACKNOWLEDGE: Duration = Duration::from_secs(1);
/// Poll interval of an idle client.
const IDLE: Duration = Duration::from_secs(60);
/// Interval of pings of a client that sends nothing else. SDKs ping every ten seconds, whatever else they send.
const PING: Duration = Duration::from_secs(60);
/// The value of these pings.
pub(super) const OWN_PING: i64 = 71;
/// The event and the acknowledging call of a displayed invitation.
const RINGING: (&str, &str) = ("voip_invite", "voip_invite_ack");

/// A client.
pub struct Client {
    pub name: String,
    /// A Web build without `set_flag`, which loses its calls at another login.
    pub old: bool,
    pub account: String,
    pub token: String,
    pub socket: Option<SocketId>,
    /// The earlier socket, if a login has added a second one.
    pub older: Option<SocketId>,
    /// The older socket has got a `kick`.
    pub is_older_kicked: bool,
    /// 0 not logged in, 1 logging in, 2 logged in, 3 connection lost.
    pub status: u8,
    pub(super) next_poll: Option<Time>,
    /// The time of the last frame that it has sent.
    pub sent_at: Time,
    pub line: String,
    pub(super) tables: Arc<Tables>,
    pub(super) wire: Arc<Wire>,
    pub(super) now: Time,
    pub(super) observed: Vec<Observed>,
    /// Frames to be sent.
    pub(super) out: Vec<String>,
    pub(super) pending: BTreeMap<i64, Pending>,
    pub(super) channel_msgid: i64,
    /// The channel's number and name, for a resume by session line.
    pub(super) channel: Option<(String, String)>,
    /// The last notified version.
    pub(super) announced: i64,
    sequence: i64,
    counter: i64,
    /// The known calls, by channel and peer.
    known_calls: BTreeSet<(String, String)>,
}

/// A pending call.
pub(super) struct Pending {
    /// The function; `None` for a literal frame of a scenario.
    pub function: Option<usize>,
    /// The name, for an invoked function.
    pub name: String,
    pub invoked: bool,
    /// The call's arguments by their documented names.
    pub args: Vec<(String, Value)>,
}

impl Client {
    /// Creates a disconnected client.
    pub fn new(name: &str, tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        Self {
            name: name.into(),
            old: false,
            account: name.into(),
            token: "_no_need_token".into(),
            socket: None,
            older: None,
            is_older_kicked: false,
            status: 0,
            next_poll: None,
            sent_at: Time::default(),
            line: String::new(),
            tables,
            wire,
            now: Time::default(),
            observed: Vec::new(),
            out: Vec::new(),
            pending: BTreeMap::new(),
            channel_msgid: 0,
            channel: None,
            announced: 0,
            sequence: 0,
            counter: 0,
            known_calls: BTreeSet::new(),
        }
    }

    /// Takes the new events and the frames to send.
    pub fn take(&mut self) -> (Vec<Observed>, Vec<String>) {
        (std::mem::take(&mut self.observed), std::mem::take(&mut self.out))
    }

    pub(super) fn see<W: Into<String>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.observed.push(Observed::new(&self.name, words));
    }

    /// Records an output that no client could handle, so no scenario can expect it.
    pub(super) fn fault(&mut self, what: impl std::fmt::Display) {
        self.see(["FAULT".to_owned(), what.to_string()]);
    }

    /// Logs in on a new socket.
    pub fn login(&mut self, socket: SocketId) {
        self.older = self.socket.replace(socket);
        self.status = 1;
        (self.sequence, self.counter, self.channel_msgid) = (0, 0, 0);
        (self.channel, self.announced) = (None, 0);
        if self.old || self.wire.resume_mode != ResumeMode::ByLogin {
            self.known_calls.clear();
        }
        self.pending.clear();
        self.next_poll = None;
        let wire = self.wire.clone();
        let given = [("appId", VID), ("account", &*self.account), ("token", &*self.token)];
        let args: Vec<(String, Value)> = given.iter().map(|(k, v)| ((*k).into(), Value::text(*v))).collect();
        let fields = super::invert::fields(&wire.login, &args);
        self.out.push(match self.transport() {
            Transport::Tcp => format!("login {}", Value::Map(fields)),
            _ => format!("[\"login\",{}]", Value::Map(fields)),
        });
    }

    /// Returns the transport.
    pub fn transport(&self) -> Transport {
        self.profile().transport
    }

    fn profile(&self) -> &Profile {
        let mut profiles = self.tables.profiles.iter();
        let profile = profiles.find(|profile| profile.family == self.wire.family);
        profile.expect("a profile of the family")
    }

    /// Declares a later build, directly after the answer to the login.
    pub(super) fn declare(&mut self) {
        if self.profile().flagged.is_some() && !self.old {
            self.out.push(r#"["set_flag",{"binary":1}]"#.into());
        }
    }

    /// Returns the time of the next timer.
    pub fn deadline(&self) -> Option<Time> {
        let ping = (self.status == 2 && self.socket.is_some()).then(|| self.sent_at + PING);
        self.next_poll.into_iter().chain(ping).min()
    }

    /// Fires the timers: a poll, or else a ping.
    pub fn fire(&mut self, now: Time) {
        if self.next_poll.is_some_and(|at| at <= now) {
            self.poll(now);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.out.push(match self.transport() {
                Transport::Tcp => format!("line_ping:{OWN_PING}"),
                _ => format!(r#"["ping",{OWN_PING}]"#),
            });
        }
    }

    /// Makes a call and registers it as pending. `args` have documented names.
    pub(super) fn call(&mut self, function: usize, args: Vec<(String, Value)>, invoked: bool) {
        let wire = self.wire.clone();
        let mut fields = super::invert::fields(wire.function(function), &args);
        for (name, value) in &mut fields {
            if wire.function(function).acknowledges.as_ref() == Some(name) {
                *value = self.counter.into();
            }
        }
        let field = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| &**known == name)
                .map(|(_, value)| value.clone())
        };
        if &*wire.function(function).name == RINGING.0
            && let (Some(channel), Some(peer)) = (field("channelName"), field("peer"))
        {
            let call = (channel.into_text().to_string(), peer.into_text().to_string());
            self.known_calls.insert(call);
        }
        let id = self.send_call(&wire.function(function).name, fields);
        let pending = Pending {
            function: Some(function),
            name: String::new(),
            invoked,
            args,
        };
        self.pending.insert(id, pending);
    }

    /// Sends a call frame with these wire arguments and the session line.
    pub(super) fn send_call(&mut self, name: &str, mut fields: Vec<(Arc<str>, Value)>) -> i64 {
        self.sequence += 1;
        fields.push(("line".into(), Value::text(self.line.as_str())));
        let (sequence, fields) = (self.sequence, Value::Map(fields));
        self.out.push(match self.transport() {
            Transport::Tcp => format!("call {name} {sequence} 0 {fields}"),
            _ => format!(
                "[\"call2\",{}]",
                Value::List(vec![name.into(), sequence.into(), fields])
            ),
        });
        sequence
    }

    /// Polls for new lines, and acknowledges the received ones.
    pub fn poll(&mut self, now: Time) {
        let wire = self.wire.clone();
        self.next_poll = (wire.polls == Polls::AtLogin).then_some(now + IDLE);
        let mailbox = |target: &Target| matches!(target, Target::Local(Local::Mailbox));
        let Some(at) = wire.functions.iter().position(|f| mailbox(&f.target)) else {
            return;
        };
        let mut fields = super::invert::fields(&wire.functions[at], &[]);
        for (name, value) in &mut fields {
            if &**name == "ver_clear" {
                *value = self.counter.into();
            }
        }
        let id = self.send_call(&wire.functions[at].name, fields);
        let pending = Pending {
            function: Some(at),
            name: String::new(),
            invoked: false,
            args: Vec::new(),
        };
        self.pending.insert(id, pending);
    }

    /// Handles a closed socket.
    pub fn lost(&mut self, code: Option<u16>) {
        self.socket = None;
        if self.status != 0 {
            self.status = 3;
            self.see(
                ["closed".to_owned()]
                    .into_iter()
                    .chain(code.map(|code| code.to_string())),
            );
        }
        self.next_poll = None;
    }

    /// Closes the socket for good.
    pub(super) fn done(&mut self) {
        self.status = 0;
        self.socket = None;
        self.next_poll = None;
    }

    /// Handles the lines of a poll.
    pub(super) fn mailbox(&mut self, json: &Value) {
        let int = |value: Option<&Value>| value.and_then(Value::as_int);
        let Some(clear) = int(json.get("ver_clear")) else {
            return self.fault("a mailbox without ver_clear");
        };
        if clear < self.counter {
            self.fault(format!("ver_clear {clear} is behind {}", self.counter));
        }
        if self.wire.polls != Polls::OnNotification || clear > self.counter {
            self.counter = clear;
        }
        let before = self.counter;
        for item in json.get("msgs").and_then(Value::as_list).unwrap_or_default().to_vec() {
            let pair = item.as_list().unwrap_or_default();
            match (int(pair.first()), pair.get(1).and_then(Value::as_text)) {
                (Some(version), Some(line)) if version == self.counter + 1 => {
                    self.counter = version;
                    self.deliver(&line.clone());
                }
                _ => self.fault(format!("version {item} after {}", self.counter)),
            }
        }
        if self.wire.polls == Polls::OnNotification && self.counter < self.announced {
            // The client would poll again at once, forever.
            if self.counter == before {
                return self.fault(format!(
                    "version {} was announced and cannot be fetched",
                    self.announced
                ));
            }
            self.poll(self.now);
        }
    }

    /// Handles a notification of lines up to a version.
    pub(super) fn hinted(&mut self, version: i64) {
        self.announced = self.announced.max(version);
        if version > self.counter {
            self.poll(self.now);
        }
    }

    /// Handles a pushed line: accepted if it is the next one, otherwise a reason to poll.
    pub(super) fn pushed(&mut self, version: i64, line: &str) {
        if version == self.counter + 1 {
            self.counter = version;
            self.deliver(line);
        } else {
            self.poll(self.now);
        }
    }

    fn deliver(&mut self, line: &str) {
        // Python acknowledges with its next poll.
        if self.wire.polls != Polls::LoginThenNotified {
            let acknowledge = self.now + ACKNOWLEDGE;
            self.next_poll = Some(self.next_poll.map_or(acknowledge, |at| at.min(acknowledge)));
        }
        self.check_known_call(line);
        let kind = self.line(line, None);
        if kind.as_deref() == Some(RINGING.0) {
            self.acknowledge_call(line);
        }
    }

    /// Records a fault for events of an unknown call, on which Python crashes. A client without
    /// earlier state has no earlier calls.
    fn check_known_call(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(7, ' ').collect();
        let [_, _, _, _, kind, _, content] = words[..] else {
            return;
        };
        if self.wire.resume_mode == ResumeMode::ByLogin || !kind.starts_with(RINGING.0) {
            return;
        }
        let content = Value::from_json(content).unwrap_or_default();
        let field = |name: &str| content.get(name).cloned().unwrap_or_default().into_text().to_string();
        let call = (field("channel"), field("peer"));
        if kind == RINGING.0 {
            self.known_calls.insert(call);
        } else if !self.known_calls.contains(&call) {
            self.fault(format!("{kind} about a call that it does not know"));
        }
    }

    fn acknowledge_call(&mut self, line: &str) {
        let content = line.splitn(7, ' ').nth(6).and_then(|text| Value::from_json(text).ok());
        let field = |name: &str| content.as_ref().and_then(|c| c.get(name).cloned()).unwrap_or_default();
        let fields = vec![
            ("channelName".into(), field("channel")),
            ("peer".into(), field("peer")),
            ("extra".into(), "".into()),
        ];
        let id = self.send_call(RINGING.1, fields);
        let function = self.wire.find(RINGING.1, &Value::Null).map(|(at, _)| at);
        let pending = Pending {
            function,
            name: String::new(),
            invoked: false,
            args: Vec::new(),
        };
        self.pending.insert(id, pending);
    }
}
