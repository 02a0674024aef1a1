//! Entries of other logins for local logins.

use rtm::time::Time;
use rtm::{ConnectionReason, RtmEvent, UserId};

use crate::node::client::Unprocessed;
use crate::node::op::{Op, Then, words};
use crate::node::{Node, Out, Seen as _};
use crate::wire::{EntryId, Words, channel, int, message_in, user};

impl Node {
    /// Processes an entry of the stream, which has an id, or of an answer.
    pub(super) fn entry(&mut self, now: Time, id: Option<EntryId>, words: &Words, out: &mut Out) {
        let Some((what, rest)) = words.split_first() else {
            return;
        };
        match &what[..] {
            b"channel" | b"join" | b"leave" | b"count" | b"attributes" => {
                let Some((id, rest)) = rest.split_first() else { return };
                let Some(id) = channel(id) else { return };
                match &what[..] {
                    b"channel" => self.channel_message(&id, rest, out),
                    b"attributes" => self.channel_attributes(&id, rest, out),
                    what => self.membership(now, what, &id, rest, out),
                }
            }
            b"presence" => {
                if let [who, state] = rest
                    && let Some(who) = user(who)
                {
                    self.presence_changed(&who, state, out);
                }
            }
            b"taken" => self.taken(rest),
            what => {
                let [to, login, rest @ ..] = rest else { return };
                let Some(to) = user(to) else { return };
                let client = self.login_of(&to, login);
                match (what, client) {
                    (b"kick", Some(client)) => self.abort(client, ConnectionReason::RemoteLogin, out),
                    (b"peer" | b"stored", Some(client)) => self.peer_message(client, id, words, out),
                    (b"peer", None) => self.forward(id, &to, rest),
                    (_, Some(client)) => self.invitation_entry(now, what, client, rest, out),
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
        let words = words!["forward", id.to_string(), to.as_str(), from, at, body];
        self.push(Op {
            words,
            call: None,
            then: Then::Nothing,
        });
    }

    /// Handles the end of the stored messages. Redis removes them after their processing.
    fn taken(&mut self, rest: &[Vec<u8>]) {
        let [who, login, count] = rest else { return };
        let Some(&client) = user(who).and_then(|who| self.users.get(&who)) else {
            return;
        };
        let client = self.clients.get_mut(&client);
        match client.and_then(|client| client.unprocessed.back_mut()) {
            Some(Unprocessed::Offline(last)) => *last = Some([who, login, count].map(Clone::clone)),
            _ => self.push_taken([who, login, count]),
        }
    }

    pub(super) fn push_taken(&mut self, [who, login, count]: [&Vec<u8>; 3]) {
        self.push(Op {
            words: words!["taken", who, login, count],
            call: None,
            then: Then::Nothing,
        });
    }

    fn peer_message(&mut self, client: u64, id: Option<EntryId>, words: &Words, out: &mut Out) {
        let [_, to, login, from, at, body, ..] = &words[..] else {
            return;
        };
        let (Some(peer_id), Some(server_received_ts), Some(message)) = (user(from), int(at), message_in(body)) else {
            return;
        };
        if let Some(client) = self.clients.get_mut(&client).filter(|client| client.is_kept) {
            client.unprocessed.push_back(match id {
                Some(id) => {
                    self.unprocessed.insert(id);
                    Unprocessed::Entry(id, [to, login, from, at, body].map(Clone::clone).into())
                }
                None => Unprocessed::Offline(None),
            });
        }
        let event = RtmEvent::MessageFromPeer {
            peer_id,
            message,
            server_received_ts,
            is_offline_message: id.is_none(),
        };
        out.push(event.of(client));
    }
}
