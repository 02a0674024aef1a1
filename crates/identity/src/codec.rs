//! Legacy names to RTM ids and back (decisions H5).
//!
//! A legacy name may be longer than an RTM id and use any visible character; an RTM id may contain spaces, which would
//! split a legacy message line. Three prefixes carry what does not fit as it is (`·` stands for unpadded base64url):
//!
//! | prefix | where | stands for |
//! |---|---|---|
//! | `~b.·` | RTM id | a legacy name of at most 45 bytes that is no legal id, or that looks escaped |
//! | `~h.·` | RTM id | the SHA-256 of a longer such name; shown as it is where nobody knows the name |
//! | `~r.·` | legacy name | an RTM id that has spaces, or that looks escaped without being so |
//!
//! Everything else is the same on both sides, and that is the normal case.
//!
//! # Guaranteed, for accounts and channels alike
//!
//! - Both directions answer for every input, and what they answer is legal on its side.
//! - `encode(decode(id)) == id` for **every** RTM id: a reply reaches exactly the user that was shown.
//! - `decode(encode(name)) == name` for every name that is not hashed.
//! - Two names share an id only by a collision of SHA-256, or when one of them is the other's alias: see
//!   [`is_alias`], by which a login refuses to be somebody else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::account::{Account, ChannelName};
use rtm::value::Text;
use rtm::{ChannelId, UserId};

/// Of a name that is no RTM id: its bytes.
const BYTES: &str = "~b.";
/// Of a name too long for [`BYTES`]: its hash.
const HASH: &str = "~h.";
/// Of an RTM id that is no name: its bytes.
const RAW: &str = "~r.";

/// Longest name whose base64url fits an RTM id of 64 bytes behind the prefix.
const MAX_BYTES_NAME: usize = 45;

/// The RTM user of a legacy account.
pub fn account_to_user_id(account: &Account) -> UserId {
    UserId::new(encode(account.text())).expect("encode answers legal RTM ids")
}

/// The legacy account under which an RTM user is shown.
pub fn user_id_to_account(id: &UserId) -> Account {
    Account::new(decode(id.text())).expect("decode answers legal legacy names")
}

/// The RTM channel of a legacy channel.
pub fn channel_to_rtm(name: &ChannelName) -> ChannelId {
    ChannelId::new(encode(name.text())).expect("encode answers legal RTM ids")
}

/// The legacy channel under which an RTM channel is shown.
pub fn channel_from_rtm(id: &ChannelId) -> ChannelName {
    ChannelName::new(decode(id.text())).expect("decode answers legal legacy names")
}

/// True for an account that only *addresses* a user whose own account differs (`~h.` of a hash, `~r.` of an RTM id).
///
/// Such names must work as peers, since clients answer whom they see. They must not log in: a token for the odd name
/// would be a login as the other user.
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

/// A legal RTM id, without spaces, that no prefix gives another meaning. [`HASH`] does not: without a directory, a
/// hash is its own name.
fn is_same_on_both_sides(text: &str) -> bool {
    !text.starts_with(BYTES) && !text.starts_with(RAW) && !text.contains(' ') && is_id(text)
}

/// The name inside a [`BYTES`] id, if [`encode`] would write it exactly so.
fn bytes_name(id: &str) -> Option<String> {
    let name = unescape(id, BYTES)?;
    let is_name = Account::new(&*name).is_ok();
    // `raw_id` asks back here, always about a shorter text.
    (is_name && !is_same_on_both_sides(&name) && raw_id(&name).is_none()).then_some(name)
}

/// The RTM id inside a [`RAW`] name, if [`decode`] would write it exactly so.
fn raw_id(name: &str) -> Option<String> {
    let id = unescape(name, RAW)?;
    (is_id(&id) && !is_same_on_both_sides(&id) && bytes_name(&id).is_none()).then_some(id)
}

/// What follows `prefix`, decoded; base64url that its encoder would not write (trailing bits, padding) is refused.
fn unescape(text: &str, prefix: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
    String::from_utf8(bytes).ok()
}

fn is_id(text: &str) -> bool {
    UserId::new(text).is_ok()
}

fn is_hash(name: &str) -> bool {
    name.strip_prefix(HASH)
        .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
        .is_some_and(|hash| hash.len() == <Sha256 as Digest>::output_size())
}

#[cfg(test)]
mod tests;
