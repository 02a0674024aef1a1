//! What a world says, and to whom.

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{RtmError, RtmEvent, RtmReply};

/// One RTM instance in a [`RtmService`](crate::RtmService).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(super) u64);

/// What an instance sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The one answer to a call.
    Reply {
        /// Who called.
        client: ClientId,
        /// The number that came with the call.
        request: u64,
        /// The result, or a member of one of the call's error enums.
        result: Result<RtmReply, RtmError>,
    },
    /// An event of an instance.
    Event {
        /// Whose event it is.
        client: ClientId,
        /// What happened.
        event: RtmEvent,
    },
}

impl Output {
    /// Returns it as an event of an upstream, with the client that it is for.
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

/// A call that wants an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) client: ClientId,
    pub(super) request: u64,
}

/// One entry into the world, or one timer: when it is, and what it lets others see.
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
