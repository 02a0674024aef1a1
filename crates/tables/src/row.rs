//! Compiled rows: what the engine runs.

use std::time::Duration;

use rtm::value::{Text, Value};
use rtm::{CallKind, EventKind, RtmError};

use crate::condition::{Cond, Emulation};
use crate::expr::Expr;
use crate::ty::{SigType, Ty};

/// Number of a row in its [`Tables`](crate::Tables).
pub type RowId = usize;
/// Number of a declared Signaling call or event.
pub type SigId = usize;
/// Number of a class of failures.
pub type FailId = usize;
/// Number of a limitation code.
pub type CodeId = usize;

/// A declared Signaling call or event.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The documented name.
    pub name: Text,
    /// The documented arguments, in order.
    pub args: Vec<(Text, SigType)>,
}

impl Signature {
    /// The position of the argument `name`.
    pub fn arg(&self, name: &str) -> Option<usize> {
        self.args.iter().position(|(arg, _)| &**arg == name)
    }
}

/// How a comparison row is served (decisions D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// One call or event of the other side.
    Direct,
    /// Made by the bridge out of others.
    Emulated,
    /// The legacy SDK answers by itself.
    ClientSide,
    /// No legacy counterpart: the bridge uses it itself, or never.
    Internal,
    /// Not served, with a limitation code.
    Refused,
}

impl Status {
    /// Names as rows write them.
    pub const NAMES: &[(&str, Status)] = &[
        ("direct", Self::Direct),
        ("emulated", Self::Emulated),
        ("client-side", Self::ClientSide),
        ("internal", Self::Internal),
        ("refused", Self::Refused),
    ];

    /// The name as rows write it.
    pub fn name(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(_, status)| *status == self);
        entry.map_or("?", |(name, _)| name)
    }
}

/// How a row is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// By a Signaling call, under any of these names.
    Call(Vec<SigId>),
    /// By an RTM event.
    Event(EventKind),
    /// By another row's outcome only.
    Result,
}

/// Which other rows of a session a run waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// None.
    #[default]
    Free,
    /// All earlier runs of the channel lane; later ones wait for it.
    Serial,
    /// Earlier serial runs; nobody waits for it.
    After,
}

/// A rate of calls (signaling-api 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// That of a user's messages.
    Messages,
    /// That of a user's messages, and that of the channel's.
    ChannelMessages,
    /// That of a user's calls, and signals about calls.
    Invitations,
}

impl Limit {
    /// Names as rows write them.
    pub const NAMES: &[(&str, Limit)] = &[
        ("messages", Self::Messages),
        ("channel-messages", Self::ChannelMessages),
        ("invitations", Self::Invitations),
    ];
}

/// A row, ready to run.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id of the comparison list.
    pub id: Text,
    /// `file:line` of the row, for people.
    pub place: Text,
    /// How it is entered.
    pub kind: RowKind,
    /// How the comparison row is served.
    pub status: Status,
    /// Statuses that differ on some pages.
    pub pages: Vec<Page>,
    /// Limitation codes that its outcomes may note.
    pub codes: Vec<CodeId>,
    /// The emulation that helps it.
    pub emulation: Option<Emulation>,
    /// What failures look like that are not the row's own: bad arguments, rate, upstream down.
    pub fail: Option<Failure>,
    /// Which other runs it waits for.
    pub lane: Lane,
    /// The rate that its calls count against.
    pub limit: Option<Limit>,
    /// The names of its values and their types.
    pub slots: Vec<(Text, Ty)>,
    /// How many of the slots are arguments (or fields of the event).
    pub args: usize,
    /// The slot that holds the account the row is about.
    pub account: Option<usize>,
    /// The slot that holds the channel the row is about.
    pub channel: Option<usize>,
    /// Values computed at entry.
    pub lets: Vec<Let>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// When and how a call is answered.
    pub answer: Answer,
    /// What may come of it.
    pub outcomes: Vec<Outcome>,
    /// The text for each member of the error enum that the row explains.
    pub members: Vec<(RtmError, Text)>,
    /// Where the facts come from.
    pub source: Text,
}

impl Expect {
    /// True when a value is what it must be.
    pub fn holds(&self, value: &Value) -> bool {
        self.is.as_ref().map_or(!value.is_null(), |is| is == value)
    }
}

impl Row {
    /// The outcome of that name.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|o| &*o.name == name)
    }
}

/// What a comparison page says differently.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page.
    pub platform: Text,
    /// The status there.
    pub status: Option<Status>,
    /// The page's own spelling of the Signaling name.
    pub signaling: Option<Text>,
    /// What a reader of the page should know.
    pub note: Option<Text>,
    /// Limitation codes there.
    pub codes: Vec<CodeId>,
}

/// A value computed at entry: an argument, or something inside its JSON text.
#[derive(Clone, Debug)]
pub struct Let {
    /// Where it goes.
    pub slot: usize,
    /// What it is read from.
    pub from: Expr,
    /// The key inside the JSON text of `from`.
    pub json: Option<Text>,
    /// Its type.
    pub ty: SigType,
    /// Its value when there is none of that type.
    pub otherwise: LetDefault,
    /// Bounds of a number.
    pub clamp: Option<(i64, i64)>,
    /// A number that is not above 0 counts as none.
    pub positive: bool,
}

/// The value of a `let` that finds nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum LetDefault {
    /// A literal.
    Value(Value),
    /// `config.invite.timeout`, in whole seconds.
    InviteTimeout,
    /// `$self`: the session's account.
    OwnAccount,
}

/// One step of a row.
#[derive(Clone, Debug)]
pub struct Step {
    /// Facts that must all hold; else the step is passed over.
    pub conds: Vec<Cond>,
    /// What it does.
    pub kind: StepKind,
    /// It goes out together with its neighbours that are so too.
    pub together: bool,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Calls RTM.
    Rtm(Box<RtmStep>),
    /// Runs another row's steps, in silence.
    Row {
        /// The row.
        row: RowId,
        /// Its arguments, in its order.
        args: Vec<Expr>,
    },
    /// Computes `$value`.
    Value {
        /// How.
        expr: Expr,
        /// What it must be.
        expect: Option<Expect>,
    },
    /// Ends the row with an outcome.
    Outcome(usize),
}

/// A call to RTM and what to make of its result.
#[derive(Clone, Debug)]
pub struct RtmStep {
    /// The call.
    pub call: CallTemplate,
    /// The slot that keeps the result.
    pub bind: Option<usize>,
    /// What the result must be.
    pub expect: Option<Expect>,
    /// `$value` is this part of the result.
    pub value: Option<Option<Expr>>,
    /// Errors after which to try again, and when.
    pub waits: Vec<(RtmError, Duration)>,
    /// What errors lead to; every member has an entry.
    pub errors: Vec<(RtmError, Handling)>,
    /// Another session of this sidecar makes the call, one that is in the channel.
    pub via_member: bool,
    /// Whether calls of several runs travel as one.
    pub gather: Option<Gather>,
    /// Calls of one lane go one at a time, in the order of their runs.
    pub lane: Option<Expr>,
}

/// An RTM call to be built.
#[derive(Clone, Debug)]
pub struct CallTemplate {
    /// Which.
    pub kind: CallKind,
    /// Its arguments in the order of [`CallKind::fields`]; `None` is the invitation that the engine fills in.
    pub args: Vec<Option<Expr>>,
}

/// What a result must be.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The key of the part to look at; the whole result without.
    pub at: Option<Expr>,
    /// What it must be; without, it must only be there.
    pub is: Option<Value>,
    /// The outcome when it is not.
    pub otherwise: usize,
}

/// What an error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// Nothing: the row goes on.
    Continue,
    /// An outcome that ends the row.
    Outcome(usize),
}

/// Calls that travel as one.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The position of the list argument.
    pub arg: usize,
    /// The item of this run.
    pub item: Expr,
    /// Most items in one call.
    pub max: usize,
    /// At most one call in this time.
    pub every: Duration,
}

/// When a call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerAt {
    /// Before any step: local checks have passed.
    Accepted,
    /// With the first successful result that is no guard (a guard has `expect`).
    First,
    /// After the last step.
    #[default]
    Done,
}

/// When and how a call is answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// When.
    pub at: AnswerAt,
    /// Outcomes that the answer consists of, in order.
    pub emit: Vec<usize>,
    /// Plain values that the wire may put into its reply.
    pub fields: Vec<(Text, Expr)>,
}

/// What may come of a row.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name in the row.
    pub name: Text,
    /// Facts without which it comes to nothing.
    pub conds: Vec<Cond>,
    /// The outcome that happens in its place then.
    pub otherwise: Option<usize>,
    /// A call to RTM whose result nobody waits for.
    pub rtm: Option<CallTemplate>,
    /// The message is kept for its peer; when it cannot be, the row's `undelivered` happens.
    pub hold: bool,
    /// A limitation to be noted.
    pub code: Option<CodeId>,
    /// A refusal.
    pub failure: Option<Failure>,
    /// A Signaling event.
    pub emission: Option<Emission>,
}

/// A refusal of some class.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The class, which makes the number.
    pub class: FailId,
    /// The text.
    pub reason: Expr,
    /// The event that tells it where events tell it.
    pub emission: Emission,
}

/// A Signaling event to be built.
#[derive(Clone, Debug)]
pub struct Emission {
    /// The row that the event belongs to.
    pub row: RowId,
    /// The event.
    pub event: SigId,
    /// Its arguments, in order.
    pub args: Vec<Expr>,
    /// One event for each entry of this object.
    pub each: Option<Expr>,
    /// A list that is cut, and where oneself is put.
    pub list: Option<ListRule>,
}

/// What is done to a list of users before it is shown.
#[derive(Clone, Copy, Debug)]
pub struct ListRule {
    /// The slot with the list.
    pub slot: usize,
    /// How many of the last to keep.
    pub last: usize,
}
