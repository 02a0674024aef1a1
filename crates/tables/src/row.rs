//! Compiled rows, which the engine executes.

use std::time::Duration;

use rtm::value::{Text, Value};
use rtm::{CallKind, EventKind, RtmError};

use crate::condition::{Cond, Emulation, EmulationInput, EmulationValue};
use crate::expr::Expr;
pub use crate::ids::{CodeId, FailId, RowId, SigId};
use crate::reason::{Reason, ReasonId, ReasonSource};
use crate::ty::{SigType, Ty};

/// A declared Signaling call or event.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The documented name.
    pub name: Text,
    /// The documented arguments, in order.
    pub args: Vec<(Text, SigType)>,
}

impl Signature {
    /// Returns the position of the argument `name`.
    pub fn arg(&self, name: &str) -> Option<usize> {
        self.args.iter().position(|(arg, _)| &**arg == name)
    }
}

/// The status of a comparison row (decisions D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// One call or event of the other side.
    Direct,
    /// Emulated by the bridge with other calls.
    Emulated,
    /// Answered by the legacy SDK itself.
    ClientSide,
    /// Without a legacy counterpart: used by the bridge itself, or never.
    Internal,
    /// Not supported, with a limitation code.
    Refused,
}

impl Status {
    /// The names in rows.
    pub const NAMES: &[(&str, Status)] = &[
        ("direct", Self::Direct),
        ("emulated", Self::Emulated),
        ("client-side", Self::ClientSide),
        ("internal", Self::Internal),
        ("refused", Self::Refused),
    ];

    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(_, status)| *status == self);
        entry.map_or("?", |(name, _)| name)
    }
}

/// The trigger of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A Signaling call, under any of these names.
    Call(Vec<SigId>),
    /// An RTM event.
    Event(EventKind),
    /// Another row's outcome only.
    Result,
}

/// The order of a run among other runs of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// No order.
    #[default]
    Free,
    /// After all earlier runs of the channel lane; later ones wait for it.
    Serial,
    /// After earlier serial runs; no run waits for it.
    After,
}

/// A rate limit of calls (signaling-api 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The rate of a user's messages.
    Messages,
    /// The rate of a user's messages, and the channel's rate.
    ChannelMessages,
    /// The rate of a user's invitations and call signals.
    Invitations,
}

impl Limit {
    /// The names in rows.
    pub const NAMES: &[(&str, Limit)] = &[
        ("messages", Self::Messages),
        ("channel-messages", Self::ChannelMessages),
        ("invitations", Self::Invitations),
    ];
}

/// An executable row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id on the comparison pages.
    pub id: Text,
    /// `file:line` of the row, for display.
    pub place: Text,
    /// The trigger.
    pub kind: RowKind,
    /// The status of the comparison row.
    pub status: Status,
    /// Exceptions on some comparison pages.
    pub pages: Vec<Page>,
    /// Limitation codes of its outcomes.
    pub codes: Vec<CodeId>,
    /// The row's emulation.
    pub emulation: Option<Emulation>,
    /// The failure for general errors: bad arguments, rate, upstream down.
    pub fail: Option<Failure>,
    /// The order among other runs.
    pub lane: Lane,
    /// The rate limit of its calls.
    pub limit: Option<Limit>,
    /// The names and types of its values.
    pub slots: Vec<(Text, Ty)>,
    /// Number of slots that are arguments (or fields of the event).
    pub args: usize,
    /// The slot of the account that the row refers to.
    pub account: Option<usize>,
    /// The slot of the channel that the row refers to.
    pub channel: Option<usize>,
    /// Values computed at the start.
    pub let_values: Vec<Let>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The answer to a call.
    pub answer: Answer,
    /// The possible outcomes.
    pub outcomes: Vec<Outcome>,
    /// The positions of outcomes that emulations execute, by [`EmulationOutcome`](crate::condition::EmulationOutcome).
    pub emulation_outcomes: Vec<Option<usize>>,
    /// The slots of values that the emulation passes, by [`EmulationValue`].
    pub emulation_slots: [Option<usize>; EmulationValue::COUNT],
    /// The slots of values that the emulation reads, by [`EmulationInput`].
    pub emulation_inputs: [Option<usize>; EmulationInput::COUNT],
    /// The reason for each member of the error enum that the row explains.
    pub members: Vec<(RtmError, ReasonId)>,
    /// The source of the row's facts.
    pub source: Text,
}

impl Expect {
    /// Returns true if a value meets the expectation.
    pub fn holds(&self, value: &Value) -> bool {
        self.is.as_ref().map_or(!value.is_null(), |is| is == value)
    }
}

impl Row {
    /// Returns the reason that the row has for an error.
    pub fn reason_of(&self, error: Option<RtmError>) -> ReasonId {
        let member = self.members.iter().find(|(member, _)| Some(*member) == error);
        member.map_or(Reason::Failed.id(), |(_, reason)| *reason)
    }

    /// Returns the outcome of that name.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|o| &*o.name == name)
    }
}

/// The exceptions of a row on one comparison page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page.
    pub platform: Text,
    /// The status there.
    pub status: Option<Status>,
    /// The page's own spelling of the Signaling name.
    pub signaling: Option<Text>,
    /// A note for readers of the page.
    pub note: Option<Text>,
    /// Limitation codes there.
    pub codes: Vec<CodeId>,
}

/// A value computed at the start: an argument, or a part of its JSON text.
#[derive(Clone, Debug)]
pub struct Let {
    /// The target slot.
    pub slot: usize,
    /// The source.
    pub from: Expr,
    /// The key inside the JSON text of `from`.
    pub json: Option<Text>,
    /// The type.
    pub ty: SigType,
    /// The default, if the source has no value of that type.
    pub otherwise: LetDefault,
    /// Bounds of a number.
    pub clamp: Option<(i64, i64)>,
    /// A number that is not above 0 counts as missing.
    pub positive: bool,
}

/// The default of a `let`.
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
    /// Conditions that must all hold; otherwise the step is skipped.
    pub conds: Vec<Cond>,
    /// The action.
    pub kind: StepKind,
    /// The step is sent together with neighbours that have the same flag.
    pub together: bool,
}

/// The action of a step.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// An RTM call.
    Rtm(Box<RtmStep>),
    /// The execution of another row's steps, without its events.
    Row {
        /// The row.
        row: RowId,
        /// Its arguments, in its order.
        args: Vec<Expr>,
    },
    /// The computation of `$value`.
    Value {
        /// The expression.
        expr: Expr,
        /// The expectation.
        expect: Option<Expect>,
    },
    /// The end of the row with an outcome.
    Outcome(usize),
}

/// An RTM call and the handling of its result.
#[derive(Clone, Debug)]
pub struct RtmStep {
    /// The call.
    pub call: CallTemplate,
    /// The slot for the result.
    pub bind: Option<usize>,
    /// The expectation of the result.
    pub expect: Option<Expect>,
    /// The part of the result for `$value`.
    pub value: Option<Option<Expr>>,
    /// Errors that are retried, and the delay.
    pub waits: Vec<(RtmError, Duration)>,
    /// The handling of errors; every member has an entry.
    pub errors: Vec<(RtmError, Handling)>,
    /// Another session of this sidecar in the channel makes the call.
    pub via_member: bool,
    /// The rule for merging calls of several runs.
    pub gather: Option<Gather>,
    /// The lane: its calls are sent one at a time, in the order of their runs.
    pub lane: Option<Expr>,
}

/// A template of an RTM call.
#[derive(Clone, Debug)]
pub struct CallTemplate {
    /// The kind.
    pub kind: CallKind,
    /// The arguments in the order of [`CallKind::fields`]; `None` is the invitation, provided by
    /// the engine.
    pub args: Vec<Option<Expr>>,
}

/// The expectation of a result.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The key of the checked part; `None` for the whole result.
    pub at: Option<Expr>,
    /// The expected value; `None` if it only must exist.
    pub is: Option<Value>,
    /// The outcome if the expectation is not met.
    pub otherwise: usize,
}

/// The handling of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// The row continues.
    Continue,
    /// An outcome ends the row.
    Outcome(usize),
}

/// The rule for merging calls.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The position of the list argument.
    pub arg: usize,
    /// The item of this run.
    pub item: Expr,
    /// Maximum number of items in one call.
    pub max: usize,
    /// Minimum interval between calls.
    pub every: Duration,
}

/// The time of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerAt {
    /// Before any step, after local checks.
    Accepted,
    /// With the first successful result that is not a guard (a guard has `expect`).
    First,
    /// After the last step.
    #[default]
    Done,
}

/// The answer to a call.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The time.
    pub at: AnswerAt,
    /// The outcomes in the answer, in order.
    pub emit: Vec<usize>,
    /// Plain values that the wire may put into its reply.
    pub fields: Vec<(Text, Expr)>,
}

/// An outcome of a row.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name in the row.
    pub name: Text,
    /// Conditions; unless all hold, the outcome is skipped.
    pub conds: Vec<Cond>,
    /// The outcome that replaces a skipped one.
    pub otherwise: Option<usize>,
    /// An RTM call whose result is ignored.
    pub rtm: Option<CallTemplate>,
    /// Stores the message for its peer; if that fails, the row's `undelivered` is executed.
    pub hold: bool,
    /// A limitation to note.
    pub code: Option<CodeId>,
    /// A refusal.
    pub failure: Option<Failure>,
    /// A Signaling event.
    pub emission: Option<Emission>,
}

/// A refusal of some class.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The class, which determines the number.
    pub class: FailId,
    /// The source of its reason.
    pub reason: ReasonSource,
    /// The failure event.
    pub emission: Emission,
}

/// A template of a Signaling event.
#[derive(Clone, Debug)]
pub struct Emission {
    /// The row of the event.
    pub row: RowId,
    /// The event.
    pub event: SigId,
    /// The arguments, in order.
    pub args: Vec<Expr>,
    /// An object with one event for each entry.
    pub each: Option<Expr>,
    /// The transformation of a user list.
    pub list: Option<ListRule>,
}

/// The transformation of a user list before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct ListRule {
    /// The slot of the list.
    pub slot: usize,
    /// The number of last users to keep.
    pub last: usize,
}
