//! Compiled wire tables: functions and notifications of one client family.

use foldhash::HashMap;

use rtm::value::{Text, Value};

use crate::coerce::flag;
use crate::expr::Expr;
use crate::reason::ReasonId;
use crate::row::{CodeId, FailId, RowId, SigId};
use crate::ty::SigType;

/// The wire of one family.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The family's name: `web`.
    pub family: Text,
    /// Its functions and notifications are the documented calls and events, by their own names. It
    /// has no session lines, no mailbox and no forms. The events' `via` still applies to
    /// disconnected clients.
    pub documented: bool,
    /// The poll mode of the mailbox.
    pub polls: Polls,
    /// The client's way to reconnect.
    pub resume_mode: ResumeMode,
    /// The login frame.
    pub login: Function,
    /// Functions.
    pub functions: Vec<Function>,
    /// Positions by name; several functions with the same name differ by an argument.
    pub by_name: HashMap<Text, Vec<usize>>,
    /// Notifications by event.
    pub events: Vec<Option<WireEvent>>,
    /// The numbers of failures in the family, by class and reason.
    pub ecodes: Vec<Vec<i64>>,
}

impl Wire {
    /// Returns an empty wire.
    pub fn nothing() -> Self {
        Self {
            family: "".into(),
            documented: true,
            polls: Polls::AtLogin,
            resume_mode: ResumeMode::ByLogin,
            login: Function::nothing(),
            functions: Vec::new(),
            by_name: HashMap::default(),
            events: Vec::new(),
            ecodes: Vec::new(),
        }
    }

    /// Returns the function of a name and its arguments, with its position.
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
        // A function with more required arguments has priority.
        Some(fitting.fold(first, |best, next| {
            if next.1.when.len() > best.1.when.len() {
                next
            } else {
                best
            }
        }))
    }

    /// Returns the number that an application of the family receives for a failure.
    pub fn ecode(&self, class: FailId, reason: ReasonId) -> i64 {
        let number = self.ecodes.get(class).and_then(|reasons| reasons.get(reason));
        number.copied().unwrap_or(0)
    }

    /// Returns the function at a position; the login frame for any other number.
    pub fn function(&self, at: usize) -> &Function {
        self.functions.get(at).unwrap_or(&self.login)
    }
}

/// The times at which a client polls its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polls {
    /// Right after its login, and periodically.
    AtLogin,
    /// Right after its login, then only after a notification. It acknowledges with its next poll,
    /// which may be never.
    LoginThenNotified,
    /// Only after a notification (signaling-wire 10).
    OnNotification,
}

impl Polls {
    /// The names in wire tables.
    pub const NAMES: &[(&str, Polls)] = &[
        ("at-login", Self::AtLogin),
        ("at-login-then-on-notification", Self::LoginThenNotified),
        ("on-notification", Self::OnNotification),
    ];
}

/// A client's way to reconnect after a lost connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeMode {
    /// By a new login, in some builds automatically; it still has its calls (signaling-wire 3.1).
    ByLogin,
    /// By its session line: it has its complete state, and fetches the missed lines of its channel
    /// (signaling-wire 10). A new login of such a client starts from scratch.
    BySessionLine,
    /// By a new login that continues the session: it gets the events that it missed.
    ToSession,
    /// Not at all: the next login has no earlier state, and gets no events of earlier calls
    /// (signaling-wire 5).
    Never,
}

impl ResumeMode {
    /// The names in wire tables.
    pub const NAMES: &[(&str, ResumeMode)] = &[
        ("by-login", Self::ByLogin),
        ("by-line", Self::BySessionLine),
        ("to-session", Self::ToSession),
        ("never", Self::Never),
    ];
}

/// A function of the wire.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name.
    pub name: Text,
    /// The action.
    pub target: Target,
    /// The constant arguments of the client.
    pub constants: Vec<(Text, Value)>,
    /// Arguments that identify the function.
    pub when: Vec<(Text, Value)>,
    /// The form of a refusal.
    pub failure: FailureForm,
    /// The session ends after the answer.
    pub ends: bool,
    /// For a function that ends the session: the argument with the last received mailbox version.
    pub acknowledges: Option<Text>,
}

impl Function {
    /// Returns a function without effect.
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

/// The action of a function.
#[derive(Clone, Debug)]
pub enum Target {
    /// A row.
    Row(RowCall),
    /// An action of the wire itself.
    Local(Local),
    /// The function that the arguments name.
    Invoke(Invoke),
}

/// The call of a row by a function.
#[derive(Clone, Debug)]
pub struct RowCall {
    /// The row.
    pub row: RowId,
    /// Number of the row's slots: its arguments and the values of its run.
    pub slots: usize,
    /// The Signaling call of the client's app.
    pub sig: SigId,
    /// The sources of the row's arguments.
    pub args: Vec<WireArg>,
    /// The members of the reply besides its result.
    pub reply: Vec<(Text, Fold)>,
    /// The source of a reply that is a single value: an event argument with JSON text, or a field
    /// of the answer.
    pub whole: Option<Fold>,
    /// Events that the SDK generates itself, so they are not sent.
    pub made_by_client: Vec<SigId>,
}

/// An argument of a row on the wire.
#[derive(Clone, Debug)]
pub struct WireArg {
    /// The row's slot.
    pub slot: usize,
    /// The documented name.
    pub name: Text,
    /// The type.
    pub ty: SigType,
    /// The name on the wire; `None` if the wire lacks it.
    pub wire: Option<Text>,
    /// The part of the wire's argument.
    pub part: WirePart,
}

/// The part of a wire argument that is a row's argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WirePart {
    /// The complete argument.
    #[default]
    Complete,
    /// `name#key`: that key of its JSON text.
    Json(Text),
    /// `name~prefix`: the text after that prefix.
    After(Text),
}

/// Actions of the wire itself, without a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// The mailbox: acknowledge and fetch.
    Mailbox,
    /// The mailbox of the msgid mode, which is not supported: always empty.
    MailboxMsgid,
    /// Success without further effect.
    Ok,
}

impl Local {
    /// The names in wire tables.
    pub const NAMES: &[(&str, Local)] = &[
        ("mailbox", Self::Mailbox),
        ("mailbox-msgid", Self::MailboxMsgid),
        ("ok", Self::Ok),
    ];
}

/// A call that names a function of the wire; an event contains its result (signaling-api 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The call: the function's name, its arguments as JSON text, a number of the app's.
    pub call: SigId,
    /// The event: that number, the reason of a refusal, the reply as JSON text.
    pub result_event: SigId,
}

/// The form of a refusal (decisions: "Failure form is by function").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureForm {
    /// For calls of the SDK itself: `err` is the text, which the JSON repeats.
    Own,
    /// For `invoke()`: `err` is empty, the JSON has `data.result`.
    Invoked,
}

impl FailureForm {
    /// The names in wire tables.
    pub const NAMES: &[(&str, FailureForm)] = &[("own", Self::Own), ("invoked", Self::Invoked)];
}

/// A member of a reply, built from the events of an answer.
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
        /// The argument of the key.
        key: usize,
        /// The argument of the value.
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
    /// The transport form.
    pub via: Via,
    /// The event is valid only for its login.
    pub volatile: bool,
    /// The limitation code for events that a disconnected client misses.
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
    /// Returns the control frames for a code.
    pub fn frames_for(&self, ecode: i64) -> &[Text] {
        let by_code = self.frames.iter().find(|(code, _)| *code == Some(ecode));
        let any = || self.frames.iter().find(|(code, _)| code.is_none());
        by_code.or_else(any).map_or(&[], |(_, frames)| frames)
    }
}

/// The transport form of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A line with a version, stored until acknowledged.
    Mailbox,
    /// A line with the channel's counter.
    Channel,
    /// Control frames.
    Control,
    /// Not sent: the SDK generates it, or has no such callback.
    Client,
}

impl Via {
    /// The names in wire tables.
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
    /// Not a line.
    None,
}
