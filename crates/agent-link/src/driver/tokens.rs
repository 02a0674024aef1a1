//! Tokens that RTM wants at login.

use secrecy::SecretString;

use rtm::AppId;
use rtm::UserId;
use rtm::time::Time;

/// Who makes tokens for RTM. They go to agents and nowhere else.
pub trait Tokens: Send + Sync {
    /// A token for a user, at `now`; none where the app needs none.
    fn mint(&self, app: &AppId, user: &UserId, now: Time) -> Option<Minted>;
}

/// A token.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub token: SecretString,
    /// When a new one should take its place.
    pub renew_at: Time,
}
