//! Exchange of the tables of a session that rests (decisions H15).

use std::sync::Arc;

use protocol::event::Event;
use tables::Tables;
use tables::row::{RowId, SigId};
use tables::wire::Wire;

use crate::session::Session;

impl Session {
    /// Uses other tables from now on. `convert` gives a waiting event its numbers in them; `None` if they do not have it in
    /// this form.
    ///
    /// The session must [rest](Self::rests), and no connection may decode by the old tables afterwards. Returns false,
    /// without a change, unless all waiting events are converted.
    pub fn exchange_tables(
        &mut self,
        (tables, wire): (Arc<Tables>, Arc<Wire>),
        convert: &dyn Fn(&Event) -> Option<(SigId, RowId)>,
    ) -> bool {
        debug_assert!(self.rests());
        let events = self.client.mailbox.events_mut().chain(self.channel.events_mut());
        let converted: Option<Vec<_>> = events.map(|event| convert(event)).collect();
        let Some(converted) = converted else { return false };
        let events = self.client.mailbox.events_mut().chain(self.channel.events_mut());
        for (event, numbers) in events.zip(converted) {
            (event.sig, event.row) = numbers;
        }
        let env = Arc::make_mut(&mut self.env);
        (env.tables, env.wire) = (tables, wire);
        true
    }

    /// Returns true if nothing but stored lines refers to a row: no run, request, call, or message for an offline peer.
    pub fn rests(&self) -> bool {
        self.end_reason.is_none()
            && self.status.logged_in
            && self.twins.is_empty()
            && self.runs.is_empty()
            && self.requests.is_empty()
            && self.invitations.is_empty()
            && self.outbox.is_empty()
            && self.transient_joins.is_empty()
            && !self.directory.has_waiting()
            && self.channel.is_settled()
    }
}
