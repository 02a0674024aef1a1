//! Conditions of steps, and emulations of rows: two closed lists.

use rtm::{CallKind, FieldType};

use crate::ty::{SigType, Ty};

/// A condition, evaluated when its step is reached (decisions H1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The session has joined the row's channel.
    Joined,
    /// The session has joined another channel than the row's.
    InOtherChannel,
    /// The row's account is the session's own.
    OneSelf,
    /// The session has called the row's account about the row's channel, without an answer yet.
    Calling,
    /// The session was called by the row's account, and has not answered.
    Ringing,
    /// A call between them was accepted, in either direction.
    Talking,
    /// There is a call between them.
    AnyCall,
    /// The session has no client at the moment.
    Grace,
    /// The session's channel has more than 512 members.
    Over512,
    /// `[policy]` reads a missing attribute as empty.
    EmptyAttributes,
    /// `[policy]` refuses a second call to the same party about the same channel.
    StrictReinvite,
    /// `[policy]` permits a transient join for a message from outside.
    ForceJoin,
    /// The session has joined the row's channel transiently, and its client has not.
    TransientlyJoined,
    /// The row's attribute may only be written by the system.
    ReservedName,
    /// RTM itself stores messages for offline users.
    OfflineMessages,
    /// The upstream supports that call.
    Can(CallKind),
    /// The flag in that slot of the row is set.
    Flag(usize),
}

impl Condition {
    /// The names in rows; calls and flags use their own.
    pub const NAMES: &[(&str, Condition)] = &[
        ("joined", Self::Joined),
        ("in-other-channel", Self::InOtherChannel),
        ("self", Self::OneSelf),
        ("calling", Self::Calling),
        ("ringing", Self::Ringing),
        ("talking", Self::Talking),
        ("open-call", Self::AnyCall),
        ("grace", Self::Grace),
        ("over-512", Self::Over512),
        ("policy-empty-attributes", Self::EmptyAttributes),
        ("policy-strict-reinvite", Self::StrictReinvite),
        ("policy-force-join", Self::ForceJoin),
        ("transiently-joined", Self::TransientlyJoined),
        ("reserved-name", Self::ReservedName),
        ("offline-messages", Self::OfflineMessages),
        ("rest", Self::Can(CallKind::RestChannelMessage)),
    ];
}

/// A condition or its negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cond {
    /// The condition.
    pub condition: Condition,
    /// True with `!`.
    pub negated: bool,
}

/// An emulation that a row may name. Its function is in `engine::emulate`, its declaration here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulation {
    /// `channel.join`: one channel per user; channel events are held back until the list is sent.
    SingleChannel,
    /// Joins and leaves, without duplicates.
    MemberSet,
    /// Classifies peer messages: texts, end-calls, bytes.
    PeerText,
    /// Classifies channel messages: texts, bytes.
    ChannelText,
    /// The session's own attribute writes, reported once.
    AttrWrite,
    /// The same, with the effects of system attributes.
    SystemAttributeWrite,
    /// Attribute events by comparison.
    AttrDiff,
    /// An outgoing call's own time limit.
    InviteTimers,
    /// Events of active calls.
    Calls,
    /// A refusal, or a hang-up in the form of one.
    Refusal,
    /// An incoming call, with or without a channel.
    IncomingCall,
    /// The callee's answer.
    AnswerCall,
    /// The callee's refusal.
    RefuseCall,
    /// The end of a call from this side.
    CloseCall,
    /// Failures of incoming calls that have not ended.
    RingingOnly,
    /// Connection states.
    Status,
    /// Messages to offline peers.
    Outbox,
    /// A join for a message.
    TransientJoin,
}

const TEXT: Ty = Ty::Sig(SigType::Text);
const CHANNEL: Ty = Ty::Sig(SigType::Channel);
const RTM_CHANNEL: Ty = Ty::Rtm(FieldType::ChannelId);

impl Emulation {
    /// The names in rows.
    pub const NAMES: &[(&str, Emulation)] = &[
        ("single-channel", Self::SingleChannel),
        ("member-set", Self::MemberSet),
        ("peer-text", Self::PeerText),
        ("channel-text", Self::ChannelText),
        ("attr-write", Self::AttrWrite),
        ("builtin-write", Self::SystemAttributeWrite),
        ("attr-diff", Self::AttrDiff),
        ("invite-timers", Self::InviteTimers),
        ("calls", Self::Calls),
        ("refusal", Self::Refusal),
        ("incoming-call", Self::IncomingCall),
        ("answer-call", Self::AnswerCall),
        ("refuse-call", Self::RefuseCall),
        ("close-call", Self::CloseCall),
        ("ringing-only", Self::RingingOnly),
        ("status", Self::Status),
        ("outbox", Self::Outbox),
        ("transient-join", Self::TransientJoin),
    ];

    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(_, emulation)| *emulation == self);
        entry.map_or("?", |(name, _)| name)
    }

    /// Returns the calls that it applies to in every row; exactly the rows with such a step name
    /// it.
    pub const fn helps(self) -> &'static [CallKind] {
        match self {
            Self::SingleChannel | Self::TransientJoin => &[CallKind::Join],
            Self::AttrWrite => &[
                CallKind::DeleteChannelAttributesByKeys,
                CallKind::ClearChannelAttributes,
            ],
            Self::SystemAttributeWrite => &[CallKind::AddOrUpdateChannelAttributes],
            Self::InviteTimers => &[CallKind::LocalInvitationSend],
            Self::AnswerCall => &[CallKind::RemoteInvitationAccept],
            _ => &[],
        }
    }

    /// Returns the outcomes of the emulation; a row that names it binds each of them.
    pub const fn outcomes(self) -> &'static [EmulationOutcome] {
        use EmulationOutcome as O;
        match self {
            Self::SingleChannel
            | Self::AttrWrite
            | Self::AnswerCall
            | Self::RefuseCall
            | Self::CloseCall
            | Self::TransientJoin => &[],
            Self::MemberSet => &[O::Changed],
            Self::Outbox => &[O::Undelivered, O::EndText],
            Self::PeerText => &[O::Text, O::Ended, O::Dtmf, O::Raw],
            Self::ChannelText => &[O::Text, O::Raw],
            Self::AttrDiff => &[O::Set, O::Removed, O::Cleared, O::Doubtful],
            Self::SystemAttributeWrite => &[O::ChannelTtl, O::LocalLimit],
            Self::InviteTimers => &[O::TimedOut, O::AnsweredLate],
            Self::Calls => &[O::Default],
            Self::Refusal => &[O::Refused, O::Ended],
            Self::IncomingCall => &[O::Ringing, O::Unseen, O::NoChannel, O::TimedOut],
            Self::RingingOnly => &[O::Ringing],
            Self::Status => &[
                O::Kicked,
                O::Banned,
                O::Abandoned,
                O::Lost,
                O::Reconnecting,
                O::Recovered,
            ],
        }
    }

    /// Returns the values that the emulation passes to its outcomes.
    pub const fn values_given(self) -> &'static [(EmulationValue, Ty)] {
        use EmulationValue as V;
        match self {
            Self::PeerText => &[
                (V::Text, TEXT),
                (V::Channel, RTM_CHANNEL),
                (V::Info, TEXT),
                (V::Digits, TEXT),
            ],
            Self::ChannelText => &[(V::Text, TEXT)],
            Self::AttrDiff => &[(V::Channel, CHANNEL), (V::Name, TEXT), (V::Value, TEXT)],
            Self::Refusal => &[(V::Channel, RTM_CHANNEL), (V::Info, TEXT)],
            Self::InviteTimers => &[(V::Info, TEXT)],
            _ => &[],
        }
    }
}

/// An outcome that an emulation executes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulationOutcome {
    /// `changed`.
    Changed,
    /// `undelivered`.
    Undelivered,
    /// `end-text`.
    EndText,
    /// `text`.
    Text,
    /// `ended`.
    Ended,
    /// `dtmf`.
    Dtmf,
    /// `raw`.
    Raw,
    /// `set`.
    Set,
    /// `removed`.
    Removed,
    /// `cleared`.
    Cleared,
    /// `doubtful`.
    Doubtful,
    /// `channel-ttl`.
    ChannelTtl,
    /// `local-limit`.
    LocalLimit,
    /// `timed-out`.
    TimedOut,
    /// `answered-late`.
    AnsweredLate,
    /// `default`.
    Default,
    /// `refused`.
    Refused,
    /// `ringing`.
    Ringing,
    /// `unseen`.
    Unseen,
    /// `no-channel`.
    NoChannel,
    /// `kicked`.
    Kicked,
    /// `banned`.
    Banned,
    /// `abandoned`.
    Abandoned,
    /// `lost`.
    Lost,
    /// `reconnecting`.
    Reconnecting,
    /// `recovered`.
    Recovered,
}

impl EmulationOutcome {
    /// All outcomes, in the order of the enum.
    pub const ALL: &[Self] = &[
        Self::Changed,
        Self::Undelivered,
        Self::EndText,
        Self::Text,
        Self::Ended,
        Self::Dtmf,
        Self::Raw,
        Self::Set,
        Self::Removed,
        Self::Cleared,
        Self::Doubtful,
        Self::ChannelTtl,
        Self::LocalLimit,
        Self::TimedOut,
        Self::AnsweredLate,
        Self::Default,
        Self::Refused,
        Self::Ringing,
        Self::Unseen,
        Self::NoChannel,
        Self::Kicked,
        Self::Banned,
        Self::Abandoned,
        Self::Lost,
        Self::Reconnecting,
        Self::Recovered,
    ];

    /// Returns the name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Undelivered => "undelivered",
            Self::EndText => "end-text",
            Self::Text => "text",
            Self::Ended => "ended",
            Self::Dtmf => "dtmf",
            Self::Raw => "raw",
            Self::Set => "set",
            Self::Removed => "removed",
            Self::Cleared => "cleared",
            Self::Doubtful => "doubtful",
            Self::ChannelTtl => "channel-ttl",
            Self::LocalLimit => "local-limit",
            Self::TimedOut => "timed-out",
            Self::AnsweredLate => "answered-late",
            Self::Default => "default",
            Self::Refused => "refused",
            Self::Ringing => "ringing",
            Self::Unseen => "unseen",
            Self::NoChannel => "no-channel",
            Self::Kicked => "kicked",
            Self::Banned => "banned",
            Self::Abandoned => "abandoned",
            Self::Lost => "lost",
            Self::Reconnecting => "reconnecting",
            Self::Recovered => "recovered",
        }
    }
}

/// A value of a row that an emulation reads, if the row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulationInput {
    /// `attrs`: the attributes of a joined channel.
    Attributes,
    /// `keep`: the lifetime of a message, in seconds.
    Keep,
    /// `members`: the members of a joined channel.
    Members,
    /// `msg`: the text of a message.
    Message,
    /// `name`: the name of an attribute.
    Name,
    /// `timeout`: the ring time of a call, in seconds.
    Timeout,
}

impl EmulationInput {
    /// Number of values.
    pub const COUNT: usize = 6;
    /// All values, in the order of the enum.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Attributes,
        Self::Keep,
        Self::Members,
        Self::Message,
        Self::Name,
        Self::Timeout,
    ];

    /// Returns the name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attributes => "attrs",
            Self::Keep => "keep",
            Self::Members => "members",
            Self::Message => "msg",
            Self::Name => "name",
            Self::Timeout => "timeout",
        }
    }
}

/// A value that an emulation passes to its outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulationValue {
    /// `text`.
    Text,
    /// `channel`.
    Channel,
    /// `info`.
    Info,
    /// `digits`.
    Digits,
    /// `name`.
    Name,
    /// `value`.
    Value,
}

impl EmulationValue {
    /// Number of values.
    pub const COUNT: usize = 6;

    /// Returns the name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Channel => "channel",
            Self::Info => "info",
            Self::Digits => "digits",
            Self::Name => "name",
            Self::Value => "value",
        }
    }
}
