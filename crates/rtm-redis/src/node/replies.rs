//! Replies of Redis as replies to calls.

use std::time::Duration;

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::{
    AttributeOperation, CallKind, ChannelId, ChannelMessageErr, ConnectionReason, ConnectionState, RtmError, RtmReply,
    UserId,
};
use rtm_embedded::{Expiry, select, state_changed};

use crate::node::client::{Phase, Session};
use crate::node::op::{Call, Op, ReplyHandler, fields};
use crate::node::{ForClient as _, Node, NodeState, Outputs, Timer, failed, replied};
use crate::wire::{attributes_in, channel, channel_attributes_in, int, text, unpacked, user};

/// Time to join the channels of an earlier login elsewhere again, as after a lost connection (decisions H1).
const REJOIN: Duration = Duration::from_secs(10);

impl Node {
    /// Handles the reply to an operation.
    pub(super) fn reply(&mut self, now: Time, op: Op, fields: &[Vec<u8>], out: &mut Outputs) {
        let field = fields.first().map(Vec::as_slice).unwrap_or_default();
        let Some(call) = op.call else {
            return self.internal(now, op.handler, fields, out);
        };
        match &op.handler {
            ReplyHandler::Login(user, expiry) => {
                if let Some(session) = session_of(user, *expiry, fields) {
                    self.logged_in(now, call, session, out);
                }
            }
            ReplyHandler::Logout => self.logged_out(call, out),
            ReplyHandler::Follow(all) => {
                self.finish(call, Ok(RtmReply::Void), out);
                self.followed(
                    call.client,
                    all.clone(),
                    fields.get(1).map(Vec::as_slice).unwrap_or_default(),
                    out,
                );
            }
            ReplyHandler::Attributes(all) => {
                if field == b"ok"
                    && let Some(session) = self.clients.get_mut(&call.client).and_then(|c| c.session_mut())
                {
                    session.attributes = all.clone();
                }
                self.finish(call, status_reply(call.kind, field), out);
            }
            ReplyHandler::Join(id) => self.joined(call, id, fields, out),
            ReplyHandler::Leave(id) => {
                let session = self.clients.get_mut(&call.client).and_then(|c| c.session_mut());
                if let Some(session) = session {
                    session.joined.retain(|joined| joined != id);
                    self.remove_member(call.client, id);
                }
                self.finish(call, status_reply(call.kind, field), out);
            }
            ReplyHandler::Invite(local) => self.invited(now, call, local.clone(), fields, out),
            ReplyHandler::Cancel(..) | ReplyHandler::Accept(..) | ReplyHandler::Refuse(..) => {
                self.handled(call, &op.handler, field, out)
            }
            handler => {
                let result = result(call.kind, handler, fields);
                self.finish(call, result, out);
            }
        }
        self.release_if_first(now, &op, out);
    }

    fn internal(&mut self, now: Time, handler: ReplyHandler, fields: &[Vec<u8>], out: &mut Outputs) {
        match handler {
            ReplyHandler::Heartbeat => {
                self.heartbeat_queued = false;
                let number = |at: usize| fields.get(at).and_then(|field| int(field)).unwrap_or_default();
                self.status.nodes = number(2);
                let dropped = number(3);
                if dropped > 0 {
                    self.status.dropped += dropped;
                    self.state = NodeState::Unregistered;
                } else if number(1) > 0 {
                    self.heartbeat();
                }
            }
            ReplyHandler::Due(id) => self.due_answered(now, id, fields, out),
            ReplyHandler::Restored(client) => self.login_restored(client, fields, out),
            ReplyHandler::Watch(users) => {
                self.watched(users, fields.get(1).map(Vec::as_slice).unwrap_or_default(), out);
            }
            ReplyHandler::Take(session, _) => self.taken_over(session, fields),
            ReplyHandler::Save(session, _) => self.saved(session, fields),
            ReplyHandler::Deregister if fields.get(1).is_some_and(|more| more == b"1") => self.push_deregister(),
            _ => {}
        }
    }

    pub(super) fn finish(&self, call: Call, result: Result<RtmReply, RtmError>, out: &mut Outputs) {
        if let Some(request) = call.request {
            let event = match result {
                Ok(reply) => replied(request, reply),
                Err(error) => failed(request, error),
            };
            out.push(event.for_client(call.client));
        }
    }

    fn logged_in(&mut self, now: Time, call: Call, session: Session, out: &mut Outputs) {
        let client = self.clients.get_mut(&call.client);
        // No call waits for it.
        let Some(client) = client.filter(|_| call.request.is_some()) else {
            return self.push_logout(session.user, &session.login, Vec::new(), None);
        };
        self.users.insert(session.user.clone(), call.client);
        if !session.moved.is_empty() {
            self.timers.set(now + REJOIN, Timer::Moved(call.client));
        }
        client.phase = Phase::LoggedIn(Box::new(session));
        let connected = state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess);
        out.push(connected.for_client(call.client));
        self.finish(call, Ok(RtmReply::Void), out);
        self.watch_token(now, call.client);
    }

    /// Leaves the channels of an earlier login that were not joined again.
    pub(super) fn leave_moved(&mut self, client: u64) {
        let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
        let Some(session) = session else { return };
        let (user, login) = (session.user.clone(), session.login.clone());
        for channel in std::mem::take(&mut session.moved) {
            self.push(Op {
                fields: fields!["leave", user.as_str(), login.as_bytes(), channel.as_str()],
                call: None,
                handler: ReplyHandler::Ignore,
            });
        }
    }

    fn logged_out(&mut self, call: Call, out: &mut Outputs) {
        self.end_session(call.client);
        if let Some(client) = self.clients.get_mut(&call.client) {
            client.phase = Phase::LoggedOut;
        }
        if let Some(request) = call.request {
            let event = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
            out.push(event.for_client(call.client));
            out.push(replied(request, RtmReply::Void).for_client(call.client));
        }
    }

    fn joined(&mut self, call: Call, id: &ChannelId, fields: &[Vec<u8>], out: &mut Outputs) {
        let session = self.clients.get_mut(&call.client).and_then(|c| c.session_mut());
        let count = fields.get(1).and_then(|count| int(count));
        let (Some(session), Some(count)) = (session, count) else {
            return self.finish(call, Err(refusal(call.kind, Refusal::Abandoned)), out);
        };
        let user = session.user.clone();
        // The app already has the failure.
        if call.request.is_none() {
            let fields = fields!["leave", user.as_str(), session.login.as_bytes(), id.as_str()];
            return self.push(Op {
                fields,
                call: None,
                handler: ReplyHandler::Ignore,
            });
        }
        session.joined.push(id.clone());
        self.finish(call, Ok(RtmReply::Void), out);
        self.add_member(call.client, user, id, count, out);
    }
}

/// Reads the reply to a login: its name, the channels and the attributes of an earlier login elsewhere.
fn session_of(user: &UserId, expiry: Expiry, fields: &[Vec<u8>]) -> Option<Session> {
    let list = |at: usize| fields.get(at).map(Vec::as_slice).unwrap_or_default();
    let moved = unpacked(list(2)).unwrap_or_default();
    Some(Session {
        user: user.clone(),
        login: text(fields.get(1)?)?,
        expiry,
        token_timer: None,
        joined: Vec::new(),
        moved: moved.iter().filter_map(|id| channel(id)).collect(),
        attributes: attributes_in(list(3)).unwrap_or_default(),
        following: Default::default(),
    })
}

fn result(kind: CallKind, handler: &ReplyHandler, fields: &[Vec<u8>]) -> Result<RtmReply, RtmError> {
    let field = fields.first().map(Vec::as_slice).unwrap_or_default();
    let second = fields.get(1).map(Vec::as_slice).unwrap_or_default();
    let invalid = || refusal(kind, Refusal::Abandoned);
    match handler {
        ReplyHandler::Peer => match field {
            b"1" => Ok(RtmReply::HasPeerReceived(true)),
            b"0" => Ok(RtmReply::HasPeerReceived(false)),
            _ => Err(refusal(kind, Refusal::TooOften)),
        },
        ReplyHandler::Online(peers) => {
            let online = peers.iter().cloned().zip(second.iter().map(|&state| state == b'1'));
            Ok(RtmReply::Online(online.collect()))
        }
        ReplyHandler::AttributesOf(keys) => {
            if field == b"none" {
                return Err(AttributeOperation::UserNotFound.into());
            }
            let all = attributes_in(second).ok_or_else(invalid)?;
            Ok(RtmReply::Attributes(select(&all, keys.as_deref())))
        }
        ReplyHandler::Members => {
            let members: Option<Vec<UserId>> = fields[1..].iter().map(|field| user(field)).collect();
            Ok(RtmReply::UserIds(members.ok_or_else(invalid)?))
        }
        ReplyHandler::Counts(ids) => {
            let counts: Option<Vec<u64>> = fields[1..].iter().map(|field| int(field)).collect();
            let counts = counts.ok_or_else(invalid)?;
            Ok(RtmReply::Counts(ids.iter().cloned().zip(counts).collect()))
        }
        ReplyHandler::ChannelRead(keys) => {
            let all = channel_attributes_in(second).ok_or_else(invalid)?;
            Ok(RtmReply::ChannelAttributes(select(&all, keys.as_deref())))
        }
        _ => status_reply(kind, field),
    }
}

/// Returns the result of a call with a status only.
fn status_reply(kind: CallKind, field: &[u8]) -> Result<RtmReply, RtmError> {
    match field {
        b"ok" => Ok(RtmReply::Void),
        b"over" => Err(AttributeOperation::SizeOverflow.into()),
        b"often" => Err(ChannelMessageErr::TooOften.into()),
        b"full" => Err(refusal(kind, Refusal::TooOften)),
        _ => Err(refusal(kind, Refusal::Abandoned)),
    }
}
