//! Legacy names to RTM ids and back (decisions H5).
//!
//! A legacy name may be longer than an RTM id and use any visible character. An RTM id may contain
//! spaces, which would split a legacy message line. Three prefixes mark escaped names (`·` is
//! unpadded base64url):
//!
//! | prefix | where | stands for |
//! |---|---|---|
//! | `~b.·` | RTM id | a legacy name of at most 45 bytes that is not a legal id, or that looks escaped |
//! | `~h.·` | RTM id | the SHA-256 of a longer such name; displayed as it is where the name is unknown |
//! | `~r.·` | legacy name | an RTM id that has spaces, or that looks escaped but is not |
//!
//! All other names are equal on both sides, which is the normal case.
//!
//! # Guarantees for accounts and channels
//!
//! - Both directions accept every input and return a legal name of their side.
//! - `encode(decode(id)) == id` for **every** RTM id: a reply reaches exactly the displayed user.
//! - `decode(encode(name)) == name` for every name that is not hashed.
//! - Two names share an id only by a collision of SHA-256, or if one of them is an alias of the
//!   other. A login under an alias is refused: see [`is_alias`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use rtm::value::Text;
use rtm::{ChannelId, UserId};

use crate::account::{Account, ChannelName};

/// Prefix of an RTM id with the bytes of a name.
const BYTES: &str = "~b.";
/// Prefix of an RTM id with the hash of a name too long for [`BYTES`].
const HASH: &str = "~h.";
/// Prefix of a legacy name with the bytes of an RTM id.
const RAW: &str = "~r.";

/// Longest name whose base64url and prefix fit an RTM id of 64 bytes.
const MAX_BYTES_NAME: usize = 45;

/// Returns the RTM user id of a legacy account.
pub fn account_to_user_id(account: &Account) -> UserId {
    UserId::new(encode(account.text())).expect("encode returns legal RTM ids")
}

/// Returns the legacy account of an RTM user.
pub fn user_id_to_account(id: &UserId) -> Account {
    Account::new(decode(id.text())).expect("decode returns legal legacy names")
}

/// Returns the RTM channel id of a legacy channel.
pub fn channel_to_rtm(name: &ChannelName) -> ChannelId {
    ChannelId::new(encode(name.text())).expect("encode returns legal RTM ids")
}

/// Returns the legacy name of an RTM channel.
pub fn channel_from_rtm(id: &ChannelId) -> ChannelName {
    ChannelName::new(decode(id.text())).expect("decode returns legal legacy names")
}

/// Returns true for an account that only *addresses* a user whose own account differs (`~h.` of a
/// hash, `~r.` of an RTM id).
///
/// Clients reply to displayed accounts, so aliases are valid as peers. They must not log in: a
/// token for the alias would log in as the other user.
pub fn is_alias(account: &Account) -> bool {
    let name = account.as_str();
    is_hash(name) || raw_id(name).is_some()
}

/// Returns an RTM id for this program itself. Its account is an alias, so no legacy client can log in under it.
pub fn reserved_user(name: &str) -> Option<UserId> {
    let id = Text::from(format!("{RAW}{name}"));
    let id = UserId::new(id).ok()?;
    is_alias(&user_id_to_account(&id)).then_some(id)
}

fn encode(name: &Text) -> Text {
    if let Some(id) = raw_id(name) {
        return id.into();
    }
    if is_same_on_both_sides(name) {
        return name.clone();
    }
    if name.len() <= MAX_BYTES_NAME {
        return format!("{BYTES}{}", URL_SAFE_NO_PAD.encode(&**name)).into();
    }
    format!("{HASH}{}", URL_SAFE_NO_PAD.encode(Sha256::digest(name.as_bytes()))).into()
}

fn decode(id: &Text) -> Text {
    if is_same_on_both_sides(id) {
        return id.clone();
    }
    match bytes_name(id) {
        Some(name) => name.into(),
        None => format!("{RAW}{}", URL_SAFE_NO_PAD.encode(&**id)).into(),
    }
}

/// Returns true for a legal RTM id, without spaces, that no prefix gives another meaning. [`HASH`]
/// does not: without a directory, a hash is its own name.
fn is_same_on_both_sides(text: &str) -> bool {
    !text.starts_with(BYTES) && !text.starts_with(RAW) && !text.contains(' ') && is_id(text)
}

/// Returns the name inside a [`BYTES`] id, if [`encode`] would write exactly that id.
fn bytes_name(id: &str) -> Option<String> {
    let name = unescape(id, BYTES)?;
    let is_name = Account::new(&*name).is_ok();
    // `raw_id` calls back here, always with a shorter text.
    (is_name && !is_same_on_both_sides(&name) && raw_id(&name).is_none()).then_some(name)
}

/// Returns the RTM id inside a [`RAW`] name, if [`decode`] would write exactly that name.
fn raw_id(name: &str) -> Option<String> {
    let id = unescape(name, RAW)?;
    (is_id(&id) && !is_same_on_both_sides(&id) && bytes_name(&id).is_none()).then_some(id)
}

/// Decodes the text after `prefix`. Base64url that the encoder would not write (trailing bits,
/// padding) is refused.
fn unescape(text: &str, prefix: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
    String::from_utf8(bytes).ok()
}

fn is_id(text: &str) -> bool {
    UserId::check(text).is_ok()
}

fn is_hash(name: &str) -> bool {
    name.strip_prefix(HASH)
        .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
        .is_some_and(|hash| hash.len() == <Sha256 as Digest>::output_size())
}

#[cfg(test)]
mod tests;
