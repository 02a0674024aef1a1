//! Decodes a token of either version and checks whether it permits a login at RTM.

use secrecy::SecretString;

use crate::access_token::privilege::LOGIN_006;
use crate::access_token::{Kind, v006, v007};

/// A decoded token. It does not contain the token itself, so it may be displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub kind: Kind,
    pub app_id: String,
    /// The user id; a 006 token holds only its checksum.
    pub account: Option<String>,
    /// The time of issue, UNIX seconds; a 006 token does not contain it.
    pub issued_at: Option<u64>,
    /// The expiry of the login privilege, UNIX seconds; `None` without the privilege.
    pub expires_at: Option<u64>,
    /// The reason why the token is not valid.
    pub problem: Option<Problem>,
}

/// The values to verify against; a missing one is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    pub app_id: Option<&'e str>,
    pub account: Option<&'e str>,
    pub certificate: Option<&'e SecretString>,
    /// UNIX seconds.
    pub now: u64,
}

/// The reason why a token does not permit a login at RTM, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The token is for another project.
    #[error("the token is for another App ID")]
    AppId,
    /// The token is for another user.
    #[error("the token is for another account")]
    Account,
    /// The token cannot be verified without a certificate.
    #[error("not verified: no certificate was given")]
    NoCertificate,
    /// The signature covers the account, which is not known.
    #[error("not verified: the signature covers the account, which this version does not contain and was not given")]
    NoAccount,
    /// The token was signed with another certificate, or was changed.
    #[error("the signature is wrong: another certificate or account, or a modified token")]
    Signature,
    /// The token lacks the RTM service or the login privilege.
    #[error("the token has no privilege to log in to RTM")]
    NoLogin,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
}

/// Decodes a token; returns `None` if it is not an AccessToken. Signatures are compared in constant
/// time.
pub fn parse(token: &str, expected: Expected<'_>) -> Option<Parsed> {
    if token.starts_with(v006::VERSION) {
        v006::parse(token).map(|token| of_006(&token, expected))
    } else {
        v007::parse(token).map(|token| of_007(token, expected))
    }
}

fn of_006(token: &v006::Token<'_>, expected: Expected<'_>) -> Parsed {
    let names = expected.account.map(|account| v006::Names {
        app_id: token.app_id,
        channel: account,
        uid: "",
    });
    let expires_at = token.expires(LOGIN_006);
    let problem = problem(
        expected,
        token.app_id,
        names.is_none_or(|names| token.is_for(names)),
        |certificate| names.map(|names| token.is_signed(names, certificate)),
        expires_at,
    );
    Parsed {
        kind: Kind::V006,
        app_id: token.app_id.to_owned(),
        account: None,
        issued_at: None,
        expires_at,
        problem,
    }
}

fn of_007(token: v007::Token, expected: Expected<'_>) -> Parsed {
    let expires_at = token.expires();
    let is_account = match (&token.rtm, expected.account) {
        (Some(rtm), Some(account)) => rtm.user == account,
        _ => true,
    };
    let problem = problem(
        expected,
        &token.app_id,
        is_account,
        |certificate| Some(token.is_signed(certificate)),
        expires_at,
    );
    Parsed {
        kind: Kind::V007,
        app_id: token.app_id,
        account: token.rtm.map(|rtm| rtm.user),
        issued_at: Some(u64::from(token.times.issued)),
        expires_at,
        problem,
    }
}

fn problem(
    expected: Expected<'_>,
    app_id: &str,
    is_account: bool,
    is_signed: impl FnOnce(&SecretString) -> Option<bool>,
    expires_at: Option<u64>,
) -> Option<Problem> {
    if expected.app_id.is_some_and(|expected| expected != app_id) {
        return Some(Problem::AppId);
    }
    if !is_account {
        return Some(Problem::Account);
    }
    let Some(certificate) = expected.certificate else {
        return Some(Problem::NoCertificate);
    };
    match is_signed(certificate) {
        None => return Some(Problem::NoAccount),
        Some(false) => return Some(Problem::Signature),
        Some(true) => {}
    }
    match expires_at {
        None => Some(Problem::NoLogin),
        Some(at) if at <= expected.now => Some(Problem::Expired),
        Some(_) => None,
    }
}
