//! Tables of a reload, for a session between two connections of its client (decisions H15).

use std::sync::Arc;

use crate::server::live_session::LiveSession;
use crate::server::table_set::event_between;

impl LiveSession {
    /// Uses the current tables, if the session has no client and rests. Its next client then decodes by them.
    pub(super) fn take_current_tables(&mut self) {
        // A record, a recording and viewers know the session's rows by their numbers.
        if !self.sockets.is_empty() || self.over || self.record.is_some() || self.taps.are_open() {
            return;
        }
        let set = self.server.sets.current();
        if Arc::ptr_eq(&set, &self.set) {
            return;
        }
        let Some(wire) = set.tables.wire(&self.wire.family).cloned() else {
            return;
        };
        let registry = &self.server.registry;
        let (session, old) = (&mut self.session, &self.set);
        let is_taken = registry.exchange(&self.key, self.id, &set, || {
            let tables = (set.tables.clone(), wire.clone());
            session.exchange_tables(tables, &|event| event_between(event.clone(), &old.tables, &set.tables))
        });
        if is_taken {
            (self.tables, self.wire) = (set.tables.clone(), wire);
            self.set = set;
            self.group();
        }
    }
}
