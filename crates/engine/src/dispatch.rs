//! Dispatch of a client's call, without a socket: an input for its session, or an immediate answer.

use protocol::args::{read_args, readable_args};
use protocol::encoder::{Encoder, LineContext, NamedCall};
use protocol::event::{CallRef, SocketId};
use rtm::time::Time;
use rtm::value::Value;
use tables::reason::Reason;
use tables::wire::{FailureForm, Function, Local, Target, Wire};

use crate::Input;

/// Maximum number of lines in one poll.
const MAX_LINES: i64 = 100;

use protocol::decoder::UNKNOWN_FUNCTION;

/// The result of the dispatch.
#[derive(Debug)]
pub struct DispatchResult {
    /// The action.
    pub action: Dispatch,
    /// The error, as a counted reason.
    pub bad: Option<&'static str>,
}

/// The action for a call.
#[derive(Debug)]
pub enum Dispatch {
    /// An input for the session.
    Input(Input),
    /// The call is answered without the session.
    Frames(Vec<String>),
    /// The client is not logged in: [`answer_before_login`](crate::answer_before_login) answers
    /// calls that SDKs answer locally, and refuses the rest.
    BeforeLogin(Input),
}

/// The context of a call.
pub struct Caller<'c> {
    /// The wire of the client's family.
    pub wire: &'c Wire,
    /// The client's encoder.
    pub encoder: &'c dyn Encoder,
    /// The client's socket.
    pub socket: SocketId,
    /// The current time.
    pub now: Time,
    /// Returns true for a line of the client's session; `None` before the login.
    pub is_own_line: Option<&'c dyn Fn(&str) -> bool>,
}

impl Caller<'_> {
    /// Dispatches a call.
    pub fn read(&self, name: &str, id: i64, args: &Value) -> DispatchResult {
        let named = NamedCall { function: name, id };
        if self.wire.documented {
            return self.read_documented(named, args);
        }
        let Some(is_own_line) = self.is_own_line else {
            let frames = self
                .encoder
                .plain(named, FailureForm::Own, Err(Reason::NotLogin.name()));
            return frames_because("call before login", frames);
        };
        let Some((position, function)) = self.wire.find(name, args) else {
            // Any name may be invoked. Apps read the reason from the object form.
            return self.unknown(named, FailureForm::Invoked);
        };
        let call = self.call(named, position);
        if !args
            .get("line")
            .and_then(Value::as_text)
            .is_some_and(|line| is_own_line(line))
        {
            return self.refused(call, named, function, args, Reason::WrongLine);
        }
        match &function.target {
            Target::Row(row) => match read_args(row, args) {
                Ok(values) => good(Dispatch::Input(Input::Call {
                    call,
                    row: row.row,
                    args: values,
                    acknowledges: function.acknowledges.as_ref().and_then(|name| version(args, name)),
                })),
                Err(reason) => self.refused(call, named, function, args, reason),
            },
            Target::Invoke(_) => self.unknown(named, FailureForm::Invoked),
            Target::Local(Local::Ok) => good(Dispatch::Frames(self.encoder.plain(named, function.failure, Ok(())))),
            Target::Local(Local::MailboxMsgid) => {
                let context = LineContext {
                    account: &"".into(),
                    channel: None,
                    now: self.now,
                };
                good(Dispatch::Frames(self.encoder.mailbox(named, 0, &[], context)))
            }
            Target::Local(Local::Mailbox) => {
                let ver_clear = version(args, "ver_clear").unwrap_or(0);
                let max = args.get("max").and_then(Value::as_int).unwrap_or(30);
                let max = usize::try_from(max.clamp(1, MAX_LINES)).unwrap_or(1);
                good(Dispatch::Input(Input::Poll { call, ver_clear, max }))
            }
        }
    }

    /// Dispatches a call by its documented name. Such calls have no session line, and some are
    /// answered before login.
    fn read_documented(&self, named: NamedCall<'_>, args: &Value) -> DispatchResult {
        let found = self.wire.find(named.function, args);
        let Some((position, Target::Row(row))) = found.map(|(at, function)| (at, &function.target)) else {
            return self.unknown(named, FailureForm::Own);
        };
        let call = self.call(named, position);
        let again = matches!(&self.wire.login.target, Target::Row(login) if login.row == row.row);
        let read = if again {
            Err(Reason::AlreadyLogin)
        } else {
            read_args(row, args)
        };
        let bad = read.as_ref().err().map(|reason| reason.name());
        let bad = bad.or_else(|| self.is_own_line.is_none().then_some("call before login"));
        let input = match read {
            Ok(args) => Input::Call {
                call,
                row: row.row,
                args,
                acknowledges: None,
            },
            Err(reason) => Input::Refused {
                call,
                row: row.row,
                args: readable_args(row, args),
                reason,
            },
        };
        let action = if self.is_own_line.is_some() {
            Dispatch::Input(input)
        } else {
            Dispatch::BeforeLogin(input)
        };
        DispatchResult { action, bad }
    }

    fn call(&self, named: NamedCall<'_>, function: usize) -> CallRef {
        CallRef {
            socket: self.socket,
            id: named.id,
            function,
        }
    }

    fn unknown(&self, named: NamedCall<'_>, form: FailureForm) -> DispatchResult {
        let reason = format!("unknown func {}", named.function);
        frames_because(UNKNOWN_FUNCTION, self.encoder.plain(named, form, Err(&reason)))
    }

    fn refused(
        &self,
        call: CallRef,
        named: NamedCall<'_>,
        function: &Function,
        args: &Value,
        reason: Reason,
    ) -> DispatchResult {
        let action = match &function.target {
            Target::Row(row) => Dispatch::Input(Input::Refused {
                call,
                row: row.row,
                args: readable_args(row, args),
                reason,
            }),
            Target::Local(_) | Target::Invoke(_) => {
                Dispatch::Frames(self.encoder.plain(named, function.failure, Err(reason.name())))
            }
        };
        DispatchResult {
            action,
            bad: Some(reason.name()),
        }
    }
}

/// Returns a mailbox version from the arguments of a call.
fn version(args: &Value, name: &str) -> Option<u64> {
    args.get(name)
        .and_then(Value::as_int)
        .and_then(|version| u64::try_from(version).ok())
}

fn good(action: Dispatch) -> DispatchResult {
    DispatchResult { action, bad: None }
}

fn frames_because(bad: &'static str, frames: Vec<String>) -> DispatchResult {
    DispatchResult {
        action: Dispatch::Frames(frames),
        bad: Some(bad),
    }
}
