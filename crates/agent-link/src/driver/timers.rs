//! Timers: call timeouts, login retries, token renewal, agent loss.

use std::time::Duration;

use secrecy::ExposeSecret;
use tracing::warn;

use crate::frame::Body;
use crate::vocabulary::Vocabulary;
use rtm::RtmCall;
use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;

use crate::driver::driver_state::{DriverState, OpenCall, Purpose};

/// Retry delay of a failed token renewal.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

impl DriverState {
    /// Handles due timers. Call it every few hundred milliseconds, and every 20 ms during a restore.
    pub fn sweep(&mut self, now: Time) {
        self.notify_down(now);
        self.give_up(now);
        self.orphans.retain(|_, orphan| orphan.until > now);
        self.start_restores(now);
        let due: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| client.renew_at.is_some_and(|at| at <= now))
            .map(|(number, _)| *number)
            .collect();
        due.into_iter().for_each(|number| self.renew(now, number));
    }

    /// Returns true while sessions wait for a restore.
    pub fn is_restoring(&self) -> bool {
        self.link_up && !self.rebuild.is_empty()
    }

    /// RTM's SDKs report RECONNECTING after 4 s without a link; so does this driver.
    fn notify_down(&mut self, now: Time) {
        if self
            .down_since
            .is_some_and(|since| now.since(since) >= self.config.lost_after)
        {
            self.down_since = None;
            warn!(sessions = self.clients.len(), "agent lost; RTM is unreachable");
            for client in self.clients.values_mut().filter(|client| client.replica.user.is_some()) {
                client.notify_up(false);
            }
        }
    }

    fn give_up(&mut self, now: Time) {
        let late = self.calls.extract_if(|_, open| open.until <= now);
        let mut late: Vec<(u64, OpenCall)> = late.collect();
        late.sort_by_key(|(id, _)| *id);
        for (_, open) in late {
            self.health.failed("not answered in time");
            let error = refusal(open.call.kind(), Refusal::TimedOut);
            self.answered(now, open, Err(error));
        }
        let mut waited = Vec::new();
        for (&number, client) in &mut self.clients {
            while client.queue.front().is_some_and(|queued| queued.until <= now) {
                waited.extend(client.queue.pop_front().map(|queued| (number, queued)));
            }
        }
        for (number, queued) in waited {
            self.health.failed("no agent in time");
            self.fail(number, queued.request, queued.call.kind(), Refusal::TimedOut);
        }
    }

    /// Renews a token.
    pub(super) fn renew(&mut self, now: Time, number: u64) {
        let Some((tokens, agent)) = self.tokens.clone().zip(self.agent.as_ref()) else {
            return;
        };
        let (vocabulary, up) = (agent.vocabulary.clone(), self.link_up);
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        let Some(user) = client.replica.user.clone() else {
            client.renew_at = None;
            return;
        };
        client.renew_at = Some(now + RENEW_AGAIN);
        let Some(minted) = tokens.mint(&client.app, &user, now).filter(|_| up) else {
            return;
        };
        client.renew_at = Some(minted.renew_at);
        let secret = RtmCall::RenewToken {
            token: minted.token.expose_secret().into(),
        };
        let params = Vocabulary::call_params(&client.session, &secret);
        let id = self.next_id();
        let method = vocabulary.call_name(secret.kind()).clone();
        self.link.send(Body::Request { id, method, params });
        let open = OpenCall {
            client: number,
            purpose: Purpose::Renew,
            call: RtmCall::RenewToken { token: "".into() },
            until: now + self.config.call_timeout,
        };
        self.calls.insert(id, open);
    }
}
