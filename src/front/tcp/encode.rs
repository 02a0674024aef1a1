//! Lines for native clients (signaling-wire 10).

use std::sync::Arc;

use crate::bridge::{Answer, CallRef, Event, Form, LOGIN};
use crate::front::line::line;
use crate::front::reply::{Reply, number};
use crate::mapping::Tables;
use crate::mapping::profile::{NotifyForm, Profile};
use crate::mapping::wire::{FailureForm, Wire};
use crate::shell::{Asked, LineContext, Speech};
use crate::value::Value;

/// The language of the clients of a profile.
#[derive(Debug)]
pub struct NativeSpeech {
    tables: Arc<Tables>,
    wire: Arc<Wire>,
    profile: Arc<Profile>,
}

impl NativeSpeech {
    /// The language of a profile.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>, profile: Arc<Profile>) -> Self {
        Self { tables, wire, profile }
    }
}

impl Speech for NativeSpeech {
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String> {
        let function = self.wire.function(call.function);
        let reply = Reply::of_answer(&self.tables, &self.wire, function, answer);
        if call.function != LOGIN {
            let asked = Asked {
                function: &function.name,
                id: call.id,
            };
            return vec![call_ret(asked, &reply)];
        }
        // Words are counted, so the JSON must be one: four after a success, three after a failure.
        let json = reply.json.replace(' ', "\\u0020");
        let words = if answer.failure.is_none() { "ok ok" } else { "failed" };
        vec![format!("login_res {words} {json}")]
    }

    fn returned(&self, welcome: bool) -> Vec<String> {
        let word = if welcome { "ok" } else { "kick" };
        vec![format!("line_login_res {word}")]
    }

    fn plain(&self, asked: Asked<'_>, form: FailureForm, result: Result<(), &str>) -> Vec<String> {
        vec![call_ret(asked, &Reply::plain(form, result))]
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
        vec![call_ret(asked, &Reply::mailbox(ver_clear, lines))]
    }

    fn notify(&self, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String> {
        let Some(wire_event) = self.wire.events.get(event.sig).and_then(Option::as_ref) else {
            return Vec::new();
        };
        match form {
            Form::Mailbox(version) if self.profile.notify == NotifyForm::Hint => self.hint(version),
            Form::Mailbox(version) => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                let line = line(wire_event, &self.profile, event, context);
                let pair = Value::List(vec![number(version), Value::Text(line.into())]);
                vec![format!("notify recvmsg {pair}")]
            }
            // Its number of the channel is not told here, unlike on the Web.
            Form::Channel { msgid, .. } => {
                let line = line(wire_event, &self.profile, event, context);
                vec![format!("notify channel2 {msgid} {line}")]
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
        vec![format!("notify msg {version}")]
    }

    fn pong(&self, value: &Value) -> Vec<String> {
        vec![format!("line_pong:{}", value.clone().into_text())]
    }

    fn control(&self, name: &str) -> Vec<String> {
        vec![format!("notify {name}")]
    }
}

/// A failure is in the JSON alone: there is no `err` here. What the third word means nobody knows.
fn call_ret(asked: Asked<'_>, reply: &Reply) -> String {
    format!("call_ret {} {} 0 {}", asked.function, asked.id, reply.json)
}
