//! Authentication of logins, before any change of a session.

use crate::config::Config;
use identity::{Account, codec, is_lossless};
use rtm::AppId;
use rtm::time::Time;
use rtm::value::{Text, Value};

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
/// The reason for the refusal, in the form of the wire.
pub fn authenticate(
    config: &Config,
    (vid, account, token): (&Value, &Value, &str),
    origin: Option<&str>,
    now: Time,
) -> Result<AuthenticatedLogin, Text> {
    // Same rule as for arguments of calls: numbers are names, objects are not.
    let text = |value: &Value| match value {
        Value::Null | Value::List(_) | Value::Map(_) => "".into(),
        name => name.clone().into_text(),
    };
    let account = Account::new(text(account)).map_err(|_| Text::from("wrong account"))?;
    if codec::is_alias(&account) || !is_lossless(account.as_str()) {
        return Err("wrong account".into());
    }
    let vid = AppId::new(text(vid)).map_err(|_| Text::from("TokenErrorVendor"))?;
    if !config.allows(&vid, origin) {
        return Err("TokenErrorOrigin".into());
    }
    let policy = config.auth_of(&vid).ok_or_else(|| Text::from("TokenErrorVendor"))?;
    policy
        .verify(&vid, &account, token, now)
        .map_err(|error| Text::from(error.to_string()))?;
    Ok(AuthenticatedLogin { vid, account })
}
