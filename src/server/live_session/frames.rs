//! Frames of a session for its client.

use engine::Effect;
use protocol::encoder::LineContext;
use protocol::event::{CallRef, LOGIN};

use crate::server::live_session::LiveSession;

impl LiveSession {
    /// Sends the frames of an effect. If the queue of the socket is full, the session waits; the connection detects slow
    /// clients.
    pub(super) fn send(&mut self, effect: &Effect) {
        let Some((id, row)) = effect.recipient() else { return };
        let Some(socket) = self.sockets.get(id) else { return };
        let answers = match effect {
            Effect::Answer { call, row, .. } => Some((*call, *row)),
            _ => None,
        };
        let context = LineContext {
            account: self.key.1.text(),
            channel: self.channel.as_ref(),
            now: self.time.latest(),
        };
        for text in effect.frames(&*socket.encoder, &self.wire, context) {
            self.taps.frame_out(id, &text, row);
            let text = match &mut self.record {
                Some(record) => record.hold(self.after, &socket.out, text, answers),
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
        let now = self.time.now(&self.server.clock);
        let attempt = self.pending.get_mut(call.socket).map(|pending| &mut pending.attempt);
        self.log.login_answered(now, attempt, refusal);
    }
}
