//! Outputs of the service, and the context of an input.

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{RtmError, RtmEvent, RtmReply};

/// One RTM instance in a [`RtmService`](crate::RtmService).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

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
pub(super) struct ReplyTo {
    pub(super) client: ClientId,
    pub(super) request: u64,
}

/// The context of an input or a timer: its time and its outputs.
#[derive(Debug)]
pub(super) struct Ctx<'a> {
    pub(super) now: Time,
    pub(super) out: &'a mut Vec<Output>,
}

impl Ctx<'_> {
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
