//! Names of a trace that is played live: those that any of its sessions has asked for, and for the others the program's own.

use std::sync::Arc;

use crate::bridge::Names;
use crate::ident::{Account, AppId, texts, uid::uid};
use crate::trace::names::ReadNames;
use crate::value::Text;

/// The names of a session's app.
#[derive(Clone, Debug)]
pub struct LiveNames {
    /// What the trace tells, all of its sessions together.
    pub read: Arc<ReadNames>,
    /// The app, which uids depend on, when it is known.
    pub app: Option<AppId>,
}

impl Names for LiveNames {
    fn user_id(&self, account: &Text) -> Text {
        let known = self.read.known("userId", account);
        known.unwrap_or_else(|| texts::user_id(account))
    }

    fn account(&self, user_id: &Text) -> Text {
        let known = self.read.known("account", user_id);
        known.unwrap_or_else(|| texts::account(user_id))
    }

    fn channel_id(&self, channel: &Text) -> Text {
        let known = self.read.known("channelId", channel);
        known.unwrap_or_else(|| texts::channel_id(channel))
    }

    fn channel(&self, channel_id: &Text) -> Text {
        let known = self.read.known("channel", channel_id);
        known.unwrap_or_else(|| texts::channel(channel_id))
    }

    fn uid(&self, account: &Text) -> i64 {
        let derived = || {
            let account = Account::new(account.clone()).ok()?;
            Some(i64::from(uid(self.app.as_ref()?, &account)))
        };
        self.read.known_uid(account).or_else(derived).unwrap_or(0)
    }
}
