//! Frames of a session for its client.

use protocol::encoder::{Encoder, LineContext, NamedCall};
use protocol::event::{CallRef, Event, Form, LOGIN, SocketId};
use tables::row::RowId;

use crate::server::live_session::LiveSession;

impl LiveSession {
    pub(super) fn send_lines(&mut self, call: CallRef, ver_clear: u64, lines: &[(u64, Event)]) {
        let wire = self.wire.clone();
        let account = self.key.1.text().clone();
        let context = LineContext {
            account: &account,
            channel: None,
            now: self.now,
        };
        let named = NamedCall {
            function: &wire.function(call.function).name,
            id: call.id,
        };
        self.send(call.socket, None, |encoder| {
            encoder.mailbox(named, ver_clear, lines, context)
        });
    }

    pub(super) fn notify(&mut self, socket: SocketId, form: Form, event: &Event) {
        let account = self.key.1.text().clone();
        let channel = self.channel.clone();
        let context = LineContext {
            account: &account,
            channel: channel.as_ref(),
            now: self.now,
        };
        self.send(socket, Some(event.row), |encoder| encoder.notify(form, event, context));
    }

    /// Sends frames to a socket. If its queue is full, the session waits; the connection detects slow clients.
    pub(super) fn send(&mut self, id: SocketId, row: Option<RowId>, what: impl FnOnce(&dyn Encoder) -> Vec<String>) {
        self.send_as(id, row, None, what);
    }

    pub(super) fn send_as(
        &mut self,
        id: SocketId,
        row: Option<RowId>,
        answers: Option<CallRef>,
        what: impl FnOnce(&dyn Encoder) -> Vec<String>,
    ) {
        let Some(socket) = self.sockets.get(&id) else { return };
        for text in what(&*socket.encoder) {
            self.taps.frame_out(id, &text, row);
            let text = match &mut self.record {
                Some(record) => record.hold(self.after, &socket.out, text, answers.zip(row)),
                None => Some(text),
            };
            if let Some(text) = text
                && !socket.out.push(text)
            {
                self.full = Some(socket.out.clone());
            }
        }
    }

    /// Logs logins and limits.
    pub(super) fn log_answer(&mut self, call: CallRef, refusal: Option<&str>) {
        if call.function != LOGIN {
            return self.log.call_answered(refusal);
        }
        let attempt = self.pending.get_mut(&call.socket).map(|pending| &mut pending.attempt);
        self.log.login_answered(self.server.clock.now(), attempt, refusal);
    }
}
