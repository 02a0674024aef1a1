//! The legacy signalingToken: account, project and expiry of a permitted login (upstreams 3.1,
//! signaling-api 4.2).
//!
//! `1:<app id>:<expiry>:<md5 of account, app id, certificate, expiry>`: UNIX seconds in decimal,
//! the digest in lower-case hex, the four hashed texts concatenated. It is checked only at login: a
//! session outlives its token.

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use rtm::AppId;
use rtm::time::Time;

use crate::account::Account;

/// The token of apps whose project permits logins without a token (debug switch).
pub const NO_TOKEN: &str = "_no_need_token";

const VERSION: &str = "1";
const DIGEST_DIGITS: usize = 32;

/// The rules for checking tokens. Its Debug prints no secret.
#[derive(Clone, Debug, Default)]
pub struct TokenPolicy {
    /// The only accepted vendor key; `None` accepts any.
    pub app_id: Option<AppId>,
    /// The App Certificate; without one every token is accepted, as in a legacy project without
    /// certificate.
    pub certificate: Option<SecretString>,
    /// Accepts [`NO_TOKEN`] although a certificate is set (the legacy debug switch).
    pub allow_no_token: bool,
}

/// The reason why a token is refused. Its text is the reason on the wire: clients map
/// `TokenErrorExpired` to 204 and any other text that starts with `TokenError` to 206
/// (signaling-wire 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token has expired.
    #[error("TokenErrorExpired")]
    Expired,
    /// The token is malformed.
    #[error("TokenErrorFormat")]
    Format,
    /// The vendor key is not accepted, or is not the token's.
    #[error("TokenErrorVendor")]
    Vendor,
    /// The token is for another account, or was signed with another certificate.
    #[error("TokenErrorDigest")]
    Digest,
    /// [`NO_TOKEN`], where a token is required.
    #[error("TokenErrorNotAllowed")]
    NotAllowed,
}

impl TokenPolicy {
    /// Checks whether `token` permits `account` of `vid` to log in at `now`.
    ///
    /// The digest is compared in constant time, and before the expiry. The response to a forged
    /// token thus reveals nothing else.
    ///
    /// # Errors
    /// [`TokenError`], whose text is the wire's reason.
    pub fn verify(&self, vid: &AppId, account: &Account, token: &str, now: Time) -> Result<(), TokenError> {
        if self.app_id.as_ref().is_some_and(|served| served != vid) {
            return Err(TokenError::Vendor);
        }
        let Some(certificate) = &self.certificate else {
            return Ok(());
        };
        if token == NO_TOKEN {
            return if self.allow_no_token {
                Ok(())
            } else {
                Err(TokenError::NotAllowed)
            };
        }
        let token = Parts::of(token).ok_or(TokenError::Format)?;
        if token.app_id != vid.as_str() {
            return Err(TokenError::Vendor);
        }
        let expected = digest(account, vid, certificate, token.expires);
        if !bool::from(expected.as_bytes().ct_eq(token.digest.as_bytes())) {
            return Err(TokenError::Digest);
        }
        // The expiry must be in the future: at the very second the token has expired.
        if token.expires <= now.as_secs() {
            Err(TokenError::Expired)
        } else {
            Ok(())
        }
    }
}

/// Mints the token that an app's server would mint; `expires` is in UNIX seconds.
pub fn mint(account: &Account, app_id: &AppId, certificate: &SecretString, expires: u64) -> String {
    let digest = digest(account, app_id, certificate, expires);
    format!("{VERSION}:{app_id}:{expires}:{digest}")
}

/// Returns the unverified app id and expiry (UNIX seconds) of a token; `None` if it is not a
/// signalingToken.
pub fn claims(token: &str) -> Option<(&str, u64)> {
    Parts::of(token).map(|parts| (parts.app_id, parts.expires))
}

/// The fields of a token.
struct Parts<'t> {
    app_id: &'t str,
    expires: u64,
    digest: &'t str,
}

impl<'t> Parts<'t> {
    /// Splits off version and digest from both ends, because an app id may contain colons.
    fn of(token: &'t str) -> Option<Self> {
        let (version, rest) = token.split_once(':')?;
        let (rest, digest) = rest.rsplit_once(':')?;
        let (app_id, digits) = rest.rsplit_once(':')?;
        let expires: u64 = digits.parse().ok()?;
        // The digest covers the number, so only its canonical decimal form (no sign, no leading
        // zeros) is valid.
        let is_canonical = expires.to_string() == digits;
        (version == VERSION && digest.len() == DIGEST_DIGITS && is_canonical).then_some(Self {
            app_id,
            expires,
            digest,
        })
    }
}

fn digest(account: &Account, app_id: &AppId, certificate: &SecretString, expires: u64) -> String {
    let digest = Md5::new()
        .chain_update(account.as_str())
        .chain_update(app_id.as_str())
        .chain_update(certificate.expose_secret())
        .chain_update(expires.to_string())
        .finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
