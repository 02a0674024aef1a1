//! Connection and loss of agents.

use std::sync::Arc;

use tracing::{info, warn};

use crate::frame::{BAD_PARAMS, BAD_PROTOCOL, ErrorBody};
use crate::handshake::{Held, HostPart, LinkParameters, is_supported};
use crate::vocabulary::Vocabulary;
use crate::{KEEP, PROTOCOL, WINDOW};
use rtm::AppId;
use rtm::rejection::Refusal;
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{CallKind, RtmCall, UserId};

use crate::driver::client::{InstanceState, Queued};
use crate::driver::driver_state::{AbandonedInstance, Agent, DriverState, Purpose};

impl DriverState {
    /// Reads a host's part of the handshake.
    ///
    /// # Errors
    /// The host is not usable.
    pub fn identify(&self, host: &HostPart, platforms: &[Arc<Vocabulary>]) -> Result<Agent, ErrorBody> {
        if !is_supported(host.protocol) {
            let text = format!("unsupported protocol {}; this side uses {PROTOCOL}", host.protocol);
            return Err(ErrorBody::new(BAD_PROTOCOL, text));
        }
        let Some(vocabulary) = platforms
            .iter()
            .find(|vocabulary| *vocabulary.platform() == host.platform)
        else {
            let known: Vec<&str> = platforms.iter().map(|vocabulary| &**vocabulary.platform()).collect();
            let text = format!(
                "unknown platform {}; known platforms: {}",
                host.platform,
                known.join(", ")
            );
            return Err(ErrorBody::new(BAD_PARAMS, text));
        };
        let lacks: Arc<[CallKind]> = CallKind::ALL
            .iter()
            .copied()
            .filter(|&kind| {
                !vocabulary.has(kind)
                    || host
                        .capabilities
                        .as_ref()
                        .is_some_and(|c| !c.iter().any(|name| &**name == kind.name()))
            })
            .collect();
        Ok(Agent {
            id: host.agent.clone(),
            sdk: host.sdk.clone(),
            version: host.version.clone(),
            vocabulary: vocabulary.clone(),
            lacks,
        })
    }

    /// Resumes with the same host, which has all objects up to `received`. Returns `None` if that is impossible.
    pub fn resume(&mut self, now: Time, host: &str, received: u64) -> Option<LinkParameters> {
        let known = self.agent.as_ref().is_some_and(|agent| &*agent.id == host);
        if !known || !self.link.resume(received, WINDOW) {
            return None;
        }
        info!(agent = host, "agent link resumed");
        self.link_up = true;
        self.health.up(true);
        self.down_since = None;
        let numbers: Vec<u64> = self.clients.keys().copied().collect();
        for number in numbers {
            let Some(client) = self.clients.get_mut(&number) else {
                continue;
            };
            if matches!(client.instance_state, InstanceState::New | InstanceState::Live) {
                client.notify_up(true);
                self.flush(now, number);
            }
        }
        Some(LinkParameters::offer(self.link.acknowledgeable(), true))
    }

    /// Starts with another host: the instances of the previous one are lost and are restored.
    pub fn begin(&mut self, now: Time, agent: Agent, instances: Vec<Held>) -> LinkParameters {
        info!(
            agent = &*agent.id,
            sdk = &*agent.sdk,
            version = &*agent.version,
            platform = &**agent.vocabulary.platform(),
            "agent connected"
        );
        for client in self.clients.values_mut() {
            client.notify_missing_calls(&agent.lacks);
            // They are numbers of the previous agent.
            client.unprocessed.clear();
        }
        let first_missing = self.link.received() + 1;
        let before = self.agent.replace(agent);
        self.link.restart(WINDOW);
        let concerned = self.forget(now);
        if before.is_some() {
            warn!(
                first_missing,
                sessions = concerned,
                "previous agent lost; undelivered events dropped"
            );
            self.health.gap(first_missing, concerned);
        }
        self.orphans = instances.into_iter().filter_map(|held| orphan(held, now)).collect();
        self.link_up = true;
        self.health.up(true);
        self.down_since = None;
        let numbers: Vec<u64> = self.clients.keys().copied().collect();
        for number in numbers {
            if self
                .clients
                .get(&number)
                .is_some_and(|client| client.instance_state == InstanceState::New)
            {
                self.flush(now, number);
            }
        }
        LinkParameters::offer(0, false)
    }

    /// Discards all state at the agent; returns the number of affected sessions.
    fn forget(&mut self, now: Time) -> u64 {
        let until = now + self.config.call_wait;
        let mut open: Vec<_> = self.calls.drain().collect();
        open.sort_by_key(|(id, _)| *id);
        for (_, open) in open {
            let Purpose::Session(request) = open.purpose else {
                continue;
            };
            let number = open.client;
            match (self.clients.get_mut(&number), open.call) {
                // A login is safe to repeat, and nothing works without it.
                (Some(client), call @ RtmCall::Login { .. }) => {
                    client.queue.push_front(Queued { request, call, until })
                }
                // The call may have been executed, so it is not repeated.
                (_, call) => {
                    self.health.failed("in flight when the agent was lost");
                    self.fail(number, request, call.kind(), Refusal::TimedOut);
                }
            }
        }
        self.rebuild.clear();
        let mut concerned = 0;
        for (&number, client) in &mut self.clients {
            if client.instance_state == InstanceState::New {
                continue;
            }
            concerned += 1;
            for event in client.replica.lose_invitations() {
                client.notify(UpstreamEvent::Event(event));
            }
            if client.replica.user.is_some() {
                client.instance_state = InstanceState::Lost;
                self.rebuild.push_back((number, now));
            } else {
                client.instance_state = InstanceState::New;
            }
        }
        concerned
    }

    /// Handles the loss of the socket; the agent may still run.
    pub fn lost(&mut self, now: Time) {
        self.link_up = false;
        self.health.up(false);
        self.down_since = Some(now);
        let until = now + self.config.call_wait;
        for open in self.calls.values_mut() {
            open.until = open.until.min(until);
        }
    }
}

/// Parses a held instance. An invalid one is not adopted; the agent closes it later.
fn orphan(held: Held, now: Time) -> Option<((AppId, UserId), AbandonedInstance)> {
    let app = AppId::new(held.app_id).ok()?;
    let user = UserId::new(held.user_id).ok()?;
    let session = held.session_id;
    let until = now + KEEP;
    Some(((app, user), AbandonedInstance { session, until }))
}
