//! Waits before the next read: a client is read no faster than it can be served.

use crate::server::connection_state::Client;
use crate::server::run_queue::enter;

impl Client {
    /// Returns true if [`room`](Self::room) has nothing to wait for.
    pub fn has_room(&self) -> bool {
        self.search.is_none()
            && self
                .session
                .as_ref()
                .is_none_or(|(_, session)| session.inbox.has_room())
    }

    /// Waits while the session's inbox is full. A client is read no faster than it can be served.
    pub async fn room(&mut self) {
        if let Some(search) = &mut self.search {
            let found = search.found().await;
            if let Some(mut search) = self.search.take() {
                let _run = enter();
                let later = std::mem::take(&mut search.later);
                self.line_searched(search, found);
                for frame in later {
                    self.frame(frame);
                }
            }
        }
        if let Some((_, session)) = &self.session {
            session.inbox.room().await;
        }
    }
}
