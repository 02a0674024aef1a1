//! Times of a session's work and of its RTM calls.

use tokio::time::Instant;

use engine::Input;
use rtm::time::Time;
use rtm::{CallKind, RtmCall};

use crate::server::live_session::LiveSession;

/// One of so many steps is measured. A clock costs as much as a small step.
const EVERY: u8 = 16;
/// Maximum of RTM calls that are measured at once.
const MAX_OPEN: usize = 32;

/// Measurements of a session.
#[derive(Debug, Default)]
pub(super) struct Measures {
    steps: u8,
    /// RTM calls without a reply: number, kind, time.
    open: Vec<(u64, CallKind, Time)>,
}

impl Measures {
    /// Returns the time of a step that is measured.
    pub(super) fn begin(&mut self) -> Option<Instant> {
        self.steps = self.steps.wrapping_add(1);
        self.steps.is_multiple_of(EVERY).then(Instant::now)
    }
}

impl LiveSession {
    pub(super) fn translated(&self, begun: Option<Instant>) {
        if let Some(begun) = begun {
            self.server.metrics.times.translate.took(begun.elapsed());
        }
    }

    /// Begins the measurement of an RTM call.
    pub(super) fn called(&mut self, request: u64, call: &RtmCall) {
        if self.measures.open.len() < MAX_OPEN {
            // Most sessions have one call at a time.
            if self.measures.open.capacity() == 0 {
                self.measures.open.reserve_exact(1);
            }
            self.measures.open.push((request, call.kind(), self.time.latest()));
        }
        if call.kind() == CallKind::SendMessage
            && let Some(channel) = &self.member_of
        {
            let members = self.server.members.count(&self.key.0, channel);
            self.server.metrics.times.fan_out.observe(members as u64);
        }
    }

    /// Ends the measurement of an RTM call.
    pub(super) fn replied(&mut self, input: &Input) {
        let Input::RtmReply { request, result } = input else {
            return;
        };
        let open = &mut self.measures.open;
        if let Some(at) = open.iter().position(|(number, ..)| number == request) {
            let (_, kind, since) = open.swap_remove(at);
            let took = self.time.latest().since(since);
            self.server.metrics.times.rtm_call(kind, result.is_err(), took);
        }
    }
}
