//! Restore of sessions after an agent loss: login, subscriptions, attributes, channels.

use std::time::Duration;

use tracing::{debug, info, warn};

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Value;
use rtm::{JoinChannelErr, LoginErr, RtmCall, RtmError, RtmReply};
use runtime::log_limit::{Bound, Cause, admits};

use crate::driver::client::{InstanceState, Lists};
use crate::driver::driver_state::{DriverState, Purpose};

/// Retry delay after a refused login; after too many logins, it is [`TOO_OFTEN`].
const REFUSED: Duration = Duration::from_secs(5);
const TOO_OFTEN: Duration = Duration::from_secs(1);

impl DriverState {
    /// Starts due restores, at most `[upstream] login_rate` per second.
    pub(super) fn start_restores(&mut self, now: Time) {
        let pause = Duration::from_millis(1000 / u64::from(self.config.login_rate.max(1)));
        self.next_login = self.next_login.max(now);
        let mut looked_at = self.rebuild.len();
        while self.link_up && self.next_login <= now && looked_at > 0 {
            looked_at -= 1;
            let Some((number, not_before)) = self.rebuild.pop_front() else {
                return;
            };
            if not_before > now {
                self.rebuild.push_back((number, not_before));
                continue;
            }
            if self.begin_rebuild(now, number) {
                self.next_login = self.next_login + pause;
            }
        }
    }

    fn begin_rebuild(&mut self, now: Time, number: u64) -> bool {
        let Some(client) = self.clients.get_mut(&number) else {
            return false;
        };
        client.plan = client.replica.plan();
        if client.instance_state == InstanceState::Lost {
            client.instance_state = InstanceState::Rebuilding;
            let (session, app) = (client.session.clone(), Value::text(client.app.as_str()));
            self.own_request("createInstance", &session, vec![("appId", app)]);
        }
        self.next_step(now, number);
        true
    }

    fn next_step(&mut self, now: Time, number: u64) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        if let Some(call) = client.plan.pop_front() {
            return self.send_call(now, number, Purpose::Rebuild, call);
        }
        if client.lists == Lists::Comparing {
            client.lists = Lists::True;
            return;
        }
        debug!(session = &*client.session, "session restored");
        client.instance_state = InstanceState::Live;
        client.lists = Lists::Old;
        client.notify_up(true);
        self.flush(now, number);
        self.compare_lists(now);
    }

    /// Compares the member lists after all sessions are restored, to report members who left.
    fn compare_lists(&mut self, now: Time) {
        let building = |instance_state| matches!(instance_state, InstanceState::Lost | InstanceState::Rebuilding);
        if self.clients.values().any(|client| building(client.instance_state)) {
            return;
        }
        info!("all sessions restored");
        let old = self.clients.iter_mut().filter(|(_, client)| client.lists == Lists::Old);
        let mut asking = Vec::new();
        for (number, client) in old {
            client.lists = Lists::Comparing;
            client.plan = client.replica.listed();
            asking.push(*number);
        }
        asking.into_iter().for_each(|number| self.next_step(now, number));
    }

    /// Handles the result of a restore step.
    pub(super) fn restore_step_done(
        &mut self,
        now: Time,
        number: u64,
        call: RtmCall,
        result: Result<RtmReply, RtmError>,
    ) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        match (call, result) {
            (RtmCall::Login { .. }, Err(error)) if error != LoginErr::AlreadyLoggedIn.into() => {
                let often = error == LoginErr::TooOften.into();
                let wait = if often { TOO_OFTEN } else { REFUSED };
                if admits("failed restore logins", Bound::EVENT, Cause::from(&client.session)) {
                    warn!(session = &*client.session, %error, "restore login failed; retrying");
                }
                client.plan.clear();
                client.notify_up(often);
                return self.rebuild.push_back((number, now + wait));
            }
            (RtmCall::GetMembers { channel_id }, Ok(RtmReply::UserIds(list))) => {
                for event in client.replica.compare(&channel_id, &list) {
                    client.notify(UpstreamEvent::Event(event));
                }
            }
            (RtmCall::Join { .. }, Err(error)) if is_joined(error) => {}
            (call, Err(error)) => {
                if admits("failed restores", Bound::EVENT, Cause::from(&client.session)) {
                    warn!(session = &*client.session, call = call.kind().name(), %error, "restore step failed");
                }
                self.health.failed("not restored");
            }
            _ => {}
        }
        self.next_step(now, number);
    }
}

fn is_joined(error: RtmError) -> bool {
    let joined = [
        JoinChannelErr::AlreadyJoined,
        JoinChannelErr::AlreadyJoinedChannelOfSameId,
    ];
    joined.into_iter().any(|already| error == already.into())
}
