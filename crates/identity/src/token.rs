//! The legacy signalingToken: who may log in as whom, until when (upstreams 3.1, signaling-api 4.2).
//!
//! `1:<app id>:<expiry>:<md5 of account, app id, certificate, expiry>`: UNIX seconds in decimal, the digest in
//! lower-case hex, the four hashed texts one behind the other. It is looked at when a client logs in and at no other
//! time: a session outlives its token.

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::account::Account;
use rtm::AppId;
use rtm::time::Time;

/// What apps send when their project's debug switch lets them log in without a token.
pub const NO_TOKEN: &str = "_no_need_token";

const VERSION: &str = "1";
const DIGEST_DIGITS: usize = 32;

/// By which rules tokens are looked at. Its Debug prints no secret.
#[derive(Clone, Debug, Default)]
pub struct TokenPolicy {
    /// The only vendor key served, or any.
    pub app_id: Option<AppId>,
    /// The App Certificate; without one every token passes, as in a legacy project that has none.
    pub certificate: Option<SecretString>,
    /// Whether [`NO_TOKEN`] passes although there is a certificate (the legacy debug switch).
    pub allow_no_token: bool,
}

/// Why a token does not pass. The text of each is the reason on the wire: clients make 204 of `TokenErrorExpired` and
/// 206 of everything else that starts with `TokenError` (signaling-wire 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was right, once.
    #[error("TokenErrorExpired")]
    Expired,
    /// Not of the form above.
    #[error("TokenErrorFormat")]
    Format,
    /// The vendor key is not served here, or is not the one that the token is for.
    #[error("TokenErrorVendor")]
    Vendor,
    /// Another account's, or made with another certificate.
    #[error("TokenErrorDigest")]
    Digest,
    /// [`NO_TOKEN`], where a token is needed.
    #[error("TokenErrorNotAllowed")]
    NotAllowed,
}

impl TokenPolicy {
    /// Whether `token` lets `account` of `vid` log in at `now`.
    ///
    /// The digest is compared in constant time, and before the expiry is looked at, so an invented token learns
    /// nothing but that it is one.
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
        // At the very second it has expired: the expiry must be in the future.
        if token.expires <= now.as_secs() {
            Err(TokenError::Expired)
        } else {
            Ok(())
        }
    }
}

/// Makes the token that an app's server would make; `expires` is in UNIX seconds.
pub fn mint(account: &Account, app_id: &AppId, certificate: &SecretString, expires: u64) -> String {
    let digest = digest(account, app_id, certificate, expires);
    format!("{VERSION}:{app_id}:{expires}:{digest}")
}

/// The app id and the expiry (UNIX seconds) that a token names, verified or not; `None` for what is no signalingToken.
pub fn claims(token: &str) -> Option<(&str, u64)> {
    Parts::of(token).map(|parts| (parts.app_id, parts.expires))
}

/// A token taken apart.
struct Parts<'t> {
    app_id: &'t str,
    expires: u64,
    digest: &'t str,
}

impl<'t> Parts<'t> {
    /// Version and digest are cut off from both ends, so an app id may hold colons.
    fn of(token: &'t str) -> Option<Self> {
        let (version, rest) = token.split_once(':')?;
        let (rest, digest) = rest.rsplit_once(':')?;
        let (app_id, digits) = rest.rsplit_once(':')?;
        let expires: u64 = digits.parse().ok()?;
        // The digest is over the number, so only its one decimal form (no sign, no zeros before it) is a token's.
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
