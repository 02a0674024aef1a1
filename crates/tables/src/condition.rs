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
        ("visiting", Self::TransientlyJoined),
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
        ("visit", Self::TransientJoin),
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
    pub const fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::SingleChannel
            | Self::AttrWrite
            | Self::AnswerCall
            | Self::RefuseCall
            | Self::CloseCall
            | Self::TransientJoin => &[],
            Self::MemberSet => &["changed"],
            Self::Outbox => &["undelivered", "end-text"],
            Self::PeerText => &["text", "ended", "dtmf", "raw"],
            Self::ChannelText => &["text", "raw"],
            Self::AttrDiff => &["set", "removed", "cleared", "doubtful"],
            Self::SystemAttributeWrite => &["channel-ttl", "local-limit"],
            Self::InviteTimers => &["timed-out", "answered-late"],
            Self::Calls => &["default"],
            Self::Refusal => &["refused", "ended"],
            Self::IncomingCall => &["ringing", "unseen", "no-channel", "timed-out"],
            Self::RingingOnly => &["ringing"],
            Self::Status => &["kicked", "banned", "abandoned", "lost", "reconnecting", "recovered"],
        }
    }

    /// Returns the values that the emulation passes to its outcomes.
    pub const fn values_given(self) -> &'static [(&'static str, Ty)] {
        match self {
            Self::PeerText => &[
                ("text", TEXT),
                ("channel", RTM_CHANNEL),
                ("info", TEXT),
                ("digits", TEXT),
            ],
            Self::ChannelText => &[("text", TEXT)],
            Self::AttrDiff => &[("channel", CHANNEL), ("name", TEXT), ("value", TEXT)],
            Self::Refusal => &[("channel", RTM_CHANNEL), ("info", TEXT)],
            Self::InviteTimers => &[("info", TEXT)],
            _ => &[],
        }
    }
}
