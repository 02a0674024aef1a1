//! The codecs of [`codec`] for texts that may not be legal names.
//!
//! Such a text is passed on unchanged, and its receiver refuses it with a reason.

use rtm::value::Text;
use rtm::{ChannelId, UserId};

use crate::account::{Account, ChannelName};
use crate::codec;

/// Returns the RTM user id of a legacy account.
pub fn user_id(account: &Text) -> Text {
    let known = Account::new(account.clone()).map(|account| codec::account_to_user_id(&account).text().clone());
    known.unwrap_or_else(|_| account.clone())
}

/// Returns the legacy account of an RTM user id.
pub fn account(user_id: &Text) -> Text {
    let known = UserId::new(user_id.clone()).map(|id| codec::user_id_to_account(&id).text().clone());
    known.unwrap_or_else(|_| user_id.clone())
}

/// Returns the RTM channel id of a legacy channel name.
pub fn channel_id(channel: &Text) -> Text {
    let known = ChannelName::new(channel.clone()).map(|name| codec::channel_to_rtm(&name).text().clone());
    known.unwrap_or_else(|_| channel.clone())
}

/// Returns the legacy channel name of an RTM channel id.
pub fn channel(channel_id: &Text) -> Text {
    let known = ChannelId::new(channel_id.clone()).map(|id| codec::channel_from_rtm(&id).text().clone());
    known.unwrap_or_else(|_| channel_id.clone())
}
