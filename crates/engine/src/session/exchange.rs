//! Exchange of the tables of a session that rests (decisions H15).

use std::sync::Arc;

use protocol::event::Event;
use tables::Tables;
use tables::wire::Wire;

use crate::session::Session;

impl Session {
    /// Uses other tables from now on. `convert` gives a waiting event its numbers in them; `None` if they do not have it in
    /// this form.
    ///
    /// Returns false, without a change, unless the session rests and all waiting events are converted.
    pub fn exchange_tables(
        &mut self,
        (tables, wire): (Arc<Tables>, Arc<Wire>),
        convert: &dyn Fn(&Event) -> Option<Event>,
    ) -> bool {
        if !self.rests() {
            return false;
        }
        let (mut mailbox, mut channel) = (self.client.mailbox.clone(), self.channel.clone());
        let is_converted = mailbox.convert(convert) && channel.convert(convert);
        if is_converted {
            (self.client.mailbox, self.channel) = (mailbox, channel);
            let env = Arc::make_mut(&mut self.env);
            (env.tables, env.wire) = (tables, wire);
        }
        is_converted
    }

    /// Returns true if nothing refers to a row: no client, run, request, call, or message for an offline peer.
    fn rests(&self) -> bool {
        self.end_reason.is_none()
            && self.status.logged_in
            && !self.client.is_connected()
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
