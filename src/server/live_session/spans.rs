//! Traces of the session's calls. Without a collector, each call is one comparison.

use engine::{Effect, Input};

use crate::server::live_session::LiveSession;

impl LiveSession {
    pub(super) fn span_input(&mut self, input: &Input) {
        if self.spans.are_on() {
            let pending = &self.pending;
            let login = |socket| pending.get(socket)?.attempt.span();
            self.spans.input(&self.tables, input, login);
        }
    }

    pub(super) fn span_effect(&mut self, effect: &Effect) {
        if self.spans.are_on() {
            let session = &self.session;
            self.spans
                .effect(&self.tables, effect, |request| session.caller(request));
        }
    }

    /// Ends the spans of calls that are over after a step.
    pub(super) fn settle_spans(&mut self) {
        if self.spans.are_on() {
            let session = &self.session;
            self.spans.settle(|call| session.is_running(call));
        }
    }
}
