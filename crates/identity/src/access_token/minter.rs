//! Mints tokens for logins at RTM.

use secrecy::{ExposeSecret, SecretString};

use rtm::{AppId, UserId};

use crate::access_token::privilege::LOGIN_006;
use crate::access_token::{v006, v007};

/// Longest lifetime of a token in seconds (upstreams 3.3: 24 hours).
pub const MAX_LIFETIME: u32 = 24 * 3600;

const DIGITS: usize = v006::APP_ID_DIGITS;

/// Salts are from 1 to this (upstreams 3.2).
const MAX_SALT: u32 = 99_999_999;

/// The version of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// AccessToken 006: any RTM 1.x.
    #[default]
    V006,
    /// AccessToken 007: RTM from 1.5 on.
    V007,
}

impl Kind {
    /// The names used in the config and on the command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[("006", Self::V006), ("007", Self::V007)];
}

/// Mints the tokens of one project. Its Debug prints no secret.
#[derive(Clone, Debug)]
pub struct TokenMinter {
    kind: Kind,
    app_id: AppId,
    certificate: SecretString,
    lifetime: u32,
}

/// A token and its lifetime. Its Debug does not print the token.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The argument of RTM's login.
    pub token: SecretString,
    /// The time at which RTM ends the login, UNIX seconds.
    pub expires_at: u64,
    /// The time to renew the token, UNIX seconds: half of its lifetime.
    pub renew_at: u64,
}

/// The reason why a project's settings are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProject {
    /// The app id does not have the console's format.
    #[error("an App ID has {DIGITS} hexadecimal digits")]
    AppId,
    /// The certificate does not have the console's format.
    #[error("an App Certificate has {DIGITS} hexadecimal digits")]
    Certificate,
    /// Not from 1 s to [`MAX_LIFETIME`].
    #[error("the lifetime of a token is 1 to {MAX_LIFETIME} s")]
    Lifetime,
}

impl TokenMinter {
    /// Creates a minter of tokens with a lifetime of `lifetime` seconds.
    ///
    /// # Errors
    /// [`BadProject`]: RTM would refuse every token.
    pub fn new(kind: Kind, app_id: AppId, certificate: SecretString, lifetime: u32) -> Result<Self, BadProject> {
        let is_id = |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id(app_id.as_str()) {
            return Err(BadProject::AppId);
        }
        if !is_id(certificate.expose_secret()) {
            return Err(BadProject::Certificate);
        }
        if !(1..=MAX_LIFETIME).contains(&lifetime) {
            return Err(BadProject::Lifetime);
        }
        Ok(Self {
            kind,
            app_id,
            certificate,
            lifetime,
        })
    }

    /// Mints a token for `user` at `now` (UNIX seconds).
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub fn mint(&self, user: &UserId, now: u64) -> Result<Minted, getrandom::Error> {
        let salt = getrandom::u32()? % MAX_SALT + 1;
        Ok(self.mint_with(user, now, salt))
    }

    /// Mints a token with a given salt: a pure function.
    pub fn mint_with(&self, user: &UserId, now: u64, salt: u32) -> Minted {
        let issued = u32::try_from(now).unwrap_or(u32::MAX);
        let expires = issued.saturating_add(self.lifetime);
        let token = match self.kind {
            Kind::V006 => {
                let names = v006::Names {
                    app_id: self.app_id.as_str(),
                    channel: user.as_str(),
                    uid: "",
                };
                let message = v006::Message {
                    salt,
                    expires: issued.saturating_add(MAX_LIFETIME),
                    privileges: vec![(LOGIN_006, expires)],
                };
                v006::mint(names, &self.certificate, &message)
            }
            Kind::V007 => {
                let times = v007::Times {
                    issued,
                    lifetime: self.lifetime,
                    salt,
                };
                v007::mint(self.app_id.as_str(), &self.certificate, user.as_str(), times)
            }
        };
        Minted {
            token: token.into(),
            expires_at: u64::from(expires),
            renew_at: u64::from(issued) + u64::from(self.lifetime / 2),
        }
    }
}
