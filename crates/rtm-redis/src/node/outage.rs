//! Calls during an outage of Redis, or without memory.

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::{CallKind, ConnectionReason, ConnectionState, RtmReply};
use rtm_embedded::state_changed;

use crate::node::client::Phase;
use crate::node::op::{Op, ReplyHandler, fields};
use crate::node::{CHECK, ForClient as _, Node, NodeState, Outputs, Outstanding, failed, replied};

impl Node {
    /// Handles a full Redis. Operations that take memory fail; the others are executed.
    pub fn out_of_memory(&mut self, now: Time, out: &mut Outputs) {
        let Some(outstanding) = self.outstanding.take() else {
            return;
        };
        let Some(ops) = outstanding.ops else { return };
        let (refused, retained): (Vec<_>, Vec<_>) = ops.into_iter().partition(Op::grows);
        let mut retry = retained;
        for op in refused {
            match op.handler {
                // The next repair repeats them.
                ReplyHandler::Restored(_) | ReplyHandler::Watch(_) => self.state = NodeState::Unregistered,
                _ => self.refuse(now, op, Refusal::Abandoned, out),
            }
        }
        if retry.is_empty() {
            retry.push(Op {
                fields: fields!["nothing"],
                call: None,
                handler: ReplyHandler::Ignore,
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
    pub(super) fn expire_calls(&mut self, now: Time, out: &mut Outputs) {
        let Some(outstanding) = &mut self.outstanding else {
            return;
        };
        if now < self.check || now < outstanding.since + self.config.call_wait {
            return;
        }
        self.check = now + CHECK;
        let mut late: Vec<(u64, u64, CallKind)> = Vec::new();
        let mut is_expired = |op: &mut Op| -> bool {
            let Some(call) = op.call.as_mut().filter(|call| call.until <= now) else {
                return false;
            };
            late.extend(call.request.take().map(|request| (call.client, request, call.kind)));
            true
        };
        for op in outstanding.ops.iter_mut().flatten() {
            is_expired(op);
        }
        let queue = std::mem::take(&mut self.queue);
        let mut refused = Vec::new();
        for mut op in queue {
            if is_expired(&mut op) && !op.is_needed() {
                self.queue_bytes = self.queue_bytes.saturating_sub(op.bytes());
                refused.push(op);
            } else {
                self.queue.push_back(op);
            }
        }
        self.requeued();
        self.report_late_records(now);
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

    fn timed_out(&mut self, client: u64, request: u64, kind: CallKind, out: &mut Outputs) {
        match kind {
            CallKind::Login => {
                let event = state_changed(ConnectionState::Disconnected, ConnectionReason::LoginTimeout);
                out.push(event.for_client(client));
            }
            // It is executed after the outage. No call waits for it.
            CallKind::Logout => {
                if self
                    .clients
                    .get(&client)
                    .is_some_and(|c| matches!(c.phase, Phase::LoggedIn(_)))
                {
                    self.end_session(client);
                }
                let event = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
                out.push(event.for_client(client));
                return out.push(replied(request, RtmReply::Void).for_client(client));
            }
            _ => {}
        }
        out.push(failed(request, refusal(kind, Refusal::TimedOut)).for_client(client));
    }
}
