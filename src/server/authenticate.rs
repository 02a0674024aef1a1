//! Authentication of logins, before any change of a session.

use crate::config::Config;
use identity::{Account, codec, is_lossless};
use rtm::AppId;
use rtm::time::Time;
use rtm::value::Value;
use tables::reason::Reason;

/// Authenticated login.
#[derive(Clone, Debug)]
pub struct AuthenticatedLogin {
    /// App id of the account.
    pub vid: AppId,
    pub account: Account,
}

/// Authenticates a login by its fields and the origin of its page. `now` is the wall clock time, for token expiry.
///
/// # Errors
/// The reason for the refusal.
pub fn authenticate(
    config: &Config,
    (vid, account, token): (&Value, &Value, &str),
    origin: Option<&str>,
    now: Time,
) -> Result<AuthenticatedLogin, Reason> {
    // Same rule as for arguments of calls: numbers are names, objects are not.
    let text = |value: &Value| match value {
        Value::Null | Value::List(_) | Value::Map(_) => "".into(),
        name => name.clone().into_text(),
    };
    let account = Account::new(text(account)).map_err(|_| Reason::WrongAccount)?;
    if codec::is_alias(&account) || !is_lossless(account.as_str()) {
        return Err(Reason::WrongAccount);
    }
    let vid = AppId::new(text(vid)).map_err(|_| Reason::TokenVendor)?;
    if !config.allows(&vid, origin) {
        return Err(Reason::TokenOrigin);
    }
    let policy = config.auth_of(&vid).ok_or(Reason::TokenVendor)?;
    policy.verify(&vid, &account, token, now)?;
    Ok(AuthenticatedLogin { vid, account })
}
