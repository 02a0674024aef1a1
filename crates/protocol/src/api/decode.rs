//! Decoding of the documented API: from JSON-RPC to frames.

use std::sync::Arc;

use serde_json::value::RawValue;

use rtm::value::{Text, Value};
use tables::Tables;
use tables::profile::Transport;
use tables::row::SigId;
use tables::wire::{Invoke, Target, Wire};

use crate::ClientFrame;
use crate::api::encode::ApiEncoder;
use crate::api::pending::{Address, Entry, LOGIN_CALL, Place};
use crate::api::rpc;
use crate::api::rpc::{Fault, Parsed, Refused, Request};
use crate::decoder::{Decoded, UNKNOWN_FUNCTION};
use crate::encoder::Encoder;
use crate::memory_budget::MemoryUse;

/// The decoder of one connection. It numbers the requests and assigns them to batches.
#[derive(Debug)]
pub struct ApiDecoder {
    encoder: Arc<ApiEncoder>,
}

impl ApiDecoder {
    /// Counts the memory of pending requests.
    pub fn count_in(&self, memory: MemoryUse) {
        self.encoder.pending.lock().count_in(memory);
    }

    /// Creates the decoder of a new connection.
    pub fn new(tables: &Arc<Tables>) -> Self {
        Self {
            encoder: Arc::new(ApiEncoder::new(tables.clone(), wire(tables))),
        }
    }

    /// Returns the decoder of the same connection, with its pending requests, by other tables.
    pub fn by(&self, tables: &Arc<Tables>) -> Self {
        Self {
            encoder: Arc::new(self.encoder.by(tables.clone(), wire(tables))),
        }
    }

    /// Returns the encoder for the decoded requests.
    pub fn encoder(&self) -> Arc<dyn Encoder> {
        self.encoder.clone()
    }

    /// Decodes a text.
    pub fn decode(&self, text: &str) -> Decoded {
        let mut decoded = Decoded::default();
        match rpc::parse(text) {
            Parsed::One(request) => decoded.answer = self.take(request, None, &mut decoded.frames, &mut decoded.bad),
            Parsed::Batch(requests) => {
                let batch = self.encoder.pending.lock().begin_batch();
                for (at, request) in requests.into_iter().enumerate() {
                    let place = Place { batch, at };
                    if let Some(text) = self.take(request, Some(place), &mut decoded.frames, &mut decoded.bad) {
                        self.encoder.pending.lock().refused(place, text);
                    }
                }
                // Before any frame is served: the last answer must find the batch closed.
                decoded.answer = self.encoder.pending.lock().end_batch(batch);
            }
        }
        decoded
    }

    /// Adds the frame of a request. Returns the response to an invalid one, unless it is a
    /// notification.
    fn take(
        &self,
        request: Result<Request, Refused>,
        place: Option<Place>,
        frames: &mut Vec<ClientFrame>,
        bad: &mut Vec<&'static str>,
    ) -> Option<String> {
        match request.and_then(|request| self.encoder.frame(request, place)) {
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

fn wire(tables: &Tables) -> Arc<Wire> {
    let profile = tables.profiles.iter().find(|p| p.transport == Transport::Api);
    // Without a profile the connection is closed before anything is read.
    let wire = profile.and_then(|p| tables.wire(&p.family).cloned());
    wire.unwrap_or_else(|| tables.documented())
}

/// Returns the counter of a fault.
fn counted(fault: &Fault) -> &'static str {
    match fault.code {
        -32_700 => "not JSON",
        -32_600 => "no request",
        -32_601 => UNKNOWN_FUNCTION,
        -32_602 => "wrong param",
        _ => "too many open calls",
    }
}

impl ApiEncoder {
    /// Converts a request to a frame and registers it as pending.
    fn frame(&self, request: Request, place: Option<Place>) -> Result<ClientFrame, Refused> {
        let Request { id, method, params } = request;
        match self.call(&method, params) {
            Ok(call) => self.register(call, id, place),
            Err(fault) => Err(Refused { id, fault }),
        }
    }

    fn register(&self, call: Call, id: Option<Box<RawValue>>, place: Option<Place>) -> Result<ClientFrame, Refused> {
        let mut pending = self.pending.lock();
        let invoked = call.invoked;
        let to = id.map(|id| Address { id, place });
        let entry = Entry { to, invoked };
        if pending.is_full(&entry) {
            let id = entry.to.map(|to| to.id);
            return Err(Refused { id, fault: Fault::BUSY });
        }
        let is_login = call.is_login && pending.log_in();
        let number = if is_login { LOGIN_CALL } else { pending.number() };
        pending.wait(number, entry);
        Ok(match is_login {
            true => ClientFrame::Login(call.args),
            false => ClientFrame::Call {
                function: call.function,
                id: number,
                args: call.args,
            },
        })
    }

    /// Resolves a method and its params.
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
            // Functions for `invoke` are not methods.
            Target::Row(_) | Target::Local(_) => Err(unknown()),
        }
    }

    /// Resolves the function named by the arguments of a call.
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
        // Only the part after the package is sent (signaling-api 7).
        let function = name.rsplit('.').next().unwrap_or_default();
        Ok(Call {
            function: function.into(),
            args,
            is_login: false,
            invoked: Some((invoke.result_event, number)),
        })
    }

    /// Names the params: positional ones get the names of the documented arguments, in order.
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

/// A documented call, or a function invoked by name.
struct Call {
    function: Text,
    args: Value,
    is_login: bool,
    invoked: Option<(SigId, Value)>,
}
