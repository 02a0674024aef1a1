//! What other logins have done to logins that are here.

use rtm::time::Time;
use rtm::{ConnectionReason, RtmEvent, UserId};

use crate::node::op::{Op, Then, words};
use crate::node::{Node, Out, Seen as _};
use crate::wire::{Words, channel, int, message_in, user};

impl Node {
    pub(super) fn entry(&mut self, now: Time, words: &Words, out: &mut Out) {
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
                    (b"peer" | b"stored", Some(client)) => peer_message(client, what == b"stored", rest, out),
                    (b"peer", None) => self.forward(&to, rest),
                    (_, Some(client)) => self.invitation_entry(now, what, client, rest, out),
                    (_, None) => {}
                }
            }
        }
    }

    /// The instance of a login that is here.
    fn login_of(&self, user: &UserId, login: &[u8]) -> Option<u64> {
        let client = *self.users.get(user)?;
        let session = self.clients.get(&client)?.session()?;
        (session.login.as_bytes() == login).then_some(client)
    }

    /// A message to a login that is over goes to where the user is now.
    fn forward(&mut self, to: &UserId, rest: &[Vec<u8>]) {
        let mut words = words!["forward", to.as_str()];
        words.extend_from_slice(rest);
        self.push(Op {
            words,
            call: None,
            then: Then::Nothing,
        });
    }

    /// All stored messages were given to the login: Redis may forget them.
    fn taken(&mut self, rest: &[Vec<u8>]) {
        let [who, count] = rest else { return };
        if user(who).is_some_and(|who| self.users.contains_key(&who)) {
            self.push(Op {
                words: words!["taken", who, count],
                call: None,
                then: Then::Nothing,
            });
        }
    }
}

fn peer_message(client: u64, is_offline_message: bool, rest: &[Vec<u8>], out: &mut Out) {
    let [from, at, body] = rest else { return };
    if let (Some(peer_id), Some(server_received_ts), Some(message)) = (user(from), int(at), message_in(body)) {
        let event = RtmEvent::MessageFromPeer {
            peer_id,
            message,
            server_received_ts,
            is_offline_message,
        };
        out.push(event.of(client));
    }
}
