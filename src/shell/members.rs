//! Who of this sidecar is in which channel: RTM answers some questions to members only (decisions H8).

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::ident::AppId;
use crate::rtm::ChannelId;

use super::registry::SessionHandle;

/// Sessions by the channel that they have joined.
#[derive(Debug, Default)]
pub struct Members {
    channels: Mutex<HashMap<(AppId, ChannelId), Vec<SessionHandle>>>,
}

impl Members {
    /// A session has joined.
    pub fn joined(&self, app: &AppId, channel: &ChannelId, session: SessionHandle) {
        self.channels
            .lock()
            .entry((app.clone(), channel.clone()))
            .or_default()
            .push(session);
    }

    /// A session has left.
    pub fn left(&self, app: &AppId, channel: &ChannelId, session: u64) {
        let mut channels = self.channels.lock();
        let key = (app.clone(), channel.clone());
        if let Some(sessions) = channels.get_mut(&key) {
            if let Some(at) = sessions.iter().position(|s| s.id == session) {
                sessions.swap_remove(at);
            }
            if sessions.is_empty() {
                channels.remove(&key);
            }
        }
    }

    /// A session that is in the channel.
    pub fn any(&self, app: &AppId, channel: &ChannelId) -> Option<SessionHandle> {
        self.channels
            .lock()
            .get(&(app.clone(), channel.clone()))?
            .last()
            .cloned()
    }
}
