//! Encoding of the documented API: responses, and every event by its name.

use std::sync::Arc;

use parking_lot::Mutex;

use rtm::value::{Text, Value};
use tables::Tables;
use tables::row::SigId;
use tables::ty::SigType;
use tables::wire::{FailureForm, Function, Target, Wire};

use crate::api::pending::{Entry, LOGIN_CALL, PendingRequests};
use crate::api::rpc;
use crate::api::rpc::{Failure, Fault};
use crate::encoder::{Encoder, LineContext, NamedCall, Resumed};
use crate::event::{Answer, CallRef, Event, Form, LOGIN, Refusal};
use crate::reply::{Reply, folded};

/// The encoder of one connection, with its pending requests.
#[derive(Debug)]
pub struct ApiEncoder {
    pub(super) tables: Arc<Tables>,
    pub(super) wire: Arc<Wire>,
    /// Shared with the encoders of the same connection by other tables.
    pub(super) pending: Arc<Mutex<PendingRequests>>,
}

impl ApiEncoder {
    /// Creates the encoder of a new connection.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        Self {
            tables,
            wire,
            pending: Arc::default(),
        }
    }

    /// Returns the encoder of the same connection by other tables.
    pub(super) fn by(&self, tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        let convert = |sig: SigId| tables.signature_named(&self.tables.signatures[sig].name);
        self.pending.lock().convert(convert);
        Self {
            tables,
            wire,
            pending: self.pending.clone(),
        }
    }

    /// Returns a response, followed by the result event of an invoked function.
    fn respond(
        &self,
        entry: Option<Entry>,
        answer: Result<Value, Failure>,
        reply: impl FnOnce() -> Reply,
    ) -> Vec<String> {
        let Some(Entry { to, invoked }) = entry else {
            return Vec::new();
        };
        let response = to.and_then(|to| {
            let text = rpc::response(&to.id, &answer);
            self.pending.lock().answered(to.place, text)
        });
        let emitted = invoked.map(|(sig, number)| {
            let Reply { err, json } = reply();
            self.notification(sig, &[number, Value::text(err), Value::text(json)])
        });
        response.into_iter().chain(emitted).collect()
    }

    fn notification(&self, sig: SigId, args: &[Value]) -> String {
        let signature = &self.tables.signatures[sig];
        let params = signature.args.iter().enumerate().map(|(at, (name, ty))| {
            let value = args.get(at).cloned().unwrap_or_default();
            (name.clone(), as_documented(value, *ty))
        });
        rpc::notification(&signature.name, params.collect())
    }

    fn failure(&self, refusal: &Refusal) -> Failure {
        let event = self.tables.signatures[refusal.event.sig].name.clone();
        Failure {
            code: refusal.ecode,
            message: refusal.reason.clone(),
            data: Value::Map(vec![("event".into(), event.into())]),
        }
    }
}

impl Encoder for ApiEncoder {
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String> {
        let function = self.wire.function(call.function);
        let number = if call.function == LOGIN { LOGIN_CALL } else { call.id };
        let entry = self.pending.lock().take(number);
        let invoked = entry.as_ref().is_some_and(|entry| entry.invoked.is_some());
        let result = match &answer.failure {
            Some(refusal) => Err(self.failure(refusal)),
            None => Ok(if invoked {
                Value::Null
            } else {
                result_of(function, answer)
            }),
        };
        let mut texts = self.respond(entry, result, || {
            // The reason is sent as an event after the reply, as for calls with client-made events.
            let own = Function {
                failure: FailureForm::Own,
                ..function.clone()
            };
            Reply::of_answer(&self.tables, &self.wire, &own, answer)
        });
        // A refusal is sent as an event, too, because apps of an SDK handle only the event.
        if let Some(refusal) = answer.failure.as_ref().filter(|_| !invoked) {
            texts.push(self.notification(refusal.event.sig, &refusal.event.args));
        }
        texts
    }

    /// These clients have no session lines.
    fn resumed(&self, _: Resumed) -> Vec<String> {
        Vec::new()
    }

    fn plain(&self, call: NamedCall<'_>, _: FailureForm, result: Result<(), &str>) -> Vec<String> {
        let entry = self.pending.lock().take(call.id);
        let answer = match result {
            Ok(()) => Ok(Value::Null),
            Err(reason) => Err(Fault::method(reason.to_owned()).into()),
        };
        self.respond(entry, answer, || Reply::plain(FailureForm::Own, result))
    }

    /// These clients have no mailbox.
    fn mailbox(&self, _: NamedCall<'_>, _: u64, _: &[(u64, Event)], _: LineContext<'_>) -> Vec<String> {
        Vec::new()
    }

    fn notify(&self, _: Form, event: &Event, _: LineContext<'_>) -> Vec<String> {
        vec![self.notification(event.sig, &event.args)]
    }

    /// These clients have no mailbox.
    fn hint(&self, _: u64) -> Vec<String> {
        Vec::new()
    }

    /// WebSocket has its own pings.
    fn pong(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }

    fn control(&self, name: &str) -> Vec<String> {
        let emitted = self.tables.parse_event(name);
        emitted
            .map(|(sig, args)| self.notification(sig, &args))
            .into_iter()
            .collect()
    }
}

/// Returns the result of a call, besides its events.
fn result_of(function: &Function, answer: &Answer) -> Value {
    match &function.target {
        Target::Row(call) => call.whole.as_ref().map_or(Value::Null, |fold| folded(fold, answer)),
        Target::Local(_) | Target::Invoke(_) => Value::Null,
    }
}

/// Converts a value to its documented type; a value unknown to the bridge is empty.
fn as_documented(value: Value, ty: SigType) -> Value {
    match (ty, value) {
        (SigType::Int | SigType::Seconds, Value::Null) => Value::Int(0),
        (SigType::Flag, Value::Null) => Value::Bool(false),
        (SigType::Accounts | SigType::Ints, Value::Null) => Value::List(Vec::new()),
        (SigType::Int | SigType::Seconds | SigType::Flag | SigType::Accounts | SigType::Ints, value) => value,
        (_, Value::Null) => Text::from("").into(),
        (_, value) => value.into_text().into(),
    }
}
