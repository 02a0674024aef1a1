//! Tells what a token of either version says, and whether it lets somebody log in to RTM.

use secrecy::SecretString;

use crate::access_token::privilege::LOGIN_006;
use crate::access_token::{Kind, v006, v007};

/// What a token says. The token itself is not in it, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The version.
    pub kind: Kind,
    /// The project.
    pub app_id: String,
    /// The user id; a 006 token holds only its checksum.
    pub account: Option<String>,
    /// When it was made, UNIX seconds; a 006 token does not say.
    pub issued_at: Option<u64>,
    /// When the privilege to log in ends, UNIX seconds; `None` without the privilege.
    pub expires_at: Option<u64>,
    /// What is wrong with it.
    pub problem: Option<Problem>,
}

/// What a verifier knows; what is missing is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The project.
    pub app_id: Option<&'e str>,
    /// The user id.
    pub account: Option<&'e str>,
    /// The App Certificate.
    pub certificate: Option<&'e SecretString>,
    /// UNIX seconds.
    pub now: u64,
}

/// Why a token does not let its user log in to RTM, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// For another project.
    #[error("it is for another App ID")]
    AppId,
    /// For another user.
    #[error("it is for another account")]
    Account,
    /// Without a certificate nobody can say.
    #[error("not verified: no certificate was given")]
    NoCertificate,
    /// A signature that cannot be computed without the account.
    #[error("not verified: this kind of token is signed over an account that it does not hold, and none was given")]
    NoAccount,
    /// Not signed with this certificate, or changed since.
    #[error("the signature is wrong: another certificate or account, or a token that was changed")]
    Signature,
    /// RTM is not among its services, or login not among its privileges.
    #[error("it does not let anybody log in to RTM")]
    NoLogin,
    /// It was right, once.
    #[error("it has expired")]
    Expired,
}

/// `None` for what is no AccessToken. Signatures are compared in constant time.
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
