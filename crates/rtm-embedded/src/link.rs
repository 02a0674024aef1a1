//! Loss and recovery of a link (rtm-api 4).

use rtm::{ConnectionReason, ConnectionState, RtmEvent};

use crate::client::{Outage, Phase, Stage};
use crate::context::{ClientId, Ctx};
use crate::service::RtmService;
use crate::session::state_changed;

impl RtmService {
    pub(super) fn set_link(&mut self, ctx: &mut Ctx<'_>, client: ClientId, up: bool) {
        let Some(found) = self.clients.get_mut(client).filter(|c| c.link_up != up) else {
            return;
        };
        found.link_up = up;
        match &found.phase {
            Phase::In(_) if up => self.recover_if_possible(ctx, client),
            Phase::In(session) if session.is_reachable() => self.lose_link(ctx, client),
            Phase::Connecting(_) if up => self.connect(ctx, client),
            _ => {}
        }
    }

    /// Completes a login that waited for the link.
    fn connect(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(found) = self.clients.get_mut(client) else {
            return;
        };
        // Disconnected until `log_in` decides.
        match std::mem::replace(&mut found.phase, Phase::Out) {
            Phase::Connecting(pending) => {
                self.timers.cancel(pending.timer);
                self.log_in(ctx, pending.reply_to, pending.user, pending.token.as_deref());
            }
            other => found.phase = other,
        }
    }

    /// Ends an outage, unless the link is still down or the token has expired. If another instance
    /// has taken the user id, this instance is aborted now.
    pub(super) fn recover_if_possible(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(found) = self.clients.get_mut(client) else {
            return;
        };
        let Phase::In(session) = &mut found.phase else { return };
        if !found.link_up || session.outage.as_ref().is_none_or(|o| o.token_expired) {
            return;
        }
        if !session.present && self.users.contains_key(&session.user) {
            return self.abort(ctx, client, ConnectionReason::RemoteLogin);
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
            ctx.event(
                client,
                state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
            );
        }
        self.presence_changed(ctx, &user, before);
        self.rejoin(ctx, client);
        self.catch_up(ctx, client, *outage, was_present);
    }

    /// Delivers the data of the outage: signals and peer messages, channel messages, presence,
    /// invitations, own calls.
    fn catch_up(&mut self, ctx: &mut Ctx<'_>, client: ClientId, outage: Outage, was_present: bool) {
        if let Some(timer) = outage.timer {
            self.timers.cancel(timer);
        }
        for held in outage.held {
            ctx.event(client, held.event);
            self.acknowledge(ctx, held.sender, true);
        }
        if !was_present {
            self.deliver_offline(ctx, client);
        }
        self.deliver_missed(ctx, client);
        if !outage.presence.is_empty() {
            let status = outage.presence.into_iter().collect();
            ctx.event(client, RtmEvent::PeersOnlineStatusChanged { status });
        }
        self.resume_invitations(ctx, client);
        for waiting in outage.waiting {
            self.resume(ctx, waiting);
        }
    }
}
