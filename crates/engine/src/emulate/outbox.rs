//! Messages to offline peers (decisions H3): stored in the sender's session until the peer is
//! online, or they expire.
//!
//! RTM does not store messages and has no message lifetime; Signaling did both. The sender
//! subscribes to the peer's presence, and the row runs again when it changes.

use std::collections::VecDeque;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{CallKind, OnlineState, RtmCall, UserId};
use tables::condition::{Condition, EmulationOutcome};
use tables::expr::parse_end_call;
use tables::row::RowId;

use crate::api::{Effect, TimerKey};
use crate::durable::{SavedMessage, Stored};
use crate::invocation::Run;
use crate::session::{Ctx, Session};

/// Maximum number of stored messages of one session.
const MAX_MESSAGES: usize = 100;
/// Size of a message besides its values.
const MESSAGE_BYTES: usize = 256;
/// Lifetime of a message, if the sender gives none.
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// Messages that wait for their peers.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Size of the messages in bytes.
    bytes: usize,
    /// What a store has of the messages.
    pub(crate) stored: Stored,
}

#[derive(Clone, Debug)]
struct Waiting {
    number: u64,
    peer: UserId,
    row: RowId,
    slots: Vec<Value>,
    bytes: usize,
    until: Time,
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

    fn waits_for(&self, peer: &UserId) -> bool {
        self.waiting.iter().any(|waiting| waiting.peer == *peer)
    }

    fn take(&mut self, fits: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let (taken, offline_lines) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| fits(waiting));
        self.waiting = offline_lines;
        self.bytes = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        let taken = Vec::from_iter::<VecDeque<Waiting>>(taken);
        taken.iter().for_each(|waiting| self.stored.removes(waiting.number));
        taken
    }

    /// Returns the messages that the store does not have, with their numbers.
    pub fn unstored(&self) -> impl Iterator<Item = (u64, SavedMessage)> {
        let new = self
            .waiting
            .iter()
            .filter(|waiting| waiting.number >= self.stored.below);
        new.map(|waiting| {
            let saved = SavedMessage {
                peer: waiting.peer.clone(),
                row: waiting.row,
                slots: waiting.slots.clone(),
                until: waiting.until,
            };
            (waiting.number, saved)
        })
    }

    /// Takes messages from a store.
    pub fn restore(&mut self, messages: Vec<(u64, SavedMessage)>) {
        for (number, message) in messages {
            let bytes = bytes_of(&message.slots);
            self.bytes += bytes;
            self.waiting.push_back(Waiting {
                number,
                peer: message.peer,
                row: message.row,
                slots: message.slots,
                bytes,
                until: message.until,
            });
        }
    }

    /// Returns the peers that messages wait for.
    pub fn peers(&self) -> Vec<UserId> {
        let mut peers: Vec<UserId> = self.waiting.iter().map(|waiting| waiting.peer.clone()).collect();
        peers.sort();
        peers.dedup();
        peers
    }

    /// Returns the last expiry of a message.
    pub fn until(&self) -> Option<Time> {
        self.waiting.iter().map(|waiting| waiting.until).max()
    }
}

impl Session {
    /// Stores the message of a run. Returns false if it cannot: the store is full, the lifetime is
    /// over, or the peer's presence is not available.
    pub(crate) fn store_message(&mut self, run: &Run, ctx: &mut Ctx<'_>) -> bool {
        let Some(account) = self.account_of(run) else {
            return false;
        };
        let Ok(peer) = UserId::new(self.context.names.user_id(&account)) else {
            return false;
        };
        let until = run.until.unwrap_or_else(|| ctx.now + self.ttl_of(run));
        let can_follow = (self.context.can)(CallKind::SubscribePeersOnlineStatus);
        let bytes = bytes_of(&run.slots);
        let has_room = self.outbox.len() < MAX_MESSAGES && self.outbox.bytes + bytes <= self.most_bytes();
        if !can_follow || until <= ctx.now || !has_room {
            return false;
        }
        if !self.outbox.waits_for(&peer) {
            self.send_aside(
                RtmCall::SubscribePeersOnlineStatus {
                    peer_ids: vec![peer.clone()],
                },
                ctx,
            );
        }
        self.outbox.bytes += bytes;
        let number = self.outbox.stored.next();
        self.outbox.stored.added += 1;
        self.outbox.waiting.push_back(Waiting {
            number,
            peer,
            row: run.row,
            slots: run.slots.clone(),
            bytes,
            until,
        });
        self.arm_outbox(ctx);
        true
    }

    /// Notes a message that its receiver interprets as the end of a call: RTM has no other form for
    /// that (rtm-api 11).
    pub(crate) fn sending_to_peer(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        let text = self.named_slot(run, "msg").and_then(Value::as_text);
        let is_end = text.is_some_and(|text| parse_end_call(text).is_some());
        // A stored message is sent for the second time.
        if is_end && run.until.is_none() && !self.condition(Condition::OneSelf, run) {
            self.fire_named(run, EmulationOutcome::EndText, ctx);
        }
    }

    /// Handles a change of presence.
    pub(crate) fn peers_turned(&mut self, states: &[(UserId, OnlineState)], ctx: &mut Ctx<'_>) {
        for (peer, state) in states {
            if *state != OnlineState::Online || !self.outbox.waits_for(peer) {
                continue;
            }
            let messages = self.outbox.take(|waiting| waiting.peer == *peer);
            self.send_aside(
                RtmCall::UnsubscribePeersOnlineStatus {
                    peer_ids: vec![peer.clone()],
                },
                ctx,
            );
            for message in messages {
                self.next_run += 1;
                let mut run = Run::new(self.next_run, message.row, message.slots);
                run.answered = true;
                run.until = Some(message.until);
                self.start(run, ctx);
            }
        }
    }

    /// Handles the expiry of messages.
    pub(crate) fn outbox_timer(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        for message in self.outbox.take(|waiting| waiting.until <= now) {
            if !self.outbox.waits_for(&message.peer) {
                self.send_aside(
                    RtmCall::UnsubscribePeersOnlineStatus {
                        peer_ids: vec![message.peer],
                    },
                    ctx,
                );
            }
            self.next_run += 1;
            let mut run = Run::new(self.next_run, message.row, message.slots);
            run.answered = true;
            self.fire_named(&mut run, EmulationOutcome::Undelivered, ctx);
        }
        self.arm_outbox(ctx);
    }

    pub(crate) fn arm_outbox(&self, ctx: &mut Ctx<'_>) {
        if let Some(at) = self.outbox.waiting.iter().map(|waiting| waiting.until).min() {
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Outbox,
                at,
            });
        }
    }

    fn ttl_of(&self, run: &Run) -> Duration {
        let seconds: Option<u64> = self
            .named_slot(run, "keep")
            .and_then(Value::as_int)
            .and_then(|n| u64::try_from(n).ok());
        seconds.map_or(DEFAULT_TTL, Duration::from_secs)
    }

    /// Returns a value of a run by its name in the row, as input of an emulation.
    pub(crate) fn named_slot<'r>(&self, run: &'r Run, name: &str) -> Option<&'r Value> {
        let slots: &[(Text, _)] = &self.context.tables.rows[run.row].slots;
        let slot = slots.iter().position(|(slot, _)| &**slot == name)?;
        run.slots.get(slot)
    }
}
