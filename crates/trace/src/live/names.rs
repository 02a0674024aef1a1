//! Names in a live replay: those recorded by any session, otherwise computed.

use std::sync::Arc;

use crate::names::ReadNames;
use engine::{Names, derived_uid};
use identity::lossy_codec;
use rtm::AppId;
use rtm::value::Text;

/// Names of a session's app.
#[derive(Clone, Debug)]
pub struct LiveNames {
    /// Names in the trace, of all sessions.
    pub read: Arc<ReadNames>,
    /// App for the derivation of uids, if known.
    pub app: Option<AppId>,
}

impl Names for LiveNames {
    fn user_id(&self, account: &Text) -> Text {
        let known = self.read.known("userId", account);
        known.unwrap_or_else(|| lossy_codec::user_id(account))
    }

    fn account(&self, user_id: &Text) -> Text {
        let known = self.read.known("account", user_id);
        known.unwrap_or_else(|| lossy_codec::account(user_id))
    }

    fn channel_id(&self, channel: &Text) -> Text {
        let known = self.read.known("channelId", channel);
        known.unwrap_or_else(|| lossy_codec::channel_id(channel))
    }

    fn channel(&self, channel_id: &Text) -> Text {
        let known = self.read.known("channel", channel_id);
        known.unwrap_or_else(|| lossy_codec::channel(channel_id))
    }

    fn uid(&self, account: &Text) -> i64 {
        let derived = || Some(derived_uid(self.app.as_ref()?, account));
        self.read.known_uid(account).or_else(derived).unwrap_or(0)
    }
}
