//! Tokens: a text of the form `expires:<unix seconds>` ends a login like an AccessToken2 (rtm-api
//! 4). Any other token never expires, because the service does not have the app id's certificate.

use rtm::time::Time;
use rtm::{LoginErr, RenewTokenErr};

const PREFIX: &str = "expires:";

/// The end of a login; `None` without an expiring token.
pub type Expiry = Option<Time>;

/// The reason why a token is invalid.
pub enum BadToken {
    Empty,
    /// Its time is no number.
    Invalid,
    /// Its time is over.
    Expired,
}

impl From<BadToken> for LoginErr {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Empty => Self::InvalidArgument,
            BadToken::Invalid => Self::InvalidToken,
            BadToken::Expired => Self::TokenExpired,
        }
    }
}

impl From<BadToken> for RenewTokenErr {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Empty => Self::InvalidArgument,
            BadToken::Invalid => Self::InvalidToken,
            BadToken::Expired => Self::TokenExpired,
        }
    }
}

/// Reads the expiry of a token.
pub fn expiry(token: &str, now: Time) -> Result<Expiry, BadToken> {
    if token.is_empty() {
        return Err(BadToken::Empty);
    }
    let Some(secs) = token.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let secs: u64 = secs.parse().map_err(|_| BadToken::Invalid)?;
    let at = Time::from_millis(secs.saturating_mul(1000));
    if at <= now {
        Err(BadToken::Expired)
    } else {
        Ok(Some(at))
    }
}
