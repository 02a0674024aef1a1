//! Call invitations: the objects of local instances, and their entries.
//!
//! Redis has the invitation; a node has its objects, one on each side, with the numbers that apps know them by.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{
    InvitationApiCall, InvitationId, LocalInvitation, LocalInvitationErr, RemoteInvitation, RemoteInvitationErr,
    RtmError, RtmEvent, RtmReply, UserId,
};
use rtm_embedded::{End, TimerId, limits};

use crate::node::op::{Call, Op, ReplyHandler, fields};
use crate::node::{ForClient as _, Node, Outputs, Timer, failed};
use crate::wire::{int, text, user};

/// An invitation with a local object.
#[derive(Debug, Default)]
pub struct Invitation {
    local: Option<(u64, LocalInvitation)>,
    remote: Option<(u64, RemoteInvitation)>,
    timer: Option<TimerId>,
}

impl Node {
    /// Sends an invitation. Without a login it fails by event, not by error (rtm-api 3.7).
    pub(super) fn invite(
        &mut self,
        call: Call,
        number: InvitationId,
        callee_id: UserId,
        channel_id: Option<Text>,
        content: Text,
        out: &mut Outputs,
    ) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(&call.client) else {
            return Ok(());
        };
        client.handles.local.check_unused(number)?;
        let has_room = client.handles.local.pending.len() < limits::PENDING_INVITATIONS;
        let login = client
            .session()
            .map(|session| (session.user.clone(), session.login.clone()));
        let invitation = LocalInvitation {
            invitation: number,
            callee_id: callee_id.clone(),
            channel_id: channel_id.clone(),
            content: content.clone(),
            response: "".into(),
        };
        let reason = match login {
            Some((user, login)) if has_room => {
                let channel = channel_id.map_or(String::new(), |channel| format!("={channel}"));
                let fields = fields![
                    "invite",
                    user.as_str(),
                    login.as_bytes(),
                    callee_id.as_str(),
                    channel,
                    content.as_bytes()
                ];
                self.push_exclusive(call, fields, ReplyHandler::Invite(invitation));
                return Ok(());
            }
            Some(_) => LocalInvitationErr::Unknown,
            None => LocalInvitationErr::NotLoggedIn,
        };
        client.handles.local.end(number, End::Other);
        self.answer_now(call, RtmReply::Void, out);
        out.push(RtmEvent::LocalInvitationFailure { invitation, reason }.for_client(call.client));
        Ok(())
    }

    /// Handles the reply to a sent invitation.
    pub(super) fn invited(
        &mut self,
        now: Time,
        call: Call,
        local: LocalInvitation,
        fields: &[Vec<u8>],
        out: &mut Outputs,
    ) {
        let client = call.client;
        let id = fields.get(1).and_then(|id| int(id));
        let due = fields.get(2).and_then(|due| int(due));
        let (Some(id), Some(due)) = (id, due) else {
            self.answer_now(call, RtmReply::Void, out);
            if let Some(found) = self.clients.get_mut(&client) {
                found.handles.local.end(local.invitation, End::Other);
            }
            let reason = LocalInvitationErr::NotLoggedIn;
            let invitation = local;
            return out.push(RtmEvent::LocalInvitationFailure { invitation, reason }.for_client(client));
        };
        // The caller already has the failure.
        let Some(found) = self.clients.get_mut(&client).filter(|_| call.request.is_some()) else {
            return self.push(Op {
                fields: fields!["cancel", id.to_string(), ""],
                call: None,
                handler: ReplyHandler::Ignore,
            });
        };
        found.handles.local.pending.insert(local.invitation, id);
        self.invitations.entry(id).or_default().local = Some((client, local));
        self.set_invitation(id, now + Duration::from_millis(due));
        self.answer_now(call, RtmReply::Void, out);
    }

    pub(super) fn cancel(&mut self, call: Call, number: InvitationId, content: Option<Text>) -> Result<(), RtmError> {
        let Some(client) = self.clients.get(&call.client) else {
            return Ok(());
        };
        let id = client.handles.local.find(number)?;
        let content = content.map_or(String::new(), |content| format!("={content}"));
        let fields = fields!["cancel", id.to_string(), content.as_bytes()];
        self.push_exclusive(call, fields, ReplyHandler::Cancel(number, id));
        Ok(())
    }

    pub(super) fn accept(&mut self, call: Call, number: InvitationId, response: Option<Text>) -> Result<(), RtmError> {
        let Some(client) = self.clients.get(&call.client) else {
            return Ok(());
        };
        let id = client.handles.remote.find_to_accept(number)?;
        let Some(session) = client.session() else { return Ok(()) };
        let response = response.unwrap_or_default();
        let fields = fields![
            "accept",
            session.user.as_str(),
            session.login.as_bytes(),
            id.to_string(),
            response.as_bytes()
        ];
        self.push_exclusive(call, fields, ReplyHandler::Accept(number, id, response));
        Ok(())
    }

    pub(super) fn refuse_invitation(
        &mut self,
        call: Call,
        number: InvitationId,
        response: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = self.clients.get(&call.client) else {
            return Ok(());
        };
        let id = client.handles.remote.find(number)?;
        let response = response.unwrap_or_default();
        let fields = fields!["refuse", id.to_string(), response.as_bytes()];
        self.push_exclusive(call, fields, ReplyHandler::Refuse(number, id, response));
        Ok(())
    }

    /// Handles the reply to a cancel, an accept or a refusal.
    pub(super) fn handled(&mut self, call: Call, handler: &ReplyHandler, field: &[u8], out: &mut Outputs) {
        if field == b"over" {
            if let Some(request) = call.request {
                out.push(failed(request, InvitationApiCall::AlreadyEnd).for_client(call.client));
            }
            return;
        }
        self.answer_now(call, RtmReply::Void, out);
        match handler {
            ReplyHandler::Cancel(_, id) => {
                if let Some(invitation) = self.local(*id) {
                    out.push(RtmEvent::LocalInvitationCanceled { invitation }.for_client(call.client));
                }
                self.end_local(*id, End::Other);
            }
            ReplyHandler::Accept(_, id, response) => {
                self.respond(*id, response);
                if field == b"no_caller" {
                    if let Some(invitation) = self.remote(*id) {
                        let reason = RemoteInvitationErr::PeerOffline;
                        out.push(RtmEvent::RemoteInvitationFailure { invitation, reason }.for_client(call.client));
                    }
                    self.end_remote(*id, End::Other);
                }
            }
            ReplyHandler::Refuse(_, id, response) => {
                self.respond(*id, response);
                if let Some(invitation) = self.remote(*id) {
                    out.push(RtmEvent::RemoteInvitationRefused { invitation }.for_client(call.client));
                }
                self.end_remote(*id, End::Other);
            }
            _ => {}
        }
    }

    /// Handles an entry about an invitation of a local login.
    pub(super) fn invitation_entry(
        &mut self,
        now: Time,
        kind: &[u8],
        client: u64,
        fields: &[Vec<u8>],
        out: &mut Outputs,
    ) {
        let Some(id) = fields.first().and_then(|id| int(id)) else {
            return;
        };
        let field = |at: usize| fields.get(at).and_then(|field| text(field));
        match kind {
            b"invitation" => {
                let caller = fields.get(1).and_then(|caller| user(caller));
                let (Some(caller_id), Some(channel), Some(content)) = (caller, field(2), field(3)) else {
                    return;
                };
                let Some(found) = self.clients.get_mut(&client) else {
                    return;
                };
                let invitation = RemoteInvitation {
                    invitation: found.handles.receive(id),
                    caller_id,
                    channel_id: channel.strip_prefix('=').map(Into::into),
                    content,
                    response: "".into(),
                };
                self.invitations.entry(id).or_default().remote = Some((client, invitation.clone()));
                out.push(RtmEvent::RemoteInvitationReceived { invitation }.for_client(client));
            }
            b"delivered" => {
                if let (Some(invitation), Some(due)) = (self.local(id), fields.get(1).and_then(|due| int(due))) {
                    self.set_invitation(id, now + Duration::from_millis(due));
                    out.push(RtmEvent::LocalInvitationReceivedByPeer { invitation }.for_client(client));
                }
            }
            b"failed" => {
                let reason = match fields.get(1).map(Vec::as_slice) {
                    Some(b"expired") => LocalInvitationErr::InvitationExpire,
                    Some(b"no_response") => LocalInvitationErr::PeerNoResponse,
                    _ => LocalInvitationErr::PeerOffline,
                };
                self.local_failed(id, reason, out);
            }
            b"missed" => {
                if let Some(invitation) = self.remote(id) {
                    let reason = RemoteInvitationErr::InvitationExpire;
                    out.push(RtmEvent::RemoteInvitationFailure { invitation, reason }.for_client(client));
                }
                self.end_remote(id, End::Other);
            }
            b"cancel" => {
                if let (Some(invitation), Some(content)) = (self.remote(id), field(1)) {
                    out.push(RtmEvent::RemoteInvitationCanceled { invitation, content }.for_client(client));
                }
                self.end_remote(id, End::Other);
            }
            b"accepted" | b"refused" => {
                let Some(response) = field(1) else { return };
                if let Some((_, local)) = self.invitations.get_mut(&id).and_then(|i| i.local.as_mut()) {
                    local.response = response.clone();
                }
                let Some(invitation) = self.local(id) else { return };
                if kind == b"accepted" {
                    out.push(RtmEvent::LocalInvitationAccepted { invitation, response }.for_client(client));
                    self.end_local(id, End::Accepted);
                } else {
                    out.push(RtmEvent::LocalInvitationRefused { invitation, response }.for_client(client));
                    self.end_local(id, End::Other);
                }
            }
            b"agreed" => {
                if let Some(invitation) = self.remote(id) {
                    out.push(RtmEvent::RemoteInvitationAccepted { invitation }.for_client(client));
                }
                self.end_remote(id, End::Accepted);
            }
            _ => {}
        }
    }

    /// Handles the timer of an invitation. Redis decides, because the invitation may be answered meanwhile.
    pub(super) fn invitation_due(&mut self, id: u64) {
        if let Some(invitation) = self.invitations.get_mut(&id) {
            invitation.timer = None;
            self.push(Op {
                fields: fields!["due", id.to_string()],
                call: None,
                handler: ReplyHandler::Due(id),
            });
        }
    }

    pub(super) fn due_answered(&mut self, now: Time, id: u64, fields: &[Vec<u8>], out: &mut Outputs) {
        match fields.first().map(Vec::as_slice) {
            Some(b"later") => {
                let wait = fields.get(1).and_then(|wait| int(wait)).unwrap_or(1000);
                self.set_invitation(id, now + Duration::from_millis(wait.max(1)));
            }
            // It has ended, or Redis has lost it.
            Some(b"none") => {
                self.local_failed(id, LocalInvitationErr::InvitationExpire, out);
                self.remove_invitation(id);
            }
            _ => self.remove_invitation(id),
        }
    }

    /// Removes the objects of an ended login, without events.
    pub(super) fn end_invitations(&mut self, client: u64) {
        let Some(found) = self.clients.get(&client) else { return };
        let sent: Vec<u64> = found.handles.local.pending.values().copied().collect();
        let received: Vec<u64> = found.handles.remote.pending.values().copied().collect();
        for id in sent {
            self.end_local_quietly(id, End::Other);
        }
        for id in received {
            self.end_remote(id, End::Other);
        }
    }

    fn local_failed(&mut self, id: u64, reason: LocalInvitationErr, out: &mut Outputs) {
        if let Some((client, invitation)) = self.invitations.get(&id).and_then(|i| i.local.clone()) {
            out.push(RtmEvent::LocalInvitationFailure { invitation, reason }.for_client(client));
        }
        self.end_local(id, End::Other);
    }

    fn local(&self, id: u64) -> Option<LocalInvitation> {
        let (_, invitation) = self.invitations.get(&id)?.local.as_ref()?;
        Some(invitation.clone())
    }

    fn remote(&self, id: u64) -> Option<RemoteInvitation> {
        let (_, invitation) = self.invitations.get(&id)?.remote.as_ref()?;
        Some(invitation.clone())
    }

    fn respond(&mut self, id: u64, response: &Text) {
        if let Some((_, remote)) = self.invitations.get_mut(&id).and_then(|i| i.remote.as_mut()) {
            remote.response = response.clone();
        }
    }

    fn set_invitation(&mut self, id: u64, at: Time) {
        let Some(invitation) = self.invitations.get_mut(&id) else {
            return;
        };
        if let Some(timer) = invitation.timer.take() {
            self.timers.cancel(timer);
        }
        invitation.timer = Some(self.timers.set(at, Timer::Invitation(id)));
    }

    fn end_local(&mut self, id: u64, end: End) {
        self.end_local_quietly(id, end);
        self.remove_invitation(id);
    }

    /// Ends the caller's object. The timer remains and ends the callee's object.
    fn end_local_quietly(&mut self, id: u64, end: End) {
        let local = self
            .invitations
            .get_mut(&id)
            .and_then(|invitation| invitation.local.take());
        if let Some((client, local)) = local
            && let Some(found) = self.clients.get_mut(&client)
        {
            found.handles.local.end(local.invitation, end);
        }
    }

    fn end_remote(&mut self, id: u64, end: End) {
        let remote = self
            .invitations
            .get_mut(&id)
            .and_then(|invitation| invitation.remote.take());
        if let Some((client, remote)) = remote
            && let Some(found) = self.clients.get_mut(&client)
        {
            found.handles.remote.end(remote.invitation, end);
        }
        if self.invitations.get(&id).is_some_and(|i| i.timer.is_none()) {
            self.remove_invitation(id);
        }
    }

    fn remove_invitation(&mut self, id: u64) {
        let Some(invitation) = self.invitations.get_mut(&id) else {
            return;
        };
        if let Some(timer) = invitation.timer.take() {
            self.timers.cancel(timer);
        }
        if invitation.local.is_none() && invitation.remote.is_none() {
            self.invitations.remove(&id);
        }
    }
}
