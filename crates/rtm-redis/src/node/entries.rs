//! Entries of other logins for local logins.

use rtm::time::Time;
use rtm::{ConnectionReason, RtmEvent, UserId};

use crate::node::client::UnprocessedMessage;
use crate::node::op::{Op, ReplyHandler, fields};
use crate::node::{ForClient as _, Node, Outputs};
use crate::wire::{EntryId, Fields, channel, int, message_in, user};

impl Node {
    /// Processes an entry of the stream, which has an id, or of an answer.
    pub(super) fn entry(&mut self, now: Time, id: Option<EntryId>, fields: &Fields, out: &mut Outputs) {
        let Some((kind, rest)) = fields.split_first() else {
            return;
        };
        match &kind[..] {
            b"channel" | b"join" | b"leave" | b"count" | b"attributes" => {
                let Some((id, rest)) = rest.split_first() else { return };
                let Some(id) = channel(id) else { return };
                match &kind[..] {
                    b"channel" => self.channel_message(&id, rest, out),
                    b"attributes" => self.channel_attributes(&id, rest, out),
                    kind => self.membership(now, kind, &id, rest, out),
                }
            }
            b"presence" => {
                if let [user_id, state, ..] = rest
                    && let Some(user_id) = user(user_id)
                {
                    self.presence_changed(&user_id, state, out);
                }
            }
            b"taken" => self.taken(rest),
            kind => {
                let [to, login, rest @ ..] = rest else { return };
                let Some(to) = user(to) else { return };
                let client = self.login_of(&to, login);
                match (kind, client) {
                    (b"kick", Some(client)) => self.abort(client, ConnectionReason::RemoteLogin, out),
                    (b"peer" | b"stored", Some(client)) => self.peer_message(client, id, fields, out),
                    (b"peer", None) => self.forward(id, &to, rest),
                    (_, Some(client)) => self.invitation_entry(now, kind, client, rest, out),
                    (_, None) => {}
                }
            }
        }
    }

    /// Returns the instance of a local login.
    fn login_of(&self, user: &UserId, login: &[u8]) -> Option<u64> {
        let client = *self.users.get(user)?;
        let session = self.clients.get(&client)?.session()?;
        (session.login.as_bytes() == login).then_some(client)
    }

    /// Forwards a message to an ended login to the current login of the user.
    pub(super) fn forward(&mut self, id: Option<EntryId>, to: &UserId, rest: &[Vec<u8>]) {
        let (Some(id), [from, at, body, ..]) = (id, rest) else {
            return;
        };
        let fields = fields!["forward", id.to_string(), to.as_str(), from, at, body];
        self.push(Op {
            fields,
            call: None,
            handler: ReplyHandler::Ignore,
        });
    }

    /// Handles the end of the stored messages. Redis removes them after their processing.
    fn taken(&mut self, rest: &[Vec<u8>]) {
        let [user_id, login, count, ..] = rest else { return };
        let Some(&client) = user(user_id).and_then(|user_id| self.users.get(&user_id)) else {
            return;
        };
        let client = self.clients.get_mut(&client);
        match client.and_then(|client| client.unprocessed.back_mut()) {
            Some(UnprocessedMessage::Offline(last)) => *last = Some([user_id, login, count].map(Clone::clone)),
            _ => self.push_taken([user_id, login, count]),
        }
    }

    pub(super) fn push_taken(&mut self, [user_id, login, count]: [&Vec<u8>; 3]) {
        self.push(Op {
            fields: fields!["taken", user_id, login, count],
            call: None,
            handler: ReplyHandler::Ignore,
        });
    }

    fn peer_message(&mut self, client: u64, id: Option<EntryId>, fields: &Fields, out: &mut Outputs) {
        let [_, to, login, from, at, body, ..] = &fields[..] else {
            return;
        };
        let (Some(peer_id), Some(server_received_ts), Some(message)) = (user(from), int(at), message_in(body)) else {
            return;
        };
        if let Some(client) = self
            .clients
            .get_mut(&client)
            .filter(|client| client.needs_acknowledgement)
        {
            client.unprocessed.push_back(match id {
                Some(id) => {
                    self.unprocessed.insert(id);
                    UnprocessedMessage::Entry(id, [to, login, from, at, body].map(Clone::clone).into())
                }
                None => UnprocessedMessage::Offline(None),
            });
        }
        let event = RtmEvent::MessageFromPeer {
            peer_id,
            message,
            server_received_ts,
            is_offline_message: id.is_none(),
        };
        out.push(event.for_client(client));
    }
}
