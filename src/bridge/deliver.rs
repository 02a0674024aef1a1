//! Events on their way to the client, in the form that its family takes them.

use crate::mapping::wire::{ComesBack, Via};

use super::emulate::mailbox::Full;
use super::io::{Effect, Event, Form};
use super::session::{Session, Step};

impl Session {
    /// Sends an event, keeps it for a client that will be back, or drops it for one that has no use for it.
    pub(super) fn deliver(&mut self, event: Event, step: &mut Step<'_>) {
        let Some(wire) = self.context.wire.clone() else {
            return self.notify(Form::Direct, event, step);
        };
        let Some(form) = wire.events.get(event.sig).and_then(Option::as_ref) else {
            return;
        };
        match form.via {
            Via::Mailbox => self.post(event, form.volatile, step),
            Via::Channel => {
                let kept = self.comes_back() == ComesBack::ByLine;
                let Some(channel) = self.channel.as_mut().filter(|c| !c.muted) else {
                    return;
                };
                channel.msgid += 1;
                if kept {
                    channel.ring.push(channel.msgid, event.clone());
                }
                if channel.away {
                    return;
                }
                let form = Form::Channel {
                    cid: self.cids.unsigned_abs(),
                    msgid: channel.msgid,
                };
                self.notify(form, event, step);
            }
            Via::Control => self.notify(Form::Control, event, step),
            Via::Client => {}
        }
    }

    fn post(&mut self, event: Event, volatile: bool, step: &mut Step<'_>) {
        match self
            .mailbox
            .push(event.clone(), volatile, step.now, self.context.limits.mailbox)
        {
            Ok(Some(version)) => {
                if self.socket.is_some() {
                    self.mailbox.told(version);
                }
                self.notify(Form::Mailbox(version), event, step);
            }
            Ok(None) => {}
            Err(Full) => step.out.push(Effect::Dropped("mailbox lines")),
        }
    }

    fn notify(&mut self, form: Form, event: Event, step: &mut Step<'_>) {
        if let Some(socket) = self.socket {
            step.out.push(Effect::Notify { socket, form, event });
        }
    }
}
