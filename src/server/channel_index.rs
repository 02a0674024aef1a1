//! Sessions of this sidecar by channel: RTM allows some calls to members only (decisions H8).

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use rtm::AppId;
use rtm::ChannelId;

use crate::server::registry::SessionHandle;

/// Sessions by joined channel.
#[derive(Debug, Default)]
pub struct Members {
    channels: Mutex<HashMap<(AppId, ChannelId), VecDeque<SessionHandle>>>,
}

impl Members {
    /// Adds a session to a channel.
    pub fn joined(&self, app: &AppId, channel: &ChannelId, session: SessionHandle) {
        self.channels
            .lock()
            .entry((app.clone(), channel.clone()))
            .or_default()
            .push_back(session);
    }

    /// Removes a session from a channel.
    pub fn left(&self, app: &AppId, channel: &ChannelId, session: u64) {
        let mut channels = self.channels.lock();
        let key = (app.clone(), channel.clone());
        if let Some(sessions) = channels.get_mut(&key) {
            if let Some(at) = sessions.iter().position(|s| s.id == session) {
                sessions.swap_remove_back(at);
            }
            if sessions.is_empty() {
                channels.remove(&key);
            }
        }
    }

    /// Returns the number of sessions in the channel.
    pub fn count(&self, app: &AppId, channel: &ChannelId) -> usize {
        let channels = self.channels.lock();
        channels.get(&(app.clone(), channel.clone())).map_or(0, VecDeque::len)
    }

    /// Returns a session in the channel, in rotation, since RTM limits the calls of each session.
    pub fn any(&self, app: &AppId, channel: &ChannelId) -> Option<SessionHandle> {
        let mut channels = self.channels.lock();
        let sessions = channels.get_mut(&(app.clone(), channel.clone()))?;
        sessions.rotate_left(1);
        sessions.back().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session_directory::SessionView;
    use crate::server::session_inbox::inbox;
    use std::sync::Arc;

    #[test]
    fn members_are_asked_in_turn() {
        let members = Members::default();
        let (app, channel) = (AppId::new("app").unwrap(), ChannelId::new("room").unwrap());
        assert!(members.any(&app, &channel).is_none());
        for id in 1..=3 {
            let inbox = inbox(&Arc::default(), &Arc::default());
            let view = SessionView::for_test(id);
            members.joined(&app, &channel, SessionHandle { id, inbox, view });
        }
        let asked = |n| -> Vec<u64> {
            (0..n)
                .filter_map(|_| members.any(&app, &channel).map(|s| s.id))
                .collect()
        };
        assert_eq!(asked(4), [1, 2, 3, 1]);
        members.left(&app, &channel, 2);
        let mut rest = asked(2);
        rest.sort_unstable();
        assert_eq!(rest, [1, 3]);
    }
}
