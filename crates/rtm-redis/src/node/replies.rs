//! Replies of Redis as replies to calls.

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{
    AttributeOperation, CallKind, ChannelId, ChannelMessageErr, ConnectionReason, ConnectionState, RtmError, RtmReply,
    UserId,
};
use rtm_embedded::{select, state_changed};

use crate::node::client::{Phase, Session};
use crate::node::op::{Call, Op, Then, words};
use crate::node::{Node, Out, Seen as _, Stage, failed, replied};
use crate::wire::{attributes_in, channel_attributes_in, int, text, user};

impl Node {
    /// Handles the reply to an operation.
    pub(super) fn reply(&mut self, now: Time, op: Op, words: &[Vec<u8>], out: &mut Out) {
        let word = words.first().map(Vec::as_slice).unwrap_or_default();
        let Some(call) = op.call else {
            return self.internal(now, op.then, words, out);
        };
        match &op.then {
            Then::Login(user, expiry) => {
                if let Some(login) = words.get(1).and_then(|login| text(login)) {
                    self.logged_in(now, call, user.clone(), login, *expiry, out);
                }
            }
            Then::Logout => self.logged_out(call, out),
            Then::Follow(all) => {
                self.finish(call, Ok(RtmReply::Void), out);
                self.followed(
                    call.client,
                    all.clone(),
                    words.get(1).map(Vec::as_slice).unwrap_or_default(),
                    out,
                );
            }
            Then::Attributes(all) => {
                if word == b"ok"
                    && let Some(session) = self.clients.get_mut(&call.client).and_then(|c| c.session_mut())
                {
                    session.attributes = all.clone();
                }
                self.finish(call, void(call.kind, word), out);
            }
            Then::Join(id) => self.joined(call, id, words, out),
            Then::Leave(id) => {
                let session = self.clients.get_mut(&call.client).and_then(|c| c.session_mut());
                if let Some(session) = session {
                    session.joined.retain(|joined| joined != id);
                    self.leave_here(call.client, id);
                }
                self.finish(call, void(call.kind, word), out);
            }
            Then::Invite(local) => self.invited(now, call, local.clone(), words, out),
            Then::Cancel(..) | Then::Accept(..) | Then::Refuse(..) => self.handled(call, &op.then, word, out),
            then => {
                let result = result(call.kind, then, words);
                self.finish(call, result, out);
            }
        }
        self.release_if_first(now, &op, out);
    }

    fn internal(&mut self, now: Time, then: Then, words: &[Vec<u8>], out: &mut Out) {
        match then {
            Then::Beat => {
                self.beat_queued = false;
                let number = |at: usize| words.get(at).and_then(|word| int(word)).unwrap_or_default();
                self.status.nodes = number(2);
                let dropped = number(3);
                if dropped > 0 {
                    self.status.dropped += dropped;
                    self.stage = Stage::New;
                } else if number(1) > 0 {
                    self.beat();
                }
            }
            Then::Due(id) => self.due_answered(now, id, words, out),
            Then::Back(client) => self.put_back(client, words, out),
            Then::Watch(users) => {
                self.watched(users, words.get(1).map(Vec::as_slice).unwrap_or_default(), out);
            }
            Then::Take(session, _) => self.taken_over(session, words),
            Then::Save(session, _) => self.saved(session, words),
            Then::Bye if words.get(1).is_some_and(|more| more == b"1") => self.push_bye(),
            _ => {}
        }
    }

    pub(super) fn finish(&self, call: Call, result: Result<RtmReply, RtmError>, out: &mut Out) {
        if let Some(request) = call.request {
            let event = match result {
                Ok(reply) => replied(request, reply),
                Err(error) => failed(request, error),
            };
            out.push(event.of(call.client));
        }
    }

    fn logged_in(&mut self, now: Time, call: Call, user: UserId, login: Text, expiry: Option<Time>, out: &mut Out) {
        let client = self.clients.get_mut(&call.client);
        // No call waits for it.
        let Some(client) = client.filter(|_| call.request.is_some()) else {
            return self.push_logout(user, &login, Vec::new(), None);
        };
        client.phase = Phase::In(Box::new(Session {
            user: user.clone(),
            login,
            expiry,
            token_timer: None,
            joined: Vec::new(),
            attributes: Vec::new(),
            following: Default::default(),
        }));
        self.users.insert(user, call.client);
        let connected = state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess);
        out.push(connected.of(call.client));
        self.finish(call, Ok(RtmReply::Void), out);
        self.watch_token(now, call.client);
    }

    fn logged_out(&mut self, call: Call, out: &mut Out) {
        self.end_session(call.client);
        if let Some(client) = self.clients.get_mut(&call.client) {
            client.phase = Phase::Out;
        }
        if let Some(request) = call.request {
            let event = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
            out.push(event.of(call.client));
            out.push(replied(request, RtmReply::Void).of(call.client));
        }
    }

    fn joined(&mut self, call: Call, id: &ChannelId, words: &[Vec<u8>], out: &mut Out) {
        let session = self.clients.get_mut(&call.client).and_then(|c| c.session_mut());
        let count = words.get(1).and_then(|count| int(count));
        let (Some(session), Some(count)) = (session, count) else {
            return self.finish(call, Err(refusal(call.kind, Refusal::Abandoned)), out);
        };
        let user = session.user.clone();
        // The app already has the failure.
        if call.request.is_none() {
            let words = words!["leave", user.as_str(), session.login.as_bytes(), id.as_str()];
            return self.push(Op {
                words,
                call: None,
                then: Then::Nothing,
            });
        }
        session.joined.push(id.clone());
        self.finish(call, Ok(RtmReply::Void), out);
        self.join_here(call.client, user, id, count, out);
    }
}

fn result(kind: CallKind, then: &Then, words: &[Vec<u8>]) -> Result<RtmReply, RtmError> {
    let word = words.first().map(Vec::as_slice).unwrap_or_default();
    let second = words.get(1).map(Vec::as_slice).unwrap_or_default();
    let broken = || refusal(kind, Refusal::Abandoned);
    match then {
        Then::Peer => match word {
            b"1" => Ok(RtmReply::HasPeerReceived(true)),
            b"0" => Ok(RtmReply::HasPeerReceived(false)),
            _ => Err(refusal(kind, Refusal::TooOften)),
        },
        Then::Online(peers) => {
            let online = peers.iter().cloned().zip(second.iter().map(|&state| state == b'1'));
            Ok(RtmReply::Online(online.collect()))
        }
        Then::AttributesOf(keys) => {
            if word == b"none" {
                return Err(AttributeOperation::UserNotFound.into());
            }
            let all = attributes_in(second).ok_or_else(broken)?;
            Ok(RtmReply::Attributes(select(&all, keys.as_deref())))
        }
        Then::Members => {
            let members: Option<Vec<UserId>> = words[1..].iter().map(|word| user(word)).collect();
            Ok(RtmReply::UserIds(members.ok_or_else(broken)?))
        }
        Then::Counts(ids) => {
            let counts: Option<Vec<u64>> = words[1..].iter().map(|word| int(word)).collect();
            let counts = counts.ok_or_else(broken)?;
            Ok(RtmReply::Counts(ids.iter().cloned().zip(counts).collect()))
        }
        Then::ChannelRead(keys) => {
            let all = channel_attributes_in(second).ok_or_else(broken)?;
            Ok(RtmReply::ChannelAttributes(select(&all, keys.as_deref())))
        }
        _ => void(kind, word),
    }
}

/// Returns the result of a call with a status only.
fn void(kind: CallKind, word: &[u8]) -> Result<RtmReply, RtmError> {
    match word {
        b"ok" => Ok(RtmReply::Void),
        b"over" => Err(AttributeOperation::SizeOverflow.into()),
        b"often" => Err(ChannelMessageErr::TooOften.into()),
        b"full" => Err(refusal(kind, Refusal::TooOften)),
        _ => Err(refusal(kind, Refusal::Abandoned)),
    }
}
