//! Frames for clients of WebSockets. Always two elements, always text (signaling-wire 2).

use std::sync::Arc;

use crate::bridge::{Answer, CallRef, Event, Form, LOGIN};
use crate::front::line::line;
use crate::front::reply::{Reply, number};
use crate::mapping::Tables;
use crate::mapping::profile::{NotifyForm, Profile};
use crate::mapping::wire::{FailureForm, Wire};
use crate::shell::{Asked, LineContext, Speech};
use crate::value::{Text, Value};

/// The language of the clients of a profile.
#[derive(Debug)]
pub struct WebSpeech {
    tables: Arc<Tables>,
    wire: Arc<Wire>,
    profile: Arc<Profile>,
}

impl WebSpeech {
    /// The language of a profile.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>, profile: Arc<Profile>) -> Self {
        Self { tables, wire, profile }
    }
}

impl Speech for WebSpeech {
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String> {
        let function = self.wire.function(call.function);
        let reply = Reply::of_answer(&self.tables, &self.wire, function, answer);
        if call.function == LOGIN {
            return vec![frame(
                "login_ret",
                &Value::List(vec![reply.err.into(), reply.json.into()]),
            )];
        }
        vec![call2_ret(call.id, reply)]
    }

    /// These clients do not come back by their line.
    fn returned(&self, _: bool) -> Vec<String> {
        Vec::new()
    }

    fn plain(&self, asked: Asked<'_>, form: FailureForm, result: Result<(), &str>) -> Vec<String> {
        vec![call2_ret(asked.id, Reply::plain(form, result))]
    }

    fn mailbox(
        &self,
        asked: Asked<'_>,
        ver_clear: u64,
        lines: &[(u64, Event)],
        context: LineContext<'_>,
    ) -> Vec<String> {
        let lines = lines.iter().filter_map(|(version, event)| {
            let form = self.wire.events.get(event.sig)?.as_ref()?;
            Some((*version, line(form, &self.profile, event, context)))
        });
        vec![call2_ret(asked.id, Reply::mailbox(ver_clear, lines))]
    }

    fn notify(&self, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String> {
        let Some(wire_event) = self.wire.events.get(event.sig).and_then(Option::as_ref) else {
            return Vec::new();
        };
        match form {
            Form::Mailbox(version) if self.profile.notify == NotifyForm::Hint => self.hint(version),
            // The string form is delivered at once, where the array form would only hint at a poll.
            Form::Mailbox(version) => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                let line = line(wire_event, &self.profile, event, context);
                let pair = Value::List(vec![number(version), Value::Text(line.into())]);
                vec![frame("notify", &Value::Text(format!("notify recvmsg {pair}").into()))]
            }
            Form::Channel { cid, msgid } => {
                let line = Value::Text(line(wire_event, &self.profile, event, context).into());
                let items = vec!["channel2".into(), number(cid), number(msgid), line];
                vec![frame("notify", &Value::List(items))]
            }
            Form::Control => {
                let ecode = event.args.first().and_then(Value::as_int).unwrap_or(0);
                let names = wire_event.frames_for(ecode).iter();
                names.flat_map(|name| self.control(name)).collect()
            }
            Form::Direct => Vec::new(),
        }
    }

    fn hint(&self, version: u64) -> Vec<String> {
        vec![frame("notify", &Value::List(vec!["msg".into(), number(version)]))]
    }

    fn pong(&self, value: &Value) -> Vec<String> {
        vec![frame("pong", value)]
    }

    fn control(&self, name: &str) -> Vec<String> {
        vec![frame(name, &"".into())]
    }
}

fn call2_ret(id: i64, reply: Reply) -> String {
    let Reply { err, json } = reply;
    frame("call2-ret", &Value::List(vec![id.into(), err.into(), json.into()]))
}

/// A frame by name.
fn frame(name: &str, arg: &Value) -> String {
    let mut text = Value::Text(Text::from(name)).to_json();
    text.insert(0, '[');
    text.push(',');
    text.push_str(&arg.to_json());
    text.push(']');
    text
}
