//! Loss and recovery of a link (rtm-api 4).

use rtm::{ConnectionReason, ConnectionState, RtmEvent};

use crate::client::{Outage, Phase, Stage};
use crate::context::{ClientId, Step};
use crate::service::RtmService;
use crate::session::state_changed;

impl RtmService {
    pub(super) fn set_link(&mut self, step: &mut Step<'_>, client: ClientId, up: bool) {
        let Some(found) = self.clients.get_mut(client).filter(|c| c.wire != up) else {
            return;
        };
        found.wire = up;
        match &found.phase {
            Phase::In(_) if up => self.recover_if_possible(step, client),
            Phase::In(session) if session.is_reachable() => self.lose_link(step, client),
            Phase::Connecting(_) if up => self.connect(step, client),
            _ => {}
        }
    }

    /// Completes a login that waited for the link.
    fn connect(&mut self, step: &mut Step<'_>, client: ClientId) {
        let Some(found) = self.clients.get_mut(client) else {
            return;
        };
        // Disconnected until `log_in` decides.
        match std::mem::replace(&mut found.phase, Phase::Out) {
            Phase::Connecting(pending) => {
                self.timers.cancel(pending.timer);
                self.log_in(step, pending.ask, pending.user, pending.token.as_deref());
            }
            other => found.phase = other,
        }
    }

    /// Ends an outage, unless the link is still down or the token has expired. If another instance
    /// has taken the user id, this instance is aborted now.
    pub(super) fn recover_if_possible(&mut self, step: &mut Step<'_>, client: ClientId) {
        let Some(found) = self.clients.get_mut(client) else {
            return;
        };
        let Phase::In(session) = &mut found.phase else { return };
        if !found.wire || session.outage.as_ref().is_none_or(|o| o.token_dead) {
            return;
        }
        if !session.present && self.users.contains_key(&session.user) {
            return self.abort(step, client, ConnectionReason::RemoteLogin);
        }
        let user = session.user.clone();
        let before = self.online_state(&user);
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let Some(outage) = session.outage.take() else { return };
        let was_present = std::mem::replace(&mut session.present, true);
        self.users.insert(user.clone(), client);
        if outage.stage >= Stage::Interrupted {
            step.event(
                client,
                state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
            );
        }
        self.presence_changed(step, &user, before);
        self.rejoin(step, client);
        self.catch_up(step, client, *outage, was_present);
    }

    /// Delivers the data of the outage: signals and peer messages, channel messages, presence,
    /// invitations, own calls.
    fn catch_up(&mut self, step: &mut Step<'_>, client: ClientId, outage: Outage, was_present: bool) {
        if let Some(timer) = outage.timer {
            self.timers.cancel(timer);
        }
        for held in outage.held {
            step.event(client, held.event);
            self.acknowledge(step, held.sender, true);
        }
        if !was_present {
            self.deliver_offline(step, client);
        }
        self.deliver_missed(step, client);
        if !outage.presence.is_empty() {
            let status = outage.presence.into_iter().collect();
            step.event(client, RtmEvent::PeersOnlineStatusChanged { status });
        }
        self.resume_invitations(step, client);
        for waiting in outage.waiting {
            self.resume(step, waiting);
        }
    }
}
