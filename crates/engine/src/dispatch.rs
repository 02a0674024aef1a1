//! What a call of a client means, without a socket: an input for its session, or frames that answer it at once.

use crate::Input;
use protocol::encoder::{Asked, Encoder, LineContext};
use protocol::event::{CallRef, SocketId};
use rtm::time::Time;
use rtm::value::Value;
use tables::wire::{FailureForm, Function, Local, Target, Wire};

use protocol::args::{read_args, readable_args};

/// Most lines that one poll fetches.
const MAX_LINES: i64 = 100;

use protocol::decoder::UNKNOWN_FUNCTION;

/// What a call means.
#[derive(Debug)]
pub struct DispatchResult {
    /// What to do.
    pub meaning: Dispatch,
    /// What is wrong with it, as it is counted.
    pub bad: Option<&'static str>,
}

/// What to do with a call.
#[derive(Debug)]
pub enum Dispatch {
    /// The session takes it.
    Input(Input),
    /// It is answered without the session.
    Frames(Vec<String>),
    /// There is no session yet: one that never begins knows what SDKs answer by themselves, and refuses the rest.
    Nobody(Input),
}

/// Who calls, and how it is answered.
pub struct Caller<'c> {
    /// The wire of its family.
    pub wire: &'c Wire,
    /// Its language.
    pub speech: &'c dyn Encoder,
    /// Its socket.
    pub socket: SocketId,
    /// Now.
    pub now: Time,
    /// Whether a line is that of its session; none before the login.
    pub knows: Option<&'c dyn Fn(&str) -> bool>,
}

impl Caller<'_> {
    /// Reads a call.
    pub fn read(&self, name: &str, id: i64, args: &Value) -> DispatchResult {
        let asked = Asked { function: name, id };
        if self.wire.documented {
            return self.read_documented(asked, args);
        }
        let Some(knows) = self.knows else {
            let frames = self.speech.plain(asked, FailureForm::Own, Err("not login"));
            return frames_because("call before login", frames);
        };
        let Some((position, function)) = self.wire.find(name, args) else {
            // Invoked: any name can be, and the object form is what apps read their reason from.
            return self.unknown(asked, FailureForm::Invoked);
        };
        let call = self.call(asked, position);
        if !args
            .get("line")
            .and_then(Value::as_text)
            .is_some_and(|line| knows(line))
        {
            return self.refused(call, asked, function, args, "wrong line");
        }
        match &function.target {
            Target::Row(row) => match read_args(row, args) {
                Ok(values) => good(Dispatch::Input(Input::Call {
                    call,
                    row: row.row,
                    args: values,
                    acknowledges: function.acknowledges.as_ref().and_then(|name| version(args, name)),
                })),
                Err(reason) => self.refused(call, asked, function, args, reason),
            },
            Target::Invoke(_) => self.unknown(asked, FailureForm::Invoked),
            Target::Local(Local::Ok) => good(Dispatch::Frames(self.speech.plain(asked, function.failure, Ok(())))),
            Target::Local(Local::MailboxMsgid) => {
                let context = LineContext {
                    account: &"".into(),
                    channel: None,
                    now: self.now,
                };
                good(Dispatch::Frames(self.speech.mailbox(asked, 0, &[], context)))
            }
            Target::Local(Local::Mailbox) => {
                let ver_clear = version(args, "ver_clear").unwrap_or(0);
                let max = args.get("max").and_then(Value::as_int).unwrap_or(30);
                let max = usize::try_from(max.clamp(1, MAX_LINES)).unwrap_or(1);
                good(Dispatch::Input(Input::Poll { call, ver_clear, max }))
            }
        }
    }

    /// Calls by their documented names carry no line, and some are answered before a login.
    fn read_documented(&self, asked: Asked<'_>, args: &Value) -> DispatchResult {
        let found = self.wire.find(asked.function, args);
        let Some((position, Target::Row(row))) = found.map(|(at, function)| (at, &function.target)) else {
            return self.unknown(asked, FailureForm::Own);
        };
        let call = self.call(asked, position);
        let again = matches!(&self.wire.login.target, Target::Row(login) if login.row == row.row);
        let read = if again {
            Err("already login")
        } else {
            read_args(row, args)
        };
        let bad = read.as_ref().err().copied();
        let bad = bad.or_else(|| self.knows.is_none().then_some("call before login"));
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
                reason: reason.into(),
            },
        };
        let meaning = if self.knows.is_some() {
            Dispatch::Input(input)
        } else {
            Dispatch::Nobody(input)
        };
        DispatchResult { meaning, bad }
    }

    fn call(&self, asked: Asked<'_>, function: usize) -> CallRef {
        CallRef {
            socket: self.socket,
            id: asked.id,
            function,
        }
    }

    fn unknown(&self, asked: Asked<'_>, form: FailureForm) -> DispatchResult {
        let reason = format!("unknown func {}", asked.function);
        frames_because(UNKNOWN_FUNCTION, self.speech.plain(asked, form, Err(&reason)))
    }

    fn refused(
        &self,
        call: CallRef,
        asked: Asked<'_>,
        function: &Function,
        args: &Value,
        reason: &'static str,
    ) -> DispatchResult {
        let meaning = match &function.target {
            Target::Row(row) => Dispatch::Input(Input::Refused {
                call,
                row: row.row,
                args: readable_args(row, args),
                reason: reason.into(),
            }),
            Target::Local(_) | Target::Invoke(_) => {
                Dispatch::Frames(self.speech.plain(asked, function.failure, Err(reason)))
            }
        };
        DispatchResult {
            meaning,
            bad: Some(reason),
        }
    }
}

/// A version of the mailbox in the arguments of a call.
fn version(args: &Value, name: &str) -> Option<u64> {
    args.get(name)
        .and_then(Value::as_int)
        .and_then(|version| u64::try_from(version).ok())
}

fn good(meaning: Dispatch) -> DispatchResult {
    DispatchResult { meaning, bad: None }
}

fn frames_because(bad: &'static str, frames: Vec<String>) -> DispatchResult {
    DispatchResult {
        meaning: Dispatch::Frames(frames),
        bad: Some(bad),
    }
}
