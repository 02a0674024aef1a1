//! The mapping between legacy names and RTM ids.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use identity::uid::uid;
use identity::{Account, lossy_codec};
use rtm::AppId;
use rtm::value::Text;

/// The mapping of names in both directions; a pure function of the names, recorded in traces.
///
/// Names and ids convert by the codecs of [`identity`]. A replay has the recorded ones instead.
pub trait Names: Send + Sync {
    /// Returns the RTM user id of a legacy account.
    fn user_id(&self, account: &Text) -> Text {
        lossy_codec::user_id(account)
    }

    /// Returns the legacy account of an RTM user id.
    fn account(&self, user_id: &Text) -> Text {
        lossy_codec::account(user_id)
    }

    /// Returns the RTM channel id of a legacy channel name.
    fn channel_id(&self, channel: &Text) -> Text {
        lossy_codec::channel_id(channel)
    }

    /// Returns the legacy channel name of an RTM channel id.
    fn channel(&self, channel_id: &Text) -> Text {
        lossy_codec::channel(channel_id)
    }

    /// Returns the legacy number of an account.
    fn uid(&self, account: &Text) -> i64;
}

/// The names of one app id.
#[derive(Clone, Debug)]
pub struct AppNames {
    /// The app id, an input of derived uids.
    pub app: AppId,
    /// Configured uids, by account.
    pub numbers: Arc<HashMap<Text, u32>>,
}

impl Names for AppNames {
    fn uid(&self, account: &Text) -> i64 {
        if let Some(number) = self.numbers.get(account) {
            return i64::from(*number);
        }
        derived_uid(&self.app, account)
    }
}

/// App id, account and number of the last derivation.
type Derived = (AppId, Text, i64);

thread_local! {
    static LAST: RefCell<Option<Derived>> = const { RefCell::new(None) };
}

/// Returns the number of an account, derived from its name and the app id; 0 for an invalid account.
///
/// The sessions of a channel derive the number of one sender, one after another.
pub fn derived_uid(app: &AppId, account: &Text) -> i64 {
    LAST.with_borrow_mut(|last| match last {
        Some((last_app, last_account, number)) if last_app == app && last_account == account => *number,
        _ => {
            let number = Account::new(account.clone()).map_or(0, |account| i64::from(uid(app, &account)));
            *last = Some((app.clone(), account.clone(), number));
            number
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_numbers_precede_derived_ones() {
        let numbers = Arc::new(HashMap::from([(Text::from("alice"), 7)]));
        let app = AppId::new("app").unwrap();
        let names = AppNames { app, numbers };
        assert_eq!(names.uid(&"alice".into()), 7);
        let bob = Account::new("bob").unwrap();
        assert_eq!(names.uid(&"bob".into()), i64::from(uid(&names.app, &bob)));
        assert_eq!(names.uid(&"no account".into()), 0);
    }

    #[test]
    fn numbers_are_derived_from_app_and_account() {
        let number = |app: &str, account: &str| derived_uid(&AppId::new(app).unwrap(), &account.into());
        let of = |app: &str, account: &str| i64::from(uid(&AppId::new(app).unwrap(), &Account::new(account).unwrap()));
        for (app, account) in [("a", "bob"), ("a", "bob"), ("b", "bob"), ("b", "carol"), ("a", "bob")] {
            assert_eq!(number(app, account), of(app, account), "{app} {account}");
        }
    }
}
