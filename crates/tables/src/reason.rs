//! Reasons of refusals: those that code gives, and how a failure gets its reason.
//!
//! Reasons are texts on the wire, declared in `[reason]` of `errors.toml`. Compiled tables number
//! them; a reason that code gives has the number of its variant.

use identity::TokenError;

use crate::ids::RowId;

/// Number of a reason in its [`Tables`](crate::Tables).
pub type ReasonId = usize;

/// A reason that code gives, without a row that names it. The tables must declare each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `already login`.
    AlreadyLogin,
    /// `failed`.
    Failed,
    /// `large param`.
    LargeParam,
    /// `not login`.
    NotLogin,
    /// `sunset`.
    Sunset,
    /// `timeout`.
    Timeout,
    /// `TokenErrorDigest`.
    TokenDigest,
    /// `TokenErrorExpired`.
    TokenExpired,
    /// `TokenErrorFormat`.
    TokenFormat,
    /// `TokenErrorNotAllowed`.
    TokenNotAllowed,
    /// `TokenErrorOrigin`.
    TokenOrigin,
    /// `TokenErrorVendor`.
    TokenVendor,
    /// `too often`.
    TooOften,
    /// `wrong account`.
    WrongAccount,
    /// `wrong line`.
    WrongLine,
    /// `wrong param`.
    WrongParam,
}

impl Reason {
    /// All reasons, in the order of the enum.
    pub const ALL: &[Self] = &[
        Self::AlreadyLogin,
        Self::Failed,
        Self::LargeParam,
        Self::NotLogin,
        Self::Sunset,
        Self::Timeout,
        Self::TokenDigest,
        Self::TokenExpired,
        Self::TokenFormat,
        Self::TokenNotAllowed,
        Self::TokenOrigin,
        Self::TokenVendor,
        Self::TooOften,
        Self::WrongAccount,
        Self::WrongLine,
        Self::WrongParam,
    ];

    /// Returns the text on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyLogin => "already login",
            Self::Failed => "failed",
            Self::LargeParam => "large param",
            Self::NotLogin => "not login",
            Self::Sunset => "sunset",
            Self::Timeout => "timeout",
            Self::TokenDigest => "TokenErrorDigest",
            Self::TokenExpired => "TokenErrorExpired",
            Self::TokenFormat => "TokenErrorFormat",
            Self::TokenNotAllowed => "TokenErrorNotAllowed",
            Self::TokenOrigin => "TokenErrorOrigin",
            Self::TokenVendor => "TokenErrorVendor",
            Self::TooOften => "too often",
            Self::WrongAccount => "wrong account",
            Self::WrongLine => "wrong line",
            Self::WrongParam => "wrong param",
        }
    }

    /// Returns the number in compiled tables.
    pub const fn id(self) -> ReasonId {
        self as ReasonId
    }

    /// Returns the reason of that text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == text)
    }
}

impl From<TokenError> for Reason {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Digest => Self::TokenDigest,
            TokenError::Expired => Self::TokenExpired,
            TokenError::Format => Self::TokenFormat,
            TokenError::NotAllowed => Self::TokenNotAllowed,
            TokenError::Vendor => Self::TokenVendor,
        }
    }
}

/// The source of a failure's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonSource {
    /// The same reason each time.
    Fixed(ReasonId),
    /// The reason of the error that selected the row, from the members of that row.
    Member(RowId),
    /// A reason that code gives.
    Given,
    /// A parameter of a row that only other rows enter. Such a row is not executed itself: those
    /// rows give the reason.
    Parameter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_in_their_order() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.id(), at, "{reason:?}");
            assert_eq!(Reason::parse(reason.name()), Some(*reason));
        }
    }

    #[test]
    fn token_errors_have_their_own_texts() {
        for error in [
            TokenError::Digest,
            TokenError::Expired,
            TokenError::Format,
            TokenError::NotAllowed,
            TokenError::Vendor,
        ] {
            assert_eq!(Reason::from(error).name(), error.to_string());
        }
    }
}
