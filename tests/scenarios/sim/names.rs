//! Names of the simulated sidecar: the real codecs and the real numbers.

use engine::Names;
use identity::{Account, lossy_codec, uid};
use rtm::AppId;
use rtm::value::Text;

/// The app id of every scenario.
pub const VID: &str = "app";

/// The names of [`VID`].
pub struct SimNames;

impl Names for SimNames {
    fn user_id(&self, account: &Text) -> Text {
        lossy_codec::user_id(account)
    }

    fn account(&self, user_id: &Text) -> Text {
        lossy_codec::account(user_id)
    }

    fn channel_id(&self, channel: &Text) -> Text {
        lossy_codec::channel_id(channel)
    }

    fn channel(&self, channel_id: &Text) -> Text {
        lossy_codec::channel(channel_id)
    }

    fn uid(&self, account: &Text) -> i64 {
        let vid = AppId::new(VID).expect("a legal app id");
        Account::new(account.clone()).map_or(0, |account| i64::from(uid::uid(&vid, &account)))
    }
}
