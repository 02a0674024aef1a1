//! The calls that a session knows: who called whom, about which channel, and how far it got (decisions H9).

use crate::mapping::row::RowId;
use crate::rtm::{InvitationId, RtmCall};
use crate::value::{Text, Value};

use super::super::io::{Effect, TimerKey};
use super::super::run::Run;
use super::super::session::{Session, Step};

/// Calls that are remembered; the oldest is forgotten first.
const MAX_CALLS: usize = 256;

/// Which side of a call the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It called.
    Caller,
    /// It was called.
    Callee,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The channel that it is about.
    pub channel: Text,
    /// The other party's account.
    pub peer: Text,
    /// Which side the session is.
    pub role: Role,
    /// RTM's object.
    pub invitation: InvitationId,
    /// It was accepted.
    pub answered: bool,
    /// This side is hanging up: what RTM still tells of it is no news.
    pub closing: bool,
    /// The row that made it, with its values, for outcomes that come later.
    origin: Option<(RowId, Vec<Value>)>,
}

/// All calls of a session.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    entries: Vec<Call>,
    next: u64,
}

impl Calls {
    /// The latest call with that channel and party.
    pub fn find(&self, channel: &str, peer: &str, role: Option<Role>) -> Option<&Call> {
        let fits = |c: &&Call| &*c.channel == channel && &*c.peer == peer && role.is_none_or(|role| c.role == role);
        self.entries.iter().rev().find(fits)
    }

    /// The call of an RTM object; RTM numbers both sides on their own.
    pub fn by_invitation(&mut self, role: Role, invitation: InvitationId) -> Option<&mut Call> {
        self.entries
            .iter_mut()
            .find(|c| c.role == role && c.invitation == invitation)
    }

    /// Adds a call.
    pub fn add(&mut self, channel: Text, peer: Text, role: Role, invitation: InvitationId) {
        if self.entries.len() >= MAX_CALLS {
            self.entries.remove(0);
        }
        self.entries.push(Call {
            channel,
            peer,
            role,
            invitation,
            answered: false,
            closing: false,
            origin: None,
        });
    }

    /// Forgets a call.
    pub fn remove(&mut self, role: Role, invitation: InvitationId) -> Option<Call> {
        let at = self
            .entries
            .iter()
            .position(|c| c.role == role && c.invitation == invitation)?;
        Some(self.entries.remove(at))
    }

    /// Notes that a call was accepted.
    pub fn answered(&mut self, role: Role, invitation: InvitationId) {
        if let Some(call) = self.by_invitation(role, invitation) {
            call.answered = true;
        }
    }

    /// A number for an outgoing invitation.
    pub fn new_invitation(&mut self) -> InvitationId {
        self.next += 1;
        InvitationId(self.next)
    }
}

impl Session {
    /// An invitation goes out: it is known from now on, and its time runs. One to the same party about the same channel
    /// that still rings is withdrawn: clients know only the later one.
    pub(in crate::bridge) fn calling(&mut self, run: &Run, invitation: InvitationId, step: &mut Step<'_>) {
        let Some((channel, peer)) = self.channel_of(run).zip(self.account_of(run)) else {
            return;
        };
        let earlier = self
            .calls
            .find(&channel, &peer, Some(Role::Caller))
            .filter(|c| !c.answered)
            .map(|c| c.invitation);
        if let Some(earlier) = earlier {
            self.calls.remove(Role::Caller, earlier);
            self.send_aside(
                RtmCall::LocalInvitationCancel {
                    invitation: earlier,
                    content: Some("".into()),
                },
                step,
            );
        }
        self.calls.add(channel, peer, Role::Caller, invitation);
        if let Some(call) = self.calls.by_invitation(Role::Caller, invitation) {
            call.origin = Some((run.row, run.slots.clone()));
        }
        let row = &self.context.tables.rows[run.row];
        let timeout = row.slots.iter().position(|(name, _)| &**name == "timeout");
        let seconds = timeout
            .and_then(|slot| run.slots[slot].as_int())
            .and_then(|n| u64::try_from(n).ok());
        let after = seconds.map_or(self.context.limits.invite, std::time::Duration::from_secs);
        step.out.push(Effect::SetTimer {
            key: TimerKey::Invite(invitation),
            at: step.now + after,
        });
    }

    /// Its time is over.
    pub(in crate::bridge) fn call_timed_out(&mut self, invitation: InvitationId, step: &mut Step<'_>) {
        let rings = self
            .calls
            .by_invitation(Role::Caller, invitation)
            .is_some_and(|c| !c.answered && !c.closing);
        if !rings {
            return;
        }
        let Some((row, slots)) = self.calls.remove(Role::Caller, invitation).and_then(|call| call.origin) else {
            return;
        };
        self.next_run += 1;
        let mut run = Run::new(self.next_run, row, slots);
        run.invitation = Some(invitation);
        self.fire_named(&mut run, "timed-out", step);
    }

    /// The client has begun anew and knows none of its calls: what it was asking for is withdrawn, and nothing more is
    /// told of the others.
    pub(in crate::bridge) fn forget_calls(&mut self, step: &mut Step<'_>) {
        for call in std::mem::take(&mut self.calls.entries) {
            if call.role == Role::Caller && !call.answered && !call.closing {
                let (invitation, content) = (call.invitation, Some("".into()));
                self.send_aside(RtmCall::LocalInvitationCancel { invitation, content }, step);
            }
        }
    }

    /// This side hangs up or refuses.
    pub(in crate::bridge) fn closing_call(&mut self, run: &mut Run) {
        let Some((channel, peer)) = self.channel_of(run).zip(self.account_of(run)) else {
            return;
        };
        let found = self.calls.find(&channel, &peer, None).map(|c| (c.role, c.invitation));
        if let Some((role, invitation)) = found {
            run.invitation = Some(invitation);
            if let Some(call) = self.calls.by_invitation(role, invitation) {
                call.closing = true;
            }
        }
    }

    /// This side has hung up or refused.
    pub(in crate::bridge) fn close_call(&mut self, run: &Run) {
        let Some((channel, peer)) = self.channel_of(run).zip(self.account_of(run)) else {
            return;
        };
        let found = self
            .calls
            .find(&channel, &peer, None)
            .filter(|c| c.closing)
            .map(|c| (c.role, c.invitation));
        if let Some((role, invitation)) = found {
            self.calls.remove(role, invitation);
        }
    }
}
