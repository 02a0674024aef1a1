//! What clients of the documented API say: from JSON-RPC to frames.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::front::ClientFrame;
use crate::front::hearing::Heard;
use crate::front::reading::UNKNOWN_FUNCTION;
use crate::front::socket::Incoming;
use crate::front::web::pipe::Reader;
use crate::mapping::Tables;
use crate::mapping::profile::Transport;
use crate::mapping::row::SigId;
use crate::mapping::wire::{Invoke, Target};
use crate::shell::{Holder, Server, Speech};
use crate::value::{Text, Value};

use super::open::{Address, Entry, LOGIN_CALL, Place};
use super::rpc::{self, Fault, Parsed, Refused, Request};
use super::speech::ApiSpeech;

/// Reads the messages of a connection.
pub struct ApiReader {
    server: Arc<Server>,
    ear: ApiEar,
}

impl ApiReader {
    /// The reader of a new connection.
    pub fn new(server: Arc<Server>) -> Self {
        let ear = ApiEar::new(&server.tables);
        let held = server.memory.holds(Holder::Requests);
        ear.speech.open.lock().count_in(held);
        Self { server, ear }
    }
}

impl Reader for ApiReader {
    fn read(&self, text: Utf8Bytes) -> Incoming {
        let heard = self.ear.hear(text.as_str());
        for bad in &heard.bad {
            self.server.metrics.bad_frame(bad);
            if *bad == UNKNOWN_FUNCTION {
                self.server.usage.unknown();
            }
        }
        Incoming::Heard(heard, text)
    }

    fn speech(&self) -> Option<Arc<dyn Speech>> {
        Some(self.ear.speech())
    }
}

/// The texts of one connection as frames: it numbers the requests and knows which belong to a batch.
#[derive(Debug)]
pub struct ApiEar {
    speech: Arc<ApiSpeech>,
}

impl ApiEar {
    /// That of a connection that has said nothing yet.
    pub fn new(tables: &Arc<Tables>) -> Self {
        let profile = tables.profiles.iter().find(|p| p.transport == Transport::Api);
        // Without a profile the connection is closed before anything is read.
        let wire = profile.and_then(|p| tables.wire(&p.family).cloned());
        let wire = wire.unwrap_or_else(|| tables.documented());
        Self {
            speech: Arc::new(ApiSpeech::new(tables.clone(), wire)),
        }
    }

    /// The language that answers what was heard.
    pub fn speech(&self) -> Arc<dyn Speech> {
        self.speech.clone()
    }

    /// What a text means.
    pub fn hear(&self, text: &str) -> Heard {
        let mut heard = Heard::default();
        match rpc::parse(text) {
            Parsed::One(request) => heard.answer = self.take(request, None, &mut heard.frames, &mut heard.bad),
            Parsed::Batch(requests) => {
                let batch = self.speech.open.lock().begin_batch();
                for (at, request) in requests.into_iter().enumerate() {
                    let place = Place { batch, at };
                    if let Some(text) = self.take(request, Some(place), &mut heard.frames, &mut heard.bad) {
                        self.speech.open.lock().refused(place, text);
                    }
                }
                // Before any frame is served: the last of their answers is to find the batch closed.
                heard.answer = self.speech.open.lock().end_batch(batch);
            }
        }
        heard
    }

    /// Adds the frame that a request means; what is said of one that cannot be served, if anybody asked.
    fn take(
        &self,
        request: Result<Request, Refused>,
        place: Option<Place>,
        frames: &mut Vec<ClientFrame>,
        bad: &mut Vec<&'static str>,
    ) -> Option<String> {
        match request.and_then(|request| self.speech.frame(request, place)) {
            Ok(frame) => {
                frames.push(frame);
                None
            }
            Err(Refused { id, fault }) => {
                bad.push(counted(&fault));
                id.map(|id| rpc::response(&id, &Err(fault.into())))
            }
        }
    }
}

/// The counter of a fault.
fn counted(fault: &Fault) -> &'static str {
    match fault.code {
        -32_700 => "not JSON",
        -32_600 => "no request",
        -32_601 => UNKNOWN_FUNCTION,
        -32_602 => "wrong param",
        _ => "too many open calls",
    }
}

impl ApiSpeech {
    /// The frame that a request means; its answer will find it.
    fn frame(&self, request: Request, place: Option<Place>) -> Result<ClientFrame, Refused> {
        let Request { id, method, params } = request;
        match self.call(&method, params) {
            Ok(call) => self.open_call(call, id, place),
            Err(fault) => Err(Refused { id, fault }),
        }
    }

    fn open_call(&self, call: Call, id: Option<Box<RawValue>>, place: Option<Place>) -> Result<ClientFrame, Refused> {
        let mut open = self.open.lock();
        let invoked = call.invoked;
        let to = id.map(|id| Address { id, place });
        let entry = Entry { to, invoked };
        if open.is_full(&entry) {
            let id = entry.to.map(|to| to.id);
            return Err(Refused { id, fault: Fault::BUSY });
        }
        let is_login = call.is_login && open.log_in();
        let number = if is_login { LOGIN_CALL } else { open.number() };
        open.wait(number, entry);
        Ok(match is_login {
            true => ClientFrame::Login(call.args),
            false => ClientFrame::Call {
                function: call.function,
                id: number,
                args: call.args,
            },
        })
    }

    /// The call that a method and its params mean.
    fn call(&self, method: &Text, params: Value) -> Result<Call, Fault> {
        let unknown = || Fault::method(format!("there is no method `{method}`"));
        let (_, function) = self.wire.find(method, &Value::Null).ok_or_else(unknown)?;
        match &function.target {
            Target::Row(call) if self.tables.signatures[call.sig].name == *method => Ok(Call {
                is_login: matches!(&self.wire.login.target, Target::Row(login) if login.row == call.row),
                args: self.named(call.sig, params)?,
                function: method.clone(),
                invoked: None,
            }),
            Target::Invoke(invoke) => self.invoked(invoke, params),
            // The functions that can be invoked are no methods.
            Target::Row(_) | Target::Local(_) => Err(unknown()),
        }
    }

    /// The function that the arguments of a call name.
    fn invoked(&self, invoke: &Invoke, params: Value) -> Result<Call, Fault> {
        let args = self.named(invoke.call, params)?;
        let names = self.tables.signatures[invoke.call].args.iter();
        let mut values = names.map(|(name, _)| args.get(name).cloned().unwrap_or_default());
        let mut next = || values.next().unwrap_or_default();
        let (name, request, number) = (next().into_text(), next(), next());
        let args = match request {
            Value::Text(json) => Value::from_json(&json).unwrap_or_default(),
            other => other,
        };
        // Only what follows the package travels (signaling-api 7).
        let function = name.rsplit('.').next().unwrap_or_default();
        Ok(Call {
            function: function.into(),
            args,
            is_login: false,
            invoked: Some((invoke.told, number)),
        })
    }

    /// Params by name: those by position take the names of the documented arguments, in order.
    fn named(&self, sig: SigId, params: Value) -> Result<Value, Fault> {
        let signature = &self.tables.signatures[sig];
        let known = || {
            let names: Vec<&str> = signature.args.iter().map(|(name, _)| &**name).collect();
            format!("`{}` takes ({})", signature.name, names.join(", "))
        };
        match params {
            Value::List(values) if values.len() > signature.args.len() => Err(Fault::params(known())),
            Value::List(values) => {
                let names = signature.args.iter().map(|(name, _)| name.clone());
                Ok(Value::Map(names.zip(values).collect()))
            }
            Value::Map(entries) if entries.iter().any(|(name, _)| signature.arg(name).is_none()) => {
                Err(Fault::params(known()))
            }
            params @ Value::Map(_) => Ok(params),
            _ => Ok(Value::Map(Vec::new())),
        }
    }
}

/// A documented call, or a function that one has named.
struct Call {
    function: Text,
    args: Value,
    is_login: bool,
    invoked: Option<(SigId, Value)>,
}
