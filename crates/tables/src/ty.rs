//! Types of table values, and the conversions between the two sides.

use rtm::FieldType;

/// The type of a value in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// Any type; not converted.
    Any,
    /// A type of the Signaling side.
    Sig(SigType),
    /// A type of the RTM side.
    Rtm(FieldType),
}

/// The types of documented Signaling arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigType {
    /// A user's account: 1 to 128 visible bytes without white space.
    Account,
    /// A channel's name: like an account.
    Channel,
    /// Text up to 8 KB.
    Text,
    /// JSON text up to 8 KB.
    Json,
    /// A whole number.
    Int,
    /// A boolean that clients write as 0/1, true/false or text of these.
    Flag,
    /// A duration in whole seconds, as a number or as text of one.
    Seconds,
    /// Digits for DTMF.
    Digits,
    /// An attribute's name: 1 to 128 bytes.
    Key,
    /// An attribute's value: up to 8096 bytes.
    Value,
    /// A list of accounts.
    Accounts,
    /// A list of numbers.
    Ints,
}

impl SigType {
    /// The names in signatures.
    pub const NAMES: &[(&str, SigType)] = &[
        ("account", Self::Account),
        ("channel", Self::Channel),
        ("text", Self::Text),
        ("json", Self::Json),
        ("int", Self::Int),
        ("flag", Self::Flag),
        ("seconds", Self::Seconds),
        ("digits", Self::Digits),
        ("key", Self::Key),
        ("value", Self::Value),
        ("account[]", Self::Accounts),
        ("int[]", Self::Ints),
    ];

    /// Returns the name in signatures.
    pub fn name(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(_, ty)| *ty == self);
        entry.map_or("?", |(name, _)| name)
    }

    fn is_textual(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Digits | Self::Key | Self::Value)
    }
}

/// RTM types that a row's `params` may name.
pub const RTM_PARAM_TYPES: &[(&str, FieldType)] = &[("UserIds", FieldType::UserIds), ("any", FieldType::Nothing)];

/// The conversion of a value between two types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conv {
    /// No conversion.
    Same,
    /// A legacy account to an RTM user id (decisions H5).
    AccountToUser,
    /// An RTM user id to a legacy account.
    UserToAccount,
    /// A legacy channel name to an RTM channel id.
    ChannelToRtm,
    /// An RTM channel id to a legacy channel name.
    RtmToChannel,
}

impl Ty {
    /// Returns the conversion of this type to `to`; `None` if there is none.
    pub fn convert(self, to: Ty) -> Option<Conv> {
        use FieldType as F;
        use SigType as S;
        if self == to {
            return Some(Conv::Same);
        }
        Some(match (self, to) {
            (Ty::Any, _) | (_, Ty::Any) => Conv::Same,
            (Ty::Sig(S::Account), Ty::Rtm(F::UserId)) | (Ty::Sig(S::Accounts), Ty::Rtm(F::UserIds)) => {
                Conv::AccountToUser
            }
            (Ty::Rtm(F::UserId), Ty::Sig(S::Account)) | (Ty::Rtm(F::UserIds), Ty::Sig(S::Accounts)) => {
                Conv::UserToAccount
            }
            (Ty::Sig(S::Channel), Ty::Rtm(F::ChannelId | F::OptionalText)) => Conv::ChannelToRtm,
            (Ty::Rtm(F::ChannelId | F::OptionalText), Ty::Sig(S::Channel)) => Conv::RtmToChannel,
            (Ty::Sig(from), Ty::Sig(S::Text)) if from.is_textual() || matches!(from, S::Account | S::Channel) => {
                Conv::Same
            }
            (Ty::Sig(from), Ty::Sig(to)) if from.is_textual() && to.is_textual() => Conv::Same,
            (Ty::Sig(from), Ty::Rtm(F::Text | F::OptionalText | F::Message)) if from.is_textual() => Conv::Same,
            (Ty::Rtm(F::Text | F::OptionalText | F::Name), Ty::Sig(to)) if to.is_textual() => Conv::Same,
            (Ty::Rtm(F::Text), Ty::Rtm(F::OptionalText | F::Message)) => Conv::Same,
            (Ty::Sig(S::Int | S::Seconds), Ty::Sig(S::Int | S::Seconds)) => Conv::Same,
            (Ty::Sig(S::Int | S::Seconds), Ty::Rtm(F::Int)) | (Ty::Rtm(F::Int), Ty::Sig(S::Int)) => Conv::Same,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Sig(ty) => f.write_str(ty.name()),
            Self::Rtm(ty) => write!(f, "RTM's {ty:?}"),
        }
    }
}
