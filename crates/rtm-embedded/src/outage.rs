//! A lost link: its stages of 4, 6 and 30 s (rtm-api 4, 9), and the data held until its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rtm::time::Time;
use rtm::{OnlineState, RtmCall, RtmEvent, UserId};

use crate::ids::ReplyTo;
use crate::limits::{HELD, INTERRUPTED_AFTER, OFFLINE_AFTER, UNREACHABLE_AFTER, WAITING};
use crate::timers::TimerId;

/// A lost link (rtm-api 4).
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) since: Time,
    pub(super) stage: Stage,
    /// The timer of the next stage; `None` after the last.
    pub(super) timer: Option<TimerId>,
    /// The token has expired during the outage: only `renewToken` lets the instance recover.
    pub(super) token_expired: bool,
    /// Peer messages and invitation signals, oldest first.
    pub(super) held: VecDeque<Held>,
    /// Calls of the instance, oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    /// Changes in the presence of subscribed users.
    pub(super) presence: BTreeMap<UserId, OnlineState>,
}

/// The stage of an outage, by its duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Up to 4 s: not detected.
    Unnoticed,
    /// The instance is RECONNECTING.
    Interrupted,
    /// Over 6 s: subscribers see UNREACHABLE.
    Unreachable,
    /// Over 30 s: the service has logged the user out.
    Abandoned,
}

/// An event for an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) event: RtmEvent,
    /// The timer of the sender's call, if the delivery of the message completes one.
    pub(super) sender: Option<TimerId>,
}

/// A call of an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reply_to: ReplyTo,
    pub(super) call: RtmCall,
    pub(super) timer: TimerId,
}

impl Stage {
    /// Returns the next stage, and its start after the loss.
    pub(super) const fn next(self) -> Option<(Stage, Duration)> {
        match self {
            Self::Unnoticed => Some((Self::Interrupted, INTERRUPTED_AFTER)),
            Self::Interrupted => Some((Self::Unreachable, UNREACHABLE_AFTER)),
            Self::Unreachable => Some((Self::Abandoned, OFFLINE_AFTER)),
            Self::Abandoned => None,
        }
    }
}

impl Outage {
    /// Creates an outage whose first stage ends with `timer`.
    pub(super) fn new(since: Time, timer: TimerId) -> Self {
        Self {
            since,
            stage: Stage::Unnoticed,
            timer: Some(timer),
            token_expired: false,
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            presence: BTreeMap::new(),
        }
    }

    /// Returns true if a further call may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING
    }

    /// Removes a call that waits. The first call of that number is the oldest, and the oldest call
    /// of a kind times out first.
    pub(super) fn stop_waiting(&mut self, request: u64) {
        if let Some(at) = self.waiting.iter().position(|w| w.reply_to.request == request) {
            self.waiting.remove(at);
        }
    }

    /// Holds an event until the end of the outage; returns false if the bound is reached.
    pub(super) fn hold(&mut self, held: Held) -> bool {
        let room = self.held.len() < HELD;
        if room {
            self.held.push_back(held);
        }
        room
    }
}
