//! Events on their way to the client, in the form that its family takes them.
//!
//! Clients of the documented API get each event by its name; how it would travel on a wire of lines still says what of
//! it holds for a client that is away (it is kept), or back and not in its channel again (it is not told).

use rtm::value::Text;
use tables::ty::SigType;
use tables::wire::{ComesBack, Via};

use crate::api::Effect;
use crate::emulate::mailbox::Full;
use crate::emulate::mailbox_share::Amount;
use crate::session::{Session, Step};
use protocol::event::{Event, Form};

/// What may wait in a store of a session while the memory of the sidecar is full.
const SMALL_SHARE: usize = 16 * 1024;

impl Session {
    /// Sends an event, keeps it for a client that will be back, or drops it for one that has no use for it.
    pub(super) fn deliver(&mut self, event: Event, step: &mut Step<'_>) {
        let wire = self.context.wire.clone();
        let Some(form) = wire.events.get(event.sig).and_then(Option::as_ref) else {
            return;
        };
        match form.via {
            Via::Mailbox if wire.documented && self.socket.is_some() => self.notify(Form::Direct, event, step),
            Via::Mailbox if form.volatile && self.socket.is_none() && !self.catches_up() => {
                step.out.push(match form.missed {
                    Some(code) => Effect::Note {
                        row: event.row,
                        code,
                        about: None,
                    },
                    None => Effect::Dropped("lines of a client that is away"),
                });
            }
            Via::Mailbox => {
                let outlives = self.comes_back() == ComesBack::ToSession;
                self.post(event, form.volatile && !outlives, step);
            }
            Via::Channel => {
                let kept = self.comes_back() == ComesBack::ByLine;
                let Some(channel) = self.channel.as_mut().filter(|c| !c.muted) else {
                    return;
                };
                if wire.documented {
                    return self.notify(Form::Direct, event, step);
                }
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
            Via::Control | Via::Client if wire.documented => self.notify(Form::Direct, event, step),
            Via::Control => self.notify(Form::Control, event, step),
            Via::Client => {}
        }
    }

    /// Sends an event of an answer: what a client has asked for it is told, whatever is held back from it.
    pub(super) fn deliver_part(&mut self, event: Event, step: &mut Step<'_>) {
        if self.context.wire.documented {
            self.notify(Form::Direct, event, step);
        } else {
            self.deliver(event, step);
        }
    }

    /// Tells a client of the documented API what was kept for it; others ask for it.
    pub(super) fn deliver_waiting(&mut self, step: &mut Step<'_>) {
        if self.context.wire.documented && self.socket.is_some() {
            for (event, at) in self.mailbox.leave() {
                if step.now.since(at) < self.context.limits.mailbox_ttl {
                    self.notify(Form::Direct, event, step);
                } else {
                    step.out.push(Effect::Dropped("mailbox lines of an earlier login"));
                }
            }
        }
    }

    fn post(&mut self, event: Event, volatile: bool, step: &mut Step<'_>) {
        let (row, sender) = (event.row, self.sender_of(&event));
        let bound = self.mailbox_bound();
        match self
            .mailbox
            .push(event.clone(), (sender.clone(), volatile), step.now, bound)
        {
            Ok(Some(version)) => {
                if self.socket.is_some() && self.takes_lines() {
                    self.mailbox.pushed(version);
                }
                self.notify(Form::Mailbox(version), event, step);
            }
            Ok(None) => {}
            Err(Full) => {
                step.out.push(Effect::Dropped("mailbox lines"));
                self.note_own("MAILBOX-FULL", Some(row), Some(sender), step);
            }
        }
    }

    /// The account that an event tells of.
    pub(super) fn sender_of(&self, event: &Event) -> Text {
        let mut args = self.context.tables.signatures[event.sig].args.iter();
        let at = args.position(|(_, ty)| *ty == SigType::Account);
        let sender = at.and_then(|at| event.args.get(at)?.as_text().cloned());
        sender.unwrap_or_else(|| self.account.clone())
    }

    /// What may wait in the mailbox.
    pub(super) fn mailbox_bound(&self) -> Amount {
        Amount {
            events: self.context.limits.mailbox,
            bytes: self.most_bytes(),
        }
    }

    /// What may wait in one of the session's stores.
    pub(super) fn most_bytes(&self) -> usize {
        let most = self.context.limits.mailbox_bytes;
        if self.pressed { most.min(SMALL_SHARE) } else { most }
    }

    /// What waits for the client, and for others, in bytes.
    pub fn bytes(&self) -> usize {
        let ring = self.channel.as_ref().map_or(0, |channel| channel.ring.bytes());
        self.mailbox.bytes() + self.outbox.bytes() + ring
    }

    fn notify(&mut self, form: Form, event: Event, step: &mut Step<'_>) {
        if let Some(socket) = self.socket {
            step.out.push(Effect::Notify { socket, form, event });
        }
    }
}
