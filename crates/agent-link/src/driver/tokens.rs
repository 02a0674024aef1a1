//! RTM tokens for logins.

use secrecy::SecretString;

use rtm::AppId;
use rtm::UserId;
use rtm::time::Time;

/// Issuer of RTM tokens. Tokens go to agents only.
pub trait Tokens: Send + Sync {
    /// Issues a token at `now`; `None` if the app needs none.
    fn mint(&self, app: &AppId, user: &UserId, now: Time) -> Option<Minted>;
}

/// Issued token.
#[derive(Debug)]
pub struct Minted {
    pub token: SecretString,
    /// Time of renewal.
    pub renew_at: Time,
}
