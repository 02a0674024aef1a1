//! Session replay with a live RTM.

use engine::{Effect, Input};
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
        if let UpstreamEvent::Reply { request, .. } = rtm_event {
            self.open.remove(&request);
        }
        self.live_step(now, rtm_event.into())
    }

    /// Feeds mailbox lines of an earlier session of the account.
    pub(crate) fn mailbox_lines(&mut self, now: Time, lines: Vec<(Event, Time)>) -> Vec<Out> {
        self.live_step(now, Input::OfflineLines(lines))
    }

    /// Feeds the first timer that is due.
    pub(crate) fn fire(&mut self, now: Time) -> Vec<Out> {
        let key = self.session.take_due(now);
        key.map(|key| self.live_step(now, Input::Timer(key)))
            .unwrap_or_default()
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
