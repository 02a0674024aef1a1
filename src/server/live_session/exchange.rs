//! Tables of a reload, for a session that rests (decisions H15).

use std::sync::Arc;

use engine::Input;
use protocol::event::SocketId;

use crate::server::live_session::LiveSession;
use crate::server::message::TableOffer;
use crate::server::table_set::{TableSet, event_between};

impl LiveSession {
    /// Uses the current tables, if the session has no client and rests. Its next client then decodes by them.
    pub(super) fn take_current_tables(&mut self) {
        if self.sockets.is_empty() {
            let set = self.server.sets.current();
            if !Arc::ptr_eq(&set, &self.set) {
                self.exchange(&set, None);
            }
        }
    }

    /// Uses the tables that its connection offers, if the session rests. Returns `None` if it may do so later.
    pub(super) fn take_offered_tables(&mut self, offer: TableOffer) -> Option<bool> {
        let TableOffer { socket, set, encoder } = offer;
        // Another connection would decode by the tables of before.
        if self.sockets.len() != 1 || self.sockets.get(socket).is_none() {
            return None;
        }
        let is_taken = self.exchange(&set, Some(socket))?;
        if let Some(handle) = self.sockets.get_mut(socket).filter(|_| is_taken) {
            handle.encoder = encoder;
        }
        Some(is_taken)
    }

    /// Returns `None` if the session does not rest, and false if the tables lack something that it has.
    fn exchange(&mut self, set: &Arc<TableSet>, socket: Option<SocketId>) -> Option<bool> {
        // A recording and viewers know the session's rows by their numbers, and so do answers that wait for Redis.
        let is_used = self.taps.are_open() || self.record.as_ref().is_some_and(|record| !record.rests());
        if self.is_done() || is_used || !self.session.rests() {
            return None;
        }
        let Some(wire) = set.tables.wire(&self.wire.family).cloned() else {
            return Some(false);
        };
        let (session, old, inbox) = (&mut self.session, &self.set, &self.own_inbox);
        let mut rests = false;
        let is_taken = self.server.registry.exchange(&self.key, (self.id, socket), set, || {
            // What waits may be an input by the old tables, or a login of a client that has them.
            rests = inbox.upgrade().is_some_and(|inbox| inbox.is_empty());
            let tables = (set.tables.clone(), wire.clone());
            let convert = |event: &_| event_between(event, &old.tables, &set.tables);
            rests && session.exchange_tables(tables, &convert)
        })?;
        if is_taken {
            (self.tables, self.wire) = (set.tables.clone(), wire);
            self.set = set.clone();
            self.has_later_tables = true;
            self.group();
            // The login was counted with the old tables.
            self.group.as_deref().inspect(|group| group.forget_login());
        }
        rests.then_some(is_taken)
    }

    /// Returns true for a call of a connection that the session has no more, since it may be decoded by earlier tables.
    pub(super) fn is_of_earlier_tables(&self, input: &Input) -> bool {
        self.has_later_tables
            && match input {
                Input::Call { call, .. } | Input::Refused { call, .. } | Input::Poll { call, .. } => {
                    self.sockets.get(call.socket).is_none()
                }
                _ => false,
            }
    }
}
