//! Messages to offline peers (decisions H3): stored in the sender's session until the peer is
//! online, or they expire.
//!
//! RTM does not store messages and has no message lifetime; Signaling did both. The sender
//! subscribes to the peer's presence, and the row runs again when it changes.

use std::collections::VecDeque;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::Value;
use rtm::{CallKind, RtmCall, UserId};
use tables::condition::EmulationInput;
use tables::row::RowId;

use crate::api::TimerKey;
use crate::context::Ctx;
use crate::durable::{SavedMessage, Stored};
use crate::requests::Requests;
use crate::run::Run;

/// Maximum number of stored messages of one session.
const MAX_MESSAGES: usize = 100;
/// Size of a message besides its values.
const MESSAGE_BYTES: usize = 256;
/// Lifetime of a message, if the sender gives none.
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// Messages that wait for their peers.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Message>,
    /// Size of the messages in bytes.
    bytes: usize,
    /// Messages in the store.
    pub(crate) stored: Stored,
}

/// A message: the row that sends it, with its values.
#[derive(Clone, Debug)]
pub struct Message {
    /// The receiver.
    pub peer: UserId,
    /// The row.
    pub row: RowId,
    /// The values of the row.
    pub slots: Vec<Value>,
    /// The expiry.
    pub until: Time,
    bytes: usize,
    /// The place among all messages of the session.
    number: u64,
}

impl Message {
    /// Returns the message of a run. `None` for a peer without an RTM id.
    pub(crate) fn of(run: &Run, ctx: &Ctx<'_>) -> Option<Self> {
        let env = ctx.env;
        let peer = UserId::new(env.names.user_id(run.account(env)?)).ok()?;
        let seconds = run.input(env, EmulationInput::Keep).and_then(Value::as_int);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let ttl = seconds.map_or(DEFAULT_TTL, Duration::from_secs);
        Some(Self {
            peer,
            row: run.row,
            slots: run.slots.clone(),
            until: run.until.unwrap_or(ctx.now + ttl),
            bytes: bytes_of(&run.slots),
            number: 0,
        })
    }
}

fn bytes_of(slots: &[Value]) -> usize {
    slots.iter().map(Value::bytes).sum::<usize>() + MESSAGE_BYTES
}

impl Outbox {
    /// Returns the number of messages.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the size of the messages in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns true if there are no messages.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Stores a message, at most `bound` bytes in all. Returns false if it cannot: the store is
    /// full, the lifetime is over, or the peer's presence is not available.
    pub(crate) fn store(
        &mut self,
        mut message: Message,
        bound: usize,
        requests: &mut Requests,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let can_follow = ctx.env.can(CallKind::SubscribePeersOnlineStatus);
        let has_room = self.len() < MAX_MESSAGES && self.bytes + message.bytes <= bound;
        if !can_follow || message.until <= ctx.now || !has_room {
            return false;
        }
        if !self.waits_for(&message.peer) {
            let peer_ids = vec![message.peer.clone()];
            requests.send_aside(RtmCall::SubscribePeersOnlineStatus { peer_ids }, ctx);
        }
        self.bytes += message.bytes;
        message.number = self.stored.add();
        self.waiting.push_back(message);
        self.set_timer(ctx);
        true
    }

    /// Takes the messages for a peer that is online.
    pub(crate) fn peer_online(&mut self, peer: &UserId, requests: &mut Requests, ctx: &mut Ctx<'_>) -> Vec<Message> {
        let messages = self.take(|message| message.peer == *peer);
        if !messages.is_empty() {
            self.unfollow(peer, requests, ctx);
        }
        messages
    }

    /// Takes the messages whose lifetime is over.
    pub fn take_expired(&mut self, now: Time) -> Vec<Message> {
        self.take(|message| message.until <= now)
    }

    /// Ends the subscription of a peer for whom no message waits.
    pub(crate) fn unfollow(&self, peer: &UserId, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        if !self.waits_for(peer) {
            let peer_ids = vec![peer.clone()];
            requests.send_aside(RtmCall::UnsubscribePeersOnlineStatus { peer_ids }, ctx);
        }
    }

    /// Sets the timer of the first expiry.
    pub(crate) fn set_timer(&self, ctx: &mut Ctx<'_>) {
        if let Some(at) = self.waiting.iter().map(|message| message.until).min() {
            ctx.set_timer(TimerKey::Outbox, at);
        }
    }

    fn waits_for(&self, peer: &UserId) -> bool {
        self.waiting.iter().any(|message| message.peer == *peer)
    }

    fn take(&mut self, fits: impl Fn(&Message) -> bool) -> Vec<Message> {
        let (taken, rest): (Vec<_>, _) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|message| fits(message));
        self.waiting = VecDeque::from(rest);
        self.bytes = self.waiting.iter().map(|message| message.bytes).sum();
        for message in &taken {
            self.stored.removes(message.number);
        }
        taken
    }

    /// Returns the messages that the store does not have, with their numbers.
    pub fn unstored(&self) -> impl Iterator<Item = (u64, SavedMessage)> {
        let new = self
            .waiting
            .iter()
            .filter(|message| message.number >= self.stored.below);
        new.map(|message| {
            let saved = SavedMessage {
                peer: message.peer.clone(),
                row: message.row,
                slots: message.slots.clone(),
                until: message.until,
            };
            (message.number, saved)
        })
    }

    /// Takes messages from a store.
    pub fn restore(&mut self, messages: Vec<(u64, SavedMessage)>) {
        self.stored.restore(messages.last().map(|(number, _)| *number));
        for (number, message) in messages {
            let bytes = bytes_of(&message.slots);
            self.bytes += bytes;
            self.waiting.push_back(Message {
                peer: message.peer,
                row: message.row,
                slots: message.slots,
                until: message.until,
                bytes,
                number,
            });
        }
    }

    /// Returns the peers that messages wait for.
    pub fn peers(&self) -> Vec<UserId> {
        let mut peers: Vec<UserId> = self.waiting.iter().map(|message| message.peer.clone()).collect();
        peers.sort();
        peers.dedup();
        peers
    }

    /// Returns the last expiry of a message.
    pub fn until(&self) -> Option<Time> {
        self.waiting.iter().map(|message| message.until).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Effect;
    use crate::context::tests::{calls, env, run};

    fn message(peer: &str, until_secs: u64) -> Message {
        Message {
            peer: UserId::new(peer).unwrap(),
            row: 0,
            slots: Vec::new(),
            until: Time::from_millis(until_secs * 1_000),
            bytes: 100,
            number: 0,
        }
    }

    #[test]
    fn a_peer_is_followed_while_a_message_waits_for_it() {
        let env = env("alice");
        let (mut outbox, mut requests) = (Outbox::default(), Requests::default());
        let mut store = |message| run(&env, 1, |ctx| outbox.store(message, 250, &mut requests, ctx));
        let (stored, effects) = store(message("bob", 9));
        assert!(stored && calls(&effects) == ["subscribePeersOnlineStatus"]);
        let (stored, effects) = store(message("bob", 5));
        assert!(stored && calls(&effects).is_empty());
        let timer = Effect::SetTimer {
            key: TimerKey::Outbox,
            at: Time::from_millis(5_000),
        };
        assert_eq!(effects, [timer]);
        assert!(!store(message("carol", 9)).0, "no room");
        let bob = UserId::new("bob").unwrap();
        let expired = outbox.take_expired(Time::from_millis(5_000));
        assert_eq!((expired.len(), outbox.len(), outbox.bytes()), (1, 1, 100));
        let ((), effects) = run(&env, 5, |ctx| outbox.unfollow(&bob, &mut requests, ctx));
        assert_eq!(effects, [], "another message waits");
        let (messages, effects) = run(&env, 6, |ctx| outbox.peer_online(&bob, &mut requests, ctx));
        assert_eq!(
            (messages.len(), calls(&effects)),
            (1, vec!["unsubscribePeersOnlineStatus"])
        );
        let (messages, effects) = run(&env, 6, |ctx| outbox.peer_online(&bob, &mut requests, ctx));
        assert!(messages.is_empty() && effects.is_empty() && outbox.is_empty());
    }

    #[test]
    fn a_message_over_its_lifetime_is_not_stored() {
        let env = env("alice");
        let (mut outbox, mut requests) = (Outbox::default(), Requests::default());
        let (stored, effects) = run(&env, 9, |ctx| outbox.store(message("bob", 9), 250, &mut requests, ctx));
        assert!(!stored && effects.is_empty());
    }
}
