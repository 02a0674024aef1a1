//! Repair of a node that is missing in Redis, or whose last batches are: its logins are restored.

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ConnectionReason, UserId};

use crate::node::op::{Op, ReplyHandler, fields};
use crate::node::{Node, NodeState, Outputs};
use crate::wire::{EntryId, attributes_out, int};

/// Maximum of users in one operation that watches them again.
const WATCHED: usize = 400;

impl Node {
    /// Handles lost batches. Operations that were not executed follow after the repair.
    pub(super) fn lost(&mut self) {
        self.state = NodeState::Unregistered;
        self.epoch += 1;
        if let Some(ops) = self.outstanding.take().and_then(|outstanding| outstanding.ops) {
            for op in ops.into_iter().rev() {
                self.queue_bytes += op.bytes();
                self.queue.push_front(op);
            }
        }
        self.requeued();
        self.records_lost();
        // Entries of the stream may be repeated. Their writers' numbers show it.
        self.inbound.clear();
        self.seen = EntryId::default();
        self.acked = EntryId::default();
    }

    /// Handles the registration: restores the logins of this node and removes unknown users.
    pub(super) fn registered(&mut self, now: Time, users: Vec<Text>, out: &mut Outputs) {
        self.state = NodeState::Registered;
        self.answer = None;
        let waiting = std::mem::take(&mut self.queue);
        self.heartbeat_queued = false;
        self.heartbeat();
        let known: Vec<UserId> = users.into_iter().filter_map(|user| UserId::new(user).ok()).collect();
        let unknown: Vec<_> = known
            .into_iter()
            .filter(|user| !self.users.contains_key(user))
            .collect();
        for user in unknown {
            self.push(Op {
                fields: fields!["drop", user.as_str()],
                call: None,
                handler: ReplyHandler::Ignore,
            });
        }
        let mut clients: Vec<u64> = self.users.values().copied().collect();
        clients.sort_unstable();
        self.status.repairs += clients.len() as u64;
        for client in clients {
            let session = self.clients.get(&client).and_then(|found| found.session());
            let Some(session) = session else { continue };
            let mut fields = fields![
                "restore",
                session.user.as_str(),
                session.login.as_bytes(),
                attributes_out(&session.attributes)
            ];
            fields.extend(
                session
                    .joined
                    .iter()
                    .map(|channel| channel.as_str().as_bytes().to_vec()),
            );
            self.push(Op {
                fields,
                call: None,
                handler: ReplyHandler::Restored(client),
            });
        }
        let watched: Vec<UserId> = self.followers.keys().cloned().collect();
        for users in watched.chunks(WATCHED) {
            self.watch(users.to_vec());
        }
        for op in waiting {
            if !matches!(
                op.handler,
                ReplyHandler::Heartbeat | ReplyHandler::Restored(_) | ReplyHandler::Watch(_)
            ) {
                self.queue.push_back(op);
            }
        }
        self.queued = self.sent + self.queue.len() as u64;
        self.requeued();
        self.settle(now, out);
    }

    /// Handles the reply to a restored login. A newer login may have replaced it.
    pub(super) fn login_restored(&mut self, client: u64, fields: &[Vec<u8>], out: &mut Outputs) {
        if fields.first().is_some_and(|field| field == b"kicked") {
            return self.abort(client, ConnectionReason::RemoteLogin, out);
        }
        let session = self.clients.get(&client).and_then(|found| found.session());
        let joined = session.map(|session| session.joined.clone()).unwrap_or_default();
        for (channel, count) in joined.iter().zip(&fields[1..]) {
            if let Some(count) = int(count) {
                self.membership_restored(client, channel, count, out);
            }
        }
    }
}
