//! A player whose RTM is not the recorded one: what is told to it, and what it wants of others.

use crate::bridge::{Effect, Event, Input, TimerKey};
use crate::rtm::ChannelId;
use crate::time::Time;
use crate::upstream::Told;
use crate::value::Text;

use super::{Out, Player};

impl Player {
    /// The same, of which what it wants of others is asked.
    pub(in crate::trace) fn live(mut self) -> Self {
        self.wishes = Some(Vec::new());
        self
    }

    /// What it has come to want, in order.
    pub(in crate::trace) fn take_wishes(&mut self) -> Vec<Effect> {
        self.wishes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// RTM says something.
    pub(in crate::trace) fn told(&mut self, now: Time, told: Told) -> Vec<Out> {
        let input = match told {
            Told::Reply { request, result } => {
                self.open.remove(&request);
                Input::RtmReply { request, result }
            }
            Told::Event(event) => Input::RtmEvent(event),
            Told::Up(up) => Input::Upstream(up),
            Told::Lacks(lacks) => Input::Lacks(lacks),
        };
        self.live_step(now, input)
    }

    /// Lines that an earlier session of the account has left.
    pub(in crate::trace) fn kept(&mut self, now: Time, lines: Vec<(Event, Time)>) -> Vec<Out> {
        self.live_step(now, Input::Kept(lines))
    }

    /// A timer may be due: it is when it was not set anew.
    pub(in crate::trace) fn due(&mut self, now: Time, key: TimerKey) -> Vec<Out> {
        match self.timers.get(&key) {
            Some(at) if *at <= now => {
                self.timers.remove(&key);
                self.live_step(now, Input::Timer(key))
            }
            _ => Vec::new(),
        }
    }

    fn live_step(&mut self, now: Time, input: Input) -> Vec<Out> {
        let mut out = Vec::new();
        self.step(now, input, &mut out);
        out
    }

    /// The account.
    pub(in crate::trace) fn account(&self) -> &Text {
        &self.account
    }

    /// The channel that it is in.
    pub(in crate::trace) fn joined(&self) -> Option<&ChannelId> {
        self.session.joined_channel()
    }
}
