//! Names of one app id, by the codecs of [`crate::ident`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::bridge::Names;
use crate::ident::{Account, AppId, ChannelName, codec, uid::uid};
use crate::rtm::{ChannelId, UserId};
use crate::value::Text;

/// The names of an app id.
#[derive(Clone, Debug)]
pub struct AppNames {
    /// The app id, which uids depend on.
    pub vid: AppId,
    /// Numbers that are not derived.
    pub numbers: Arc<HashMap<Text, u32>>,
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
