//! Outputs of the service, and the context of an input.

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{RtmError, RtmEvent, RtmReply};

/// One RTM instance in a [`RtmService`](crate::RtmService).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(super) u64);

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

/// A call that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) client: ClientId,
    pub(super) request: u64,
}

/// The context of an input or a timer: its time and its outputs.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) now: Time,
    pub(super) out: &'a mut Vec<Output>,
}

impl Step<'_> {
    pub(super) fn reply(&mut self, ask: Ask, reply: RtmReply) {
        self.answer(ask, Ok(reply));
    }

    pub(super) fn fail(&mut self, ask: Ask, error: impl Into<RtmError>) {
        self.answer(ask, Err(error.into()));
    }

    pub(super) fn event(&mut self, client: ClientId, event: RtmEvent) {
        self.out.push(Output::Event { client, event });
    }

    fn answer(&mut self, ask: Ask, result: Result<RtmReply, RtmError>) {
        let Ask { client, request } = ask;
        self.out.push(Output::Reply {
            client,
            request,
            result,
        });
    }
}
