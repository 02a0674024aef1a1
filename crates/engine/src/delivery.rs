//! Delivery of events to the client, in the form of its family.
//!
//! Clients of the documented API receive each event by name. The event's form on a line wire still
//! decides about clients that are disconnected (the event is stored) or have not rejoined their
//! channel (it is dropped).

use protocol::event::{Event, Form};
use rtm::value::Text;
use tables::errors::EngineCode;
use tables::ty::SigType;
use tables::wire::{ResumeMode, Via};

use crate::api::{DropReason, Effect};
use crate::emulate::mailbox::Full;
use crate::emulate::mailbox_share::Amount;
use crate::session::{Ctx, Session};

/// The bound of each store while the memory budget is exhausted.
const SMALL_SHARE: usize = 16 * 1024;

impl Session {
    /// Sends an event, stores it for a disconnected client, or drops it if the client cannot use
    /// it.
    pub(super) fn deliver(&mut self, event: Event, ctx: &mut Ctx<'_>) {
        let wire = self.context.wire.clone();
        let Some(form) = wire.events.get(event.sig).and_then(Option::as_ref) else {
            return;
        };
        match form.via {
            Via::Mailbox if wire.documented && self.socket.is_some() => self.notify(Form::Direct, event, ctx),
            Via::Mailbox if form.volatile && self.socket.is_none() && !self.gets_missed_events() => {
                ctx.out.push(match form.missed {
                    Some(code) => Effect::Note {
                        row: event.row,
                        code,
                        about: None,
                    },
                    None => Effect::Dropped(DropReason::LinesWithoutClient),
                });
            }
            Via::Mailbox => {
                let outlives = self.resume_mode() == ResumeMode::ToSession;
                self.post(event, form.volatile && !outlives, ctx);
            }
            Via::Channel => {
                let offline_lines = self.resume_mode() == ResumeMode::BySessionLine;
                let Some(channel) = self.channel.as_mut().filter(|c| !c.muted) else {
                    return;
                };
                if wire.documented {
                    return self.notify(Form::Direct, event, ctx);
                }
                channel.msgid += 1;
                if offline_lines {
                    channel.ring.push(channel.msgid, event.clone());
                }
                if channel.away {
                    return;
                }
                let form = Form::Channel {
                    cid: self.cids.unsigned_abs(),
                    msgid: channel.msgid,
                };
                self.notify(form, event, ctx);
            }
            Via::Control | Via::Client if wire.documented => self.notify(Form::Direct, event, ctx),
            Via::Control => self.notify(Form::Control, event, ctx),
            Via::Client => {}
        }
    }

    /// Sends an event that is part of an answer, even while other events are held back.
    pub(super) fn deliver_part(&mut self, event: Event, ctx: &mut Ctx<'_>) {
        if self.context.wire.documented {
            self.notify(Form::Direct, event, ctx);
        } else {
            self.deliver(event, ctx);
        }
    }

    /// Sends the stored events to a client of the documented API; other clients poll.
    pub(super) fn deliver_waiting(&mut self, ctx: &mut Ctx<'_>) {
        if self.context.wire.documented && self.socket.is_some() {
            for (event, at) in self.mailbox.leave() {
                if ctx.now.since(at) < self.context.limits.mailbox_ttl {
                    self.notify(Form::Direct, event, ctx);
                } else {
                    ctx.out.push(Effect::Dropped(DropReason::EarlierMailboxLines));
                }
            }
        }
    }

    fn post(&mut self, event: Event, volatile: bool, ctx: &mut Ctx<'_>) {
        let (row, sender) = (event.row, self.sender_of(&event));
        let bound = self.mailbox_bound();
        match self
            .mailbox
            .push(event.clone(), (sender.clone(), volatile), ctx.now, bound)
        {
            Ok(Some(version)) => {
                if self.socket.is_some() && self.accepts_pushed_lines() {
                    self.mailbox.pushed(version);
                }
                self.notify(Form::Mailbox(version), event, ctx);
            }
            Ok(None) => {}
            Err(Full) => {
                ctx.out.push(Effect::Dropped(DropReason::MailboxLines));
                self.note_own(EngineCode::MailboxFull, Some(row), Some(sender), ctx);
            }
        }
    }

    /// Returns the account that caused an event.
    pub(super) fn sender_of(&self, event: &Event) -> Text {
        let mut args = self.context.tables.signatures[event.sig].args.iter();
        let at = args.position(|(_, ty)| *ty == SigType::Account);
        let sender = at.and_then(|at| event.args.get(at)?.as_text().cloned());
        sender.unwrap_or_else(|| self.account.clone())
    }

    /// Returns the bound of the mailbox.
    pub(super) fn mailbox_bound(&self) -> Amount {
        Amount {
            events: self.context.limits.mailbox,
            bytes: self.most_bytes(),
        }
    }

    /// Returns the bound of each of the session's stores, in bytes.
    pub(super) fn most_bytes(&self) -> usize {
        let most = self.context.limits.mailbox_bytes;
        if self.pressed { most.min(SMALL_SHARE) } else { most }
    }

    /// Returns the size of all stores, in bytes.
    pub fn bytes(&self) -> usize {
        let ring = self.channel.as_ref().map_or(0, |channel| channel.ring.bytes());
        self.mailbox.bytes() + self.outbox.bytes() + ring
    }

    fn notify(&mut self, form: Form, event: Event, ctx: &mut Ctx<'_>) {
        if let Some(socket) = self.socket {
            ctx.out.push(Effect::Notify { socket, form, event });
        }
    }
}
