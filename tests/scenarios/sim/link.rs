//! RTM behind a link: all messages are encoded in a platform's vocabulary, as text, and decoded
//! again.

use std::collections::VecDeque;
use std::sync::Arc;

use agent_link::frame::{Body, Frame};
use agent_link::vocabulary::{Vocabulary, read_result};
use rtm::upstream::UpstreamEvent;
use rtm::value::Text;
use rtm::{CallKind, RtmCall};

/// A link of one RTM client, without a socket.
pub struct Link {
    words: Arc<Vocabulary>,
    /// Calls without a reply. Calls with unused replies share a number.
    open: VecDeque<(u64, CallKind)>,
}

impl Link {
    /// Creates a link with a platform's vocabulary.
    pub fn new(words: Arc<Vocabulary>) -> Self {
        let open = VecDeque::new();
        Self { words, open }
    }

    /// Transfers a call to RTM. Calls that the platform lacks are passed on unchanged: scenarios
    /// declare missing calls themselves.
    pub fn call(&mut self, request: u64, call: RtmCall) -> RtmCall {
        let kind = call.kind();
        self.open.push_back((request, kind));
        if !self.words.has(kind) {
            return call;
        }
        let body = Body::Request {
            id: request,
            method: self.words.call_name(kind).clone(),
            params: Vocabulary::call_params(&session(), &call),
        };
        let Body::Request { method, params, .. } = passed(body) else {
            panic!("{call:?} is no request any more");
        };
        let read = self.words.read_call(&method, &params).expect("the platform has it");
        read.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Transfers an output of RTM back.
    pub fn event(&mut self, event: UpstreamEvent) -> UpstreamEvent {
        match event {
            UpstreamEvent::Reply { request, result } => {
                let at = self.open.iter().position(|(open, _)| *open == request);
                let (_, kind) = at.and_then(|at| self.open.remove(at)).expect("a call that was made");
                let body = match result {
                    Ok(reply) => Body::Result {
                        id: request,
                        result: reply.to_value(),
                    },
                    Err(error) => Body::Error {
                        id: request,
                        error: self.words.write_error(error),
                    },
                };
                let result = match passed(body) {
                    Body::Result { result, .. } => Ok(read_result(kind, &result).expect("a result of the call")),
                    Body::Error { error, .. } => Err(self.words.read_error(kind, &error)),
                    other => panic!("{other:?} is no answer"),
                };
                UpstreamEvent::Reply { request, result }
            }
            UpstreamEvent::Event(event) => {
                let (method, params) = self.words.write_event(&session(), &event);
                let Body::Notice { method, params } = passed(Body::Notice { method, params }) else {
                    panic!("{event:?} is no event any more");
                };
                let read = self.words.read_event(&method, &params).expect("an event's name");
                UpstreamEvent::Event(read.unwrap_or_else(|error| panic!("{method}: {error}")))
            }
            other => other,
        }
    }
}

fn session() -> Text {
    "1".into()
}

fn passed(body: Body) -> Body {
    let text = Frame { seq: Some(1), body }.into_text();
    Frame::parse(&text).expect("what was written can be read").body
}
