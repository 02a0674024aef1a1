//! The names that the simulated sidecar works with: the real codecs and the real numbers.

use sigbridge::bridge::Names;
use sigbridge::ident::{Account, AppId, ChannelName, codec, uid};
use sigbridge::rtm::{ChannelId, UserId};
use sigbridge::value::Text;

/// The app id of every scenario.
pub const VID: &str = "app";

/// The names of [`VID`].
pub struct SimNames;

impl Names for SimNames {
    fn user_id(&self, account: &Text) -> Text {
        Account::new(account.clone()).map_or_else(|_| account.clone(), |a| codec::account_to_user_id(&a).text().clone())
    }

    fn account(&self, user_id: &Text) -> Text {
        UserId::new(user_id.clone())
            .map_or_else(|_| user_id.clone(), |id| codec::user_id_to_account(&id).text().clone())
    }

    fn channel_id(&self, channel: &Text) -> Text {
        ChannelName::new(channel.clone()).map_or_else(|_| channel.clone(), |c| codec::channel_to_rtm(&c).text().clone())
    }

    fn channel(&self, channel_id: &Text) -> Text {
        ChannelId::new(channel_id.clone())
            .map_or_else(|_| channel_id.clone(), |id| codec::channel_from_rtm(&id).text().clone())
    }

    fn uid(&self, account: &Text) -> i64 {
        let vid = AppId::new(VID).expect("a legal app id");
        Account::new(account.clone()).map_or(0, |account| i64::from(uid::uid(&vid, &account)))
    }
}
