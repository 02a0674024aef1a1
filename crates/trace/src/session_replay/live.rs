//! Session replay with a live RTM.

use engine::{Effect, Input, TimerKey};
use protocol::event::Event;
use rtm::ChannelId;
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Text;

use crate::session_replay::{Out, SessionReplay};

impl SessionReplay {
    /// Switches to a live replay, which collects requests to others.
    pub(crate) fn live(mut self) -> Self {
        self.requests_to_others = Some(Vec::new());
        self
    }

    /// Takes the collected requests, in order.
    pub(crate) fn take_requests(&mut self) -> Vec<Effect> {
        self.requests_to_others.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Feeds an RTM event.
    pub(crate) fn rtm_event(&mut self, now: Time, rtm_event: UpstreamEvent) -> Vec<Out> {
        let input = match rtm_event {
            UpstreamEvent::Reply { request, result } => {
                self.open.remove(&request);
                Input::RtmReply { request, result }
            }
            UpstreamEvent::Event(event) => Input::RtmEvent(event),
            UpstreamEvent::Up(up) => Input::Upstream(up),
            UpstreamEvent::Unsupported(lacks) => Input::Unsupported(lacks),
        };
        self.live_step(now, input)
    }

    /// Feeds mailbox lines of an earlier session of the account.
    pub(crate) fn mailbox_lines(&mut self, now: Time, lines: Vec<(Event, Time)>) -> Vec<Out> {
        self.live_step(now, Input::OfflineLines(lines))
    }

    /// Feeds a timer, if it was not replaced.
    pub(crate) fn due(&mut self, now: Time, key: TimerKey) -> Vec<Out> {
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

    pub(crate) fn account(&self) -> &Text {
        &self.account
    }

    /// Returns the joined channel.
    pub(crate) fn joined(&self) -> Option<&ChannelId> {
        self.session.joined_channel()
    }
}
