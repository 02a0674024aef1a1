//! Calls during an outage of Redis, or without memory.

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::{CallKind, ConnectionReason, ConnectionState, RtmReply};
use rtm_embedded::state_changed;

use crate::node::client::Phase;
use crate::node::op::{Op, Then, words};
use crate::node::{CHECK, Node, Out, Outstanding, Seen as _, Stage, failed, replied};

impl Node {
    /// Handles a full Redis. Operations that take memory fail; the others are executed.
    pub fn out_of_memory(&mut self, now: Time, out: &mut Out) {
        let Some(outstanding) = self.outstanding.take() else {
            return;
        };
        let Some(ops) = outstanding.ops else { return };
        let (refused, kept): (Vec<_>, Vec<_>) = ops.into_iter().partition(Op::grows);
        let mut retry = kept;
        for op in refused {
            match op.then {
                // The next repair repeats them.
                Then::Back(_) | Then::Watch(_) => self.stage = Stage::New,
                _ => self.refuse(now, op, Refusal::Abandoned, out),
            }
        }
        if retry.is_empty() {
            retry.push(Op {
                words: words!["nothing"],
                call: None,
                then: Then::Nothing,
            });
        }
        let request = self.batch(now, &retry, true);
        self.outstanding = Some(Outstanding {
            ops: Some(retry),
            since: outstanding.since,
            request,
        });
    }

    /// Answers calls that have waited too long, and removes those that were not sent.
    pub(super) fn give_up_calls(&mut self, now: Time, out: &mut Out) {
        let Some(outstanding) = &mut self.outstanding else {
            return;
        };
        if now < self.check || now < outstanding.since + self.config.call_wait {
            return;
        }
        self.check = now + CHECK;
        let mut late: Vec<(u64, u64, CallKind)> = Vec::new();
        let mut give_up = |op: &mut Op| -> bool {
            let Some(call) = op.call.as_mut().filter(|call| call.until <= now) else {
                return false;
            };
            late.extend(call.request.take().map(|request| (call.client, request, call.kind)));
            true
        };
        for op in outstanding.ops.iter_mut().flatten() {
            give_up(op);
        }
        let queue = std::mem::take(&mut self.queue);
        let mut refused = Vec::new();
        for mut op in queue {
            if give_up(&mut op) && !op.is_needed() {
                self.queue_bytes = self.queue_bytes.saturating_sub(op.bytes());
                refused.push(op);
            } else {
                self.queue.push_back(op);
            }
        }
        self.requeued();
        self.records_late(now);
        for (&client, found) in &mut self.clients {
            while found.waiting.front().is_some_and(|waiting| waiting.until <= now) {
                let waiting = found.waiting.pop_front();
                late.extend(waiting.map(|waiting| (client, waiting.request, waiting.call.kind())));
            }
        }
        for (client, request, kind) in late {
            self.timed_out(client, request, kind, out);
        }
        for op in refused {
            self.refuse(now, op, Refusal::TimedOut, out);
        }
    }

    fn timed_out(&mut self, client: u64, request: u64, kind: CallKind, out: &mut Out) {
        match kind {
            CallKind::Login => {
                let event = state_changed(ConnectionState::Disconnected, ConnectionReason::LoginTimeout);
                out.push(event.of(client));
            }
            // It is executed after the outage. No call waits for it.
            CallKind::Logout => {
                if self
                    .clients
                    .get(&client)
                    .is_some_and(|c| matches!(c.phase, Phase::In(_)))
                {
                    self.end_session(client);
                }
                let event = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
                out.push(event.of(client));
                return out.push(replied(request, RtmReply::Void).of(client));
            }
            _ => {}
        }
        out.push(failed(request, refusal(kind, Refusal::TimedOut)).of(client));
    }
}
