//! Names of one app id, by the codecs of [`crate::ident`].

use crate::bridge::Names;
use crate::ident::{Account, AppId, ChannelName, codec, uid::uid};
use crate::rtm::{ChannelId, UserId};
use crate::value::Text;

/// The names of an app id.
#[derive(Clone, Debug)]
pub struct AppNames {
    /// The app id, which uids depend on.
    pub vid: AppId,
}

/// A text that is no legal name is passed on as it is: whoever takes it refuses it with a reason.
impl Names for AppNames {
    fn user_id(&self, account: &Text) -> Text {
        match Account::new(account.clone()) {
            Ok(account) => codec::account_to_user_id(&account).text().clone(),
            Err(_) => account.clone(),
        }
    }

    fn account(&self, user_id: &Text) -> Text {
        match UserId::new(user_id.clone()) {
            Ok(id) => codec::user_id_to_account(&id).text().clone(),
            Err(_) => user_id.clone(),
        }
    }

    fn channel_id(&self, channel: &Text) -> Text {
        match ChannelName::new(channel.clone()) {
            Ok(name) => codec::channel_to_rtm(&name).text().clone(),
            Err(_) => channel.clone(),
        }
    }

    fn channel(&self, channel_id: &Text) -> Text {
        match ChannelId::new(channel_id.clone()) {
            Ok(id) => codec::channel_from_rtm(&id).text().clone(),
            Err(_) => channel_id.clone(),
        }
    }

    fn uid(&self, account: &Text) -> i64 {
        Account::new(account.clone()).map_or(0, |account| i64::from(uid(&self.vid, &account)))
    }
}
