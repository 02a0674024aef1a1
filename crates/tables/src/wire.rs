//! Compiled wire tables: functions and notifications of one client family.

use std::collections::HashMap;

use rtm::value::{Text, Value};

use crate::coerce::flag;
use crate::expr::Expr;
use crate::row::{CodeId, RowId, SigId};
use crate::ty::SigType;

/// The wire of one family.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The family's name: `web`.
    pub family: Text,
    /// Its functions and notifications are the documented calls and events, by their own names: there are no lines of
    /// sessions, no mailbox and no forms; what the events' `via` says still holds for clients that are away.
    pub documented: bool,
    /// When the client fetches its mailbox.
    pub polls: Polls,
    /// How the client goes on when its connection was lost.
    pub comes_back: ComesBack,
    /// The login frame.
    pub login: Function,
    /// Functions.
    pub functions: Vec<Function>,
    /// Their positions by name; several that share a name differ by an argument.
    pub by_name: HashMap<Text, Vec<usize>>,
    /// Notifications by event.
    pub events: Vec<Option<WireEvent>>,
}

impl Wire {
    /// A wire that carries nothing.
    pub fn nothing() -> Self {
        Self {
            family: "".into(),
            documented: true,
            polls: Polls::AtLogin,
            comes_back: ComesBack::ByLogin,
            login: Function::nothing(),
            functions: Vec::new(),
            by_name: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// The function that a name and its arguments mean, with its position.
    pub fn find(&self, name: &str, args: &Value) -> Option<(usize, &Function)> {
        let is = |name: &Text, meant: &Value| match (args.get(name), meant) {
            (Some(value), Value::Bool(meant)) => flag(value) == Some(*meant),
            (value, meant) => value == Some(meant),
        };
        let is_meant = |function: &Function| function.when.iter().all(|(name, meant)| is(name, meant));
        let mut fitting = self
            .by_name
            .get(name)?
            .iter()
            .map(|&at| (at, &self.functions[at]))
            .filter(|(_, f)| is_meant(f));
        let first = fitting.next()?;
        // One that asks for an argument means more than one that asks for none.
        Some(fitting.fold(first, |best, next| {
            if next.1.when.len() > best.1.when.len() {
                next
            } else {
                best
            }
        }))
    }

    /// The function at a position; the login frame for any other number.
    pub fn function(&self, at: usize) -> &Function {
        self.functions.get(at).unwrap_or(&self.login)
    }
}

/// When a client fetches its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polls {
    /// By itself: right after its login, and from time to time.
    AtLogin,
    /// Right after its login, then only when it is told that something waits. It acknowledges with its next poll, which
    /// may be never.
    ThenWhenTold,
    /// Only when it is told that something waits (signaling-wire 10).
    WhenTold,
}

impl Polls {
    /// Names as wire tables write them.
    pub const NAMES: &[(&str, Polls)] = &[
        ("at-login", Self::AtLogin),
        ("at-login-then-when-told", Self::ThenWhenTold),
        ("when-told", Self::WhenTold),
    ];
}

/// How a client goes on when its connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComesBack {
    /// By a new login, some builds by themselves; it still knows its calls (signaling-wire 3.1).
    ByLogin,
    /// By its line: it knows all that it was told, and asks for what its channel has told meanwhile (signaling-wire
    /// 10). A new login of such a client is a new beginning.
    ByLine,
    /// By a new login, which continues the session: it gets what was for it meanwhile.
    ToSession,
    /// Not at all: whoever logs in next knows nothing of what was, and is not to be told of a call that it does not
    /// know (signaling-wire 5).
    Never,
}

impl ComesBack {
    /// Names as wire tables write them.
    pub const NAMES: &[(&str, ComesBack)] = &[
        ("by-login", Self::ByLogin),
        ("by-line", Self::ByLine),
        ("to-session", Self::ToSession),
        ("never", Self::Never),
    ];
}

/// A function of the wire.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Text,
    /// What it does.
    pub target: Target,
    /// What the client itself puts into the arguments.
    pub constants: Vec<(Text, Value)>,
    /// Arguments without which it is not this function.
    pub when: Vec<(Text, Value)>,
    /// The form of a refusal.
    pub failure: FailureForm,
    /// The session ends after the answer.
    pub ends: bool,
    /// Of a function that ends the session: the argument with the last version of the mailbox that the client has.
    pub acknowledges: Option<Text>,
}

impl Function {
    /// A function that does nothing.
    pub fn nothing() -> Self {
        Self {
            name: "".into(),
            target: Target::Local(Local::Ok),
            constants: Vec::new(),
            when: Vec::new(),
            failure: FailureForm::Own,
            ends: false,
            acknowledges: None,
        }
    }
}

/// What a function does.
#[derive(Clone, Debug)]
pub enum Target {
    /// Runs a row.
    Row(RowCall),
    /// Something of the wire alone.
    Local(Local),
    /// Runs the function that its arguments name.
    Invoke(Invoke),
}

/// How a function calls a row.
#[derive(Clone, Debug)]
pub struct RowCall {
    /// The row.
    pub row: RowId,
    /// The Signaling call that the client's app made.
    pub sig: SigId,
    /// Where each argument of the row comes from.
    pub args: Vec<WireArg>,
    /// What the reply holds besides its result.
    pub reply: Vec<(Text, Fold)>,
    /// What is the whole reply: an argument of an event, as JSON text, or a field of the answer.
    pub whole: Option<Fold>,
    /// Events that the SDK makes by itself, so they are not sent.
    pub made_by_client: Vec<SigId>,
}

/// An argument of a row on the wire.
#[derive(Clone, Debug)]
pub struct WireArg {
    /// The row's slot.
    pub slot: usize,
    /// Its documented name.
    pub name: Text,
    /// Its type.
    pub ty: SigType,
    /// Its name on the wire; `None` when the wire does not carry it.
    pub wire: Option<Text>,
    /// Where in the wire's argument it is.
    pub part: WirePart,
}

/// Where in an argument of the wire a row's argument is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WirePart {
    /// It is all of it.
    #[default]
    Whole,
    /// `name#key`: under that key of its JSON text.
    Json(Text),
    /// `name~prefix`: what follows that prefix.
    After(Text),
}

/// What the wire answers without a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// The mailbox: acknowledge and fetch.
    Mailbox,
    /// The mailbox of the msgid mode, which is not offered: always empty.
    MailboxMsgid,
    /// Success, nothing else.
    Ok,
}

impl Local {
    /// Names as wire tables write them.
    pub const NAMES: &[(&str, Local)] = &[
        ("mailbox", Self::Mailbox),
        ("mailbox-msgid", Self::MailboxMsgid),
        ("ok", Self::Ok),
    ];
}

/// A call that names a function of the wire, whose result an event tells (signaling-api 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The call: the function's name, its arguments as JSON text, a number of the app's.
    pub call: SigId,
    /// The event: that number, the reason of a refusal, the reply as JSON text.
    pub told: SigId,
}

/// The form of a refusal (decisions: "Failure form is by function").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureForm {
    /// The SDK makes the call itself: `err` is the text, the JSON says it too.
    Own,
    /// `invoke()`: `err` is empty, the JSON has `data.result`.
    Invoked,
}

impl FailureForm {
    /// Names as wire tables write them.
    pub const NAMES: &[(&str, FailureForm)] = &[("own", Self::Own), ("invoked", Self::Invoked)];
}

/// A member of a reply, made of the events of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Fold {
    /// `Event[a,b]`: list arguments side by side, `[[a0,b0],…]`.
    Zip {
        /// The event.
        event: SigId,
        /// Its list arguments.
        args: Vec<usize>,
    },
    /// `Event{key:value}`: an object with an entry per event.
    Object {
        /// The event.
        event: SigId,
        /// The argument that is the key.
        key: usize,
        /// The argument that is the value.
        value: usize,
    },
    /// `Event.arg`: one argument.
    Arg {
        /// The event.
        event: SigId,
        /// The argument.
        arg: usize,
        /// `:int`: as a number.
        as_int: bool,
    },
    /// `$field`: a field of the row's answer, by position.
    Field(usize),
}

/// A notification.
#[derive(Clone, Debug)]
pub struct WireEvent {
    /// How it travels.
    pub via: Via,
    /// It does not outlive the login that it was for.
    pub volatile: bool,
    /// The limitation that it is when a client that is away will not get it.
    pub missed: Option<CodeId>,
    /// The line's type.
    pub kind: Text,
    /// The line's source.
    pub src: Expr,
    /// The line's content.
    pub body: Body,
    /// Control frames by `ecode`; `None` is any other.
    pub frames: Vec<(Option<i64>, Vec<Text>)>,
}

impl WireEvent {
    /// The control frames for a code.
    pub fn frames_for(&self, ecode: i64) -> &[Text] {
        let by_code = self.frames.iter().find(|(code, _)| *code == Some(ecode));
        let any = || self.frames.iter().find(|(code, _)| code.is_none());
        by_code.or_else(any).map_or(&[], |(_, frames)| frames)
    }
}

/// How a notification travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A line with a version, kept until it is acknowledged.
    Mailbox,
    /// A line with the channel's counter.
    Channel,
    /// Frames.
    Control,
    /// Not at all: the SDK makes it by itself, or has no such callback.
    Client,
}

impl Via {
    /// Names as wire tables write them.
    pub const NAMES: &[(&str, Via)] = &[
        ("mailbox", Self::Mailbox),
        ("channel", Self::Channel),
        ("control", Self::Control),
        ("client", Self::Client),
    ];
}

/// A line's content.
#[derive(Clone, Debug)]
pub enum Body {
    /// Plain text.
    Text(Expr),
    /// A JSON object.
    Content(Vec<(Text, Expr)>),
    /// None: the notification is no line.
    None,
}
