//! Sessions of this sidecar by channel: RTM allows some calls to members only (decisions H8).

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use rtm::AppId;
use rtm::ChannelId;

use crate::server::registry::SessionHandle;

/// Sessions by joined channel.
#[derive(Debug, Default)]
pub struct Members {
    inner: Mutex<Channels>,
}

#[derive(Debug, Default)]
struct Channels {
    channels: HashMap<(AppId, ChannelId), VecDeque<SessionHandle>>,
    /// Number of channels of each app.
    of_app: HashMap<AppId, usize>,
}

impl Members {
    /// Adds a session to a channel.
    pub fn joined(&self, app: &AppId, channel: &ChannelId, session: SessionHandle) {
        let inner = &mut *self.inner.lock();
        let sessions = inner.channels.entry((app.clone(), channel.clone())).or_default();
        if sessions.is_empty() {
            *inner.of_app.entry(app.clone()).or_default() += 1;
        }
        sessions.push_back(session);
    }

    /// Returns true if an app has at least `most` channels, and this is none of them.
    pub fn is_full(&self, app: &AppId, channel: &ChannelId, most: usize) -> bool {
        let inner = self.inner.lock();
        let known = inner.of_app.get(app).copied().unwrap_or(0);
        known >= most && !inner.channels.contains_key(&(app.clone(), channel.clone()))
    }

    /// Removes a session from a channel.
    pub fn left(&self, app: &AppId, channel: &ChannelId, session: u64) {
        let inner = &mut *self.inner.lock();
        let key = (app.clone(), channel.clone());
        if let Some(sessions) = inner.channels.get_mut(&key) {
            if let Some(at) = sessions.iter().position(|s| s.id == session) {
                sessions.swap_remove_back(at);
            }
            if sessions.is_empty() {
                inner.channels.remove(&key);
                if let Some(count) = inner.of_app.get_mut(app) {
                    *count -= 1;
                    if *count == 0 {
                        inner.of_app.remove(app);
                    }
                }
            }
        }
    }

    /// Returns the number of sessions in the channel.
    pub fn count(&self, app: &AppId, channel: &ChannelId) -> usize {
        let inner = self.inner.lock();
        inner
            .channels
            .get(&(app.clone(), channel.clone()))
            .map_or(0, VecDeque::len)
    }

    /// Returns a session in the channel, in rotation, since RTM limits the calls of each session.
    pub fn any(&self, app: &AppId, channel: &ChannelId) -> Option<SessionHandle> {
        let mut inner = self.inner.lock();
        let sessions = inner.channels.get_mut(&(app.clone(), channel.clone()))?;
        sessions.rotate_left(1);
        sessions.back().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session_directory::SessionView;
    use crate::server::session_inbox::inbox;
    use crate::server::table_set::TableSet;
    use std::sync::Arc;

    #[test]
    fn members_are_queried_in_turn() {
        let set = TableSet::new(Arc::new(tables::Tables::default())).expect("no profiles, no wires");
        let members = Members::default();
        let (app, channel) = (AppId::new("app").unwrap(), ChannelId::new("room").unwrap());
        assert!(members.any(&app, &channel).is_none());
        for id in 1..=3 {
            let inbox = inbox(&Arc::default(), &Arc::default());
            let view = SessionView::for_test(id);
            members.joined(
                &app,
                &channel,
                SessionHandle {
                    id,
                    inbox,
                    view,
                    set: set.clone(),
                },
            );
        }
        let requested = |n| -> Vec<u64> {
            (0..n)
                .filter_map(|_| members.any(&app, &channel).map(|s| s.id))
                .collect()
        };
        assert_eq!(requested(4), [1, 2, 3, 1]);
        members.left(&app, &channel, 2);
        let mut rest = requested(2);
        rest.sort_unstable();
        assert_eq!(rest, [1, 3]);
    }
}
