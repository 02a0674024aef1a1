//! Names of one app id, mapped by the codecs of [`identity`].

use std::collections::HashMap;
use std::sync::Arc;

use engine::Names;
use identity::uid::uid;
use identity::{Account, lossy_codec};
use rtm::AppId;
use rtm::value::Text;

/// Name mapper of an app id.
#[derive(Clone, Debug)]
pub struct AppNames {
    /// App id, an input of derived uids.
    pub vid: AppId,
    /// Configured uids, by account.
    pub numbers: Arc<HashMap<Text, u32>>,
}

impl Names for AppNames {
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
        if let Some(number) = self.numbers.get(account) {
            return i64::from(*number);
        }
        Account::new(account.clone()).map_or(0, |account| i64::from(uid(&self.vid, &account)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_config_go_before_derived_ones() {
        let numbers = Arc::new(HashMap::from([(Text::from("alice"), 7)]));
        let names = AppNames {
            vid: AppId::new("app").unwrap(),
            numbers,
        };
        assert_eq!(names.uid(&"alice".into()), 7);
        assert_eq!(
            names.uid(&"bob".into()),
            i64::from(uid(&names.vid, &Account::new("bob").unwrap()))
        );
        assert_eq!(names.uid(&"no account".into()), 0);
    }
}
