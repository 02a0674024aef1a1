//! RTM behind a link: all messages are encoded in a platform's vocabulary, as text, and decoded
//! again.

use std::collections::HashMap;
use std::sync::Arc;

use agent_link::frame::{Body, Frame};
use agent_link::vocabulary::{Vocabulary, read_result};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};
use rtm_embedded::{ClientId, Output};

/// A link without a socket.
pub struct Link {
    words: Arc<Vocabulary>,
    open: HashMap<(ClientId, u64), CallKind>,
}

impl Link {
    /// Creates a link with a platform's vocabulary.
    pub fn new(words: Arc<Vocabulary>) -> Self {
        let open = HashMap::new();
        Self { words, open }
    }

    /// Transfers a call to RTM. Calls that the platform lacks are passed on unchanged: scenarios
    /// declare missing calls themselves.
    pub fn call(&mut self, client: ClientId, request: u64, call: RtmCall) -> RtmCall {
        let kind = call.kind();
        self.open.insert((client, request), kind);
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
    pub fn output(&mut self, output: Output) -> Output {
        match output {
            Output::Reply {
                client,
                request,
                result,
            } => {
                let kind = self.open.remove(&(client, request)).expect("a call that was made");
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
                Output::Reply {
                    client,
                    request,
                    result,
                }
            }
            Output::Event { client, event } => {
                let (method, params) = self.words.write_event(&session(), &event);
                let Body::Notice { method, params } = passed(Body::Notice { method, params }) else {
                    panic!("{event:?} is no event any more");
                };
                let read = self.words.read_event(&method, &params).expect("an event's name");
                let event = read.unwrap_or_else(|error| panic!("{method}: {error}"));
                Output::Event { client, event }
            }
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
