//! Storing a session, and continuing with a stored one.

use protocol::event::{CallRef, SocketId};
use rtm::time::Time;
use rtm::{ChannelId, PeerMessageErr, RtmCall, RtmError, RtmReply};
use tables::condition::{Emulation, EmulationOutcome};
use tables::reason::Reason;
use tables::wire::ResumeMode;

use crate::api::{Attach, Effect, EndReason, TimerKey};
use crate::context::Ctx;
use crate::durable::{AT_ONCE, Changes, Head, Record};
use crate::run::Run;
use crate::session::Session;

impl Session {
    /// Returns the changes since the last call; `None` if there are none.
    pub fn changes(&mut self) -> Option<Changes> {
        let ended = matches!(self.end_reason, Some(EndReason::LoggedOut | EndReason::Lost));
        let channel = self.channel_name().cloned();
        let saved = self.saved.as_mut()?;
        let (mailbox, outbox) = (&mut self.client.mailbox, &mut self.outbox);
        let head = Head {
            family: self.env.wire.family.clone(),
            ended,
            versions: mailbox.versions(),
            cids: self.channel.joins(),
            line: self.client.line.clone(),
            channel: channel.or_else(|| saved.channel.clone()),
        };
        let mut changes = Changes {
            all: std::mem::take(&mut saved.unknown),
            until: outbox.until(),
            ..Changes::default()
        };
        if changes.all {
            mailbox.stored.forget();
            outbox.stored.forget();
        }
        if mailbox.stored.below < mailbox.stored.added {
            let unstored = mailbox.unstored().take(AT_ONCE + 1).collect();
            changes.more |= mailbox.stored.take(unstored, &mut changes.lines);
        }
        if outbox.stored.below < outbox.stored.added {
            let unstored = outbox.unstored().take(AT_ONCE + 1).collect();
            changes.more |= outbox.stored.take(unstored, &mut changes.messages);
        }
        changes.removed_lines = std::mem::take(&mut mailbox.stored.removed);
        changes.removed_messages = std::mem::take(&mut outbox.stored.removed);
        if changes.all || head != saved.head {
            saved.head = head.clone();
            changes.head = Some(head);
        }
        if changes.all || !self.invitations.are(&saved.calls) {
            saved.calls = self.invitations.saved();
            changes.calls = Some(saved.calls.clone());
        }
        let is_changed = changes.all
            || changes.head.is_some()
            || changes.calls.is_some()
            || !changes.lines.is_empty()
            || !changes.messages.is_empty()
            || !changes.removed_lines.is_empty()
            || !changes.removed_messages.is_empty();
        is_changed.then_some(changes)
    }

    /// Handles a store that may have lost changes: the next ones contain everything.
    pub fn store_again(&mut self) {
        if let Some(saved) = &mut self.saved {
            saved.unknown = true;
        }
    }

    /// Returns a number that grows with everything that must be stored before the client gets it.
    pub fn to_store(&self) -> u64 {
        self.client.mailbox.stored.progress() + self.outbox.stored.progress()
    }

    /// Returns true while an event waits for a name: it is not in a mailbox yet.
    pub fn has_waiting_events(&self) -> bool {
        self.directory.has_waiting()
    }

    /// Continues a stored session, before the first step; without `how` with its lines and messages only.
    pub fn restore(&mut self, now: Time, record: Record, how: Option<Attach>, out: &mut Vec<Effect>) {
        let env = self.env.clone();
        let first = out.len();
        let ctx = &mut Ctx::new(now, &env, out);
        self.outbox.restore(record.messages);
        self.client.mailbox.restore(record.head.versions, record.lines);
        self.channel.set_joins(record.head.cids);
        // The store has the record: only its changes are saved. Replacing it takes several steps for a long mailbox.
        let calls = record.calls.clone();
        let unanswered = self.invitations.restore(record.calls);
        if let Some(saved) = &mut self.saved {
            saved.unanswered = unanswered;
            saved.calls = calls;
        }
        let is_of_family = record.head.family == env.wire.family;
        match how.filter(|_| is_of_family) {
            Some(Attach::BySessionLine) => {
                if let Some(saved) = &mut self.saved {
                    saved.channel = record.head.channel;
                }
            }
            Some(Attach::Resume | Attach::Twin) => {
                let mode = env.wire.resume_mode;
                self.begin_again(matches!(mode, ResumeMode::BySessionLine | ResumeMode::Never), ctx);
            }
            Some(Attach::Reset) => {
                self.client.lose_calls();
                self.begin_again(true, ctx);
            }
            None => {
                self.client.end_lines(ctx);
                self.client.mailbox.forget_versions();
                self.invitations.forget(&mut self.requests, ctx);
            }
        }
        self.timers.note(&out[first..]);
    }

    /// Resumes a stored session by its line: RTM has to know it first.
    pub(super) fn resume_elsewhere(&mut self, call: CallRef, ctx: &mut Ctx<'_>) {
        let (Some(saved), Some(uid)) = (&mut self.saved, ctx.env.own_user()) else {
            return self.end(EndReason::Refused, ctx);
        };
        saved.resuming = Some(call);
        ctx.set_timer_in(TimerKey::Login, ctx.env.limits.login);
        self.requests.send_aside(RtmCall::Login { uid, token: None }, ctx);
    }

    /// Handles RTM's answer to the login of a resume.
    pub(super) fn resumed_login(&mut self, accepted: bool, ctx: &mut Ctx<'_>) {
        let Some(call) = self.saved.as_mut().and_then(|saved| saved.resuming.take()) else {
            return;
        };
        if !accepted {
            return self.end(EndReason::Refused, ctx);
        }
        self.status.logged_in = true;
        self.directory.write_own(&mut self.requests, ctx);
        if let Some(name) = self.saved.as_mut().and_then(|saved| saved.channel.take())
            && let Ok(id) = ChannelId::new(ctx.env.names.channel_id(&name))
        {
            self.channel.join_again(name, id.clone());
            let channel_id = id.clone();
            self.requests.send_aside(RtmCall::Join { channel_id }, ctx);
            // The client has the members.
            if let Some(saved) = &mut self.saved {
                saved.lists = Some(id.clone());
            }
            self.requests.send_aside(RtmCall::GetMembers { channel_id: id }, ctx);
        }
        self.resumed(call, None, ctx);
        if let Some((socket, cid, msgid)) = self.saved.as_mut().and_then(|saved| saved.subscribed.take()) {
            self.channel.resume_lines(socket, cid, msgid, ctx);
        }
        self.continue_restored(ctx);
    }

    /// Keeps the channel state of a client whose resume is pending; returns true if it is.
    pub(super) fn subscribed_early(&mut self, socket: SocketId, cid: u64, msgid: u64) -> bool {
        let saved = self.saved.as_mut().filter(|saved| saved.resuming.is_some());
        saved
            .map(|saved| saved.subscribed = Some((socket, cid, msgid)))
            .is_some()
    }

    /// Handles the timeout of a resume.
    pub(super) fn resume_refused(&mut self) {
        if let Some(saved) = &mut self.saved {
            saved.resuming = None;
        }
    }

    /// Takes the members of a channel that was joined again, without events; returns true if it did.
    pub(super) fn lists_silently(&mut self, id: &ChannelId, reply: Option<&RtmReply>) -> bool {
        let lists = self.saved.as_mut();
        let lists = lists.and_then(|saved| saved.lists.take_if(|lists| lists == id));
        if lists.is_some()
            && let Some(RtmReply::UserIds(list)) = reply
        {
            self.channel.list_silently(id, list);
        }
        lists.is_some()
    }

    /// Continues messages and calls of a restored session after its login.
    pub(super) fn continue_restored(&mut self, ctx: &mut Ctx<'_>) {
        let Some(saved) = &mut self.saved else { return };
        let unanswered = std::mem::take(&mut saved.unanswered);
        let peer_ids = self.outbox.peers();
        if !peer_ids.is_empty() {
            let follow = RtmCall::SubscribePeersOnlineStatus { peer_ids };
            self.requests.send_aside(follow, ctx);
            self.outbox.set_timer(ctx);
        }
        for (role, invitation) in unanswered {
            let origin = self.invitations.origin(role, invitation);
            self.invitations.remove(role, invitation);
            if let Some(origin) = origin {
                self.fire_origin(origin, EmulationOutcome::TimedOut, ctx);
            }
        }
    }
}

/// Returns true for a run whose call is answered once RTM or the store has its message.
pub(super) fn answers_late(run: &Run, ctx: &Ctx<'_>) -> bool {
    ctx.env.durable && run.emulation(ctx.env) == Some(Emulation::Outbox)
}

/// Returns the reason if a run that answers late has failed, so that its message is neither sent nor stored.
pub(super) fn late_failure(run: &Run, outcome: Option<usize>, ctx: &Ctx<'_>) -> Option<Reason> {
    let error = run.error?;
    let keeps = outcome.is_some_and(|at| ctx.env.row(run.row).outcomes[at].hold);
    let is_timeout = error == RtmError::PeerMessage(PeerMessageErr::Timeout);
    (!keeps).then_some(if is_timeout { Reason::Timeout } else { Reason::Failed })
}
