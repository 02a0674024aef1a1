//! Outputs of the service, and the context of an input.

use std::time::Duration;

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{RtmError, RtmEvent, RtmReply};

use crate::config::RtmServiceConfig;
use crate::ids::{ClientId, ReplyTo};
use crate::timers::{Timer, TimerId, Timers};

/// An output for an instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The only reply to a call.
    Reply {
        /// The calling instance.
        client: ClientId,
        /// The number of the call.
        request: u64,
        /// The result, or a member of one of the call's error enums.
        result: Result<RtmReply, RtmError>,
    },
    /// An event of an instance.
    Event {
        /// The instance.
        client: ClientId,
        /// The event.
        event: RtmEvent,
    },
}

impl Output {
    /// Converts it to an event of an upstream, with its client.
    pub fn into_event(self) -> (ClientId, UpstreamEvent) {
        match self {
            Self::Reply {
                client,
                request,
                result,
            } => (client, UpstreamEvent::Reply { request, result }),
            Self::Event { client, event } => (client, UpstreamEvent::Event(event)),
        }
    }
}

/// The context of an input or a timer. The state machines of a service set their timers in it, and
/// append their outputs.
#[derive(Debug)]
pub(super) struct Ctx<'a> {
    pub(super) now: Time,
    pub(super) config: &'a RtmServiceConfig,
    pub(super) timers: &'a mut Timers<Timer>,
    pub(super) out: &'a mut Vec<Output>,
}

impl Ctx<'_> {
    pub(super) fn set_timer(&mut self, at: Time, timer: Timer) -> TimerId {
        self.timers.set(at, timer)
    }

    /// Sets a timer `after` from now.
    pub(super) fn set_timer_in(&mut self, after: Duration, timer: Timer) -> TimerId {
        self.set_timer(self.now + after, timer)
    }

    pub(super) fn cancel(&mut self, timer: TimerId) -> Option<Timer> {
        self.timers.cancel(timer)
    }

    pub(super) fn reply(&mut self, reply_to: ReplyTo, reply: RtmReply) {
        self.answer(reply_to, Ok(reply));
    }

    pub(super) fn fail(&mut self, reply_to: ReplyTo, error: impl Into<RtmError>) {
        self.answer(reply_to, Err(error.into()));
    }

    pub(super) fn event(&mut self, client: ClientId, event: RtmEvent) {
        self.out.push(Output::Event { client, event });
    }

    fn answer(&mut self, reply_to: ReplyTo, result: Result<RtmReply, RtmError>) {
        let ReplyTo { client, request } = reply_to;
        self.out.push(Output::Reply {
            client,
            request,
            result,
        });
    }
}
