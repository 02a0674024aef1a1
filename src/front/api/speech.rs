//! What clients of the documented API are told: responses, and every event by its name.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::bridge::{Answer, CallRef, Event, Form, LOGIN, Refusal};
use crate::front::reply::{Reply, folded};
use crate::mapping::Tables;
use crate::mapping::row::SigId;
use crate::mapping::ty::SigType;
use crate::mapping::wire::{FailureForm, Function, Target, Wire};
use crate::shell::{Asked, LineContext, Returned, Speech};
use crate::value::{Text, Value};

use super::open::{Entry, LOGIN_CALL, Open};
use super::rpc::{self, Failure, Fault};

/// The language of one connection, which remembers what is to be answered.
#[derive(Debug)]
pub struct ApiSpeech {
    pub(super) tables: Arc<Tables>,
    pub(super) wire: Arc<Wire>,
    pub(super) open: Mutex<Open>,
}

impl ApiSpeech {
    /// The language of a connection that has said nothing yet.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        Self {
            tables,
            wire,
            open: Mutex::default(),
        }
    }

    /// A response, and behind it what tells the result of an invoked function.
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
            self.open.lock().answered(to.place, text)
        });
        let told = invoked.map(|(sig, number)| {
            let Reply { err, json } = reply();
            self.notification(sig, &[number, err.into(), json.into()])
        });
        response.into_iter().chain(told).collect()
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

impl Speech for ApiSpeech {
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String> {
        let function = self.wire.function(call.function);
        let number = if call.function == LOGIN { LOGIN_CALL } else { call.id };
        let entry = self.open.lock().take(number);
        let invoked = entry.as_ref().is_some_and(|entry| entry.invoked.is_some());
        let result = match &answer.failure {
            Some(refusal) => Err(self.failure(refusal)),
            None => Ok(if invoked {
                Value::Null
            } else {
                returned(function, answer)
            }),
        };
        let mut texts = self.respond(entry, result, || {
            // Its reason is told beside the reply, as it is for the calls that SDKs make themselves.
            let own = Function {
                failure: FailureForm::Own,
                ..function.clone()
            };
            Reply::of_answer(&self.tables, &self.wire, &own, answer)
        });
        // What refuses a call is an event, too; the app of an SDK knows no other.
        if let Some(refusal) = answer.failure.as_ref().filter(|_| !invoked) {
            texts.push(self.notification(refusal.event.sig, &refusal.event.args));
        }
        texts
    }

    /// These clients have no lines.
    fn returned(&self, _: Returned) -> Vec<String> {
        Vec::new()
    }

    fn plain(&self, asked: Asked<'_>, _: FailureForm, result: Result<(), &str>) -> Vec<String> {
        let entry = self.open.lock().take(asked.id);
        let answer = match result {
            Ok(()) => Ok(Value::Null),
            Err(reason) => Err(Fault::method(reason.to_owned()).into()),
        };
        self.respond(entry, answer, || Reply::plain(FailureForm::Own, result))
    }

    /// These clients have no mailbox.
    fn mailbox(&self, _: Asked<'_>, _: u64, _: &[(u64, Event)], _: LineContext<'_>) -> Vec<String> {
        Vec::new()
    }

    fn notify(&self, _: Form, event: &Event, _: LineContext<'_>) -> Vec<String> {
        vec![self.notification(event.sig, &event.args)]
    }

    /// These clients have no mailbox.
    fn hint(&self, _: u64) -> Vec<String> {
        Vec::new()
    }

    /// WebSocket has pings of its own.
    fn pong(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }

    fn control(&self, name: &str) -> Vec<String> {
        let told = self.tables.told(name);
        told.map(|(sig, args)| self.notification(sig, &args))
            .into_iter()
            .collect()
    }
}

/// What a call returns, beside what it has told.
fn returned(function: &Function, answer: &Answer) -> Value {
    match &function.target {
        Target::Row(call) => call.whole.as_ref().map_or(Value::Null, |fold| folded(fold, answer)),
        Target::Local(_) | Target::Invoke(_) => Value::Null,
    }
}

/// A value as its documented type; what the bridge does not know is empty.
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
