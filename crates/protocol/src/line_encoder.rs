//! Encoder for clients with message lines; the transports differ only in their frames.

use std::fmt::Debug;
use std::sync::Arc;

use rtm::value::Value;
use tables::Tables;
use tables::profile::{NotifyForm, Profile};
use tables::wire::{FailureForm, Wire};

use crate::encoder::{Encoder, LineContext, NamedCall, Resumed};
use crate::event::{Answer, CallRef, Event, Form, LOGIN};
use crate::message_line::line;
use crate::reply::Reply;

/// The frames of a transport.
pub trait Frames: Send + Sync + Debug {
    /// Encodes the answer to a login.
    fn login(&self, reply: Reply, refused: bool) -> String;

    /// Encodes the answer to a resume by line; `None` if clients do not resume by line.
    fn resumed(&self, resumed: Resumed) -> Option<String>;

    /// Encodes the answer to a call.
    fn reply(&self, call: NamedCall<'_>, reply: Reply) -> String;

    /// Encodes a mailbox line.
    fn message(&self, version: u64, line: String) -> String;

    /// Encodes a channel line.
    fn channel(&self, cid: u64, msgid: u64, line: String) -> String;

    /// Encodes the notification of lines up to a version.
    fn hint(&self, version: u64) -> String;

    /// Encodes the answer to a ping.
    fn pong(&self, value: &Value) -> String;

    /// Encodes a control frame.
    fn control(&self, name: &str) -> String;
}

/// The encoder of a profile.
#[derive(Debug)]
pub struct LineEncoder<F> {
    tables: Arc<Tables>,
    wire: Arc<Wire>,
    profile: Arc<Profile>,
    frames: F,
}

impl<F: Frames> LineEncoder<F> {
    /// Creates the encoder of a profile, with the frames of its transport.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>, profile: Arc<Profile>, frames: F) -> Self {
        Self {
            tables,
            wire,
            profile,
            frames,
        }
    }
}

impl<F: Frames> Encoder for LineEncoder<F> {
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String> {
        let function = self.wire.function(call.function);
        let reply = Reply::of_answer(&self.tables, &self.wire, function, answer);
        if call.function == LOGIN {
            return vec![self.frames.login(reply, answer.failure.is_some())];
        }
        let call = NamedCall {
            function: &function.name,
            id: call.id,
        };
        vec![self.frames.reply(call, reply)]
    }

    fn resumed(&self, resumed: Resumed) -> Vec<String> {
        self.frames.resumed(resumed).into_iter().collect()
    }

    fn plain(&self, call: NamedCall<'_>, form: FailureForm, result: Result<(), &str>) -> Vec<String> {
        vec![self.frames.reply(call, Reply::plain(form, result))]
    }

    fn mailbox(
        &self,
        call: NamedCall<'_>,
        ver_clear: u64,
        lines: &[(u64, Event)],
        context: LineContext<'_>,
    ) -> Vec<String> {
        let lines = lines.iter().filter_map(|(version, event)| {
            let form = self.wire.events.get(event.sig)?.as_ref()?;
            Some((*version, line(form, &self.profile, event, context)))
        });
        vec![self.frames.reply(call, Reply::mailbox(ver_clear, lines))]
    }

    fn notify(&self, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String> {
        let Some(wire_event) = self.wire.events.get(event.sig).and_then(Option::as_ref) else {
            return Vec::new();
        };
        let frame = match form {
            Form::Mailbox(version) if self.profile.notify == NotifyForm::Hint => self.frames.hint(version),
            Form::Mailbox(version) => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                self.frames
                    .message(version, line(wire_event, &self.profile, event, context))
            }
            Form::Channel { cid, msgid } => {
                self.frames
                    .channel(cid, msgid, line(wire_event, &self.profile, event, context))
            }
            Form::Control => {
                let ecode = event.args.first().and_then(Value::as_int).unwrap_or(0);
                let names = wire_event.frames_for(ecode).iter();
                return names.map(|name| self.frames.control(name)).collect();
            }
            Form::Direct => return Vec::new(),
        };
        vec![frame]
    }

    fn hint(&self, version: u64) -> Vec<String> {
        vec![self.frames.hint(version)]
    }

    fn pong(&self, value: &Value) -> Vec<String> {
        vec![self.frames.pong(value)]
    }

    fn control(&self, name: &str) -> Vec<String> {
        vec![self.frames.control(name)]
    }
}
