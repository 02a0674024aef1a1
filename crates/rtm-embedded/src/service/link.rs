//! Loss and recovery of a link (rtm-api 4).

use rtm::{ConnectionReason, ConnectionState, RtmEvent};

use crate::client::Phase;
use crate::context::Ctx;
use crate::events::state_changed;
use crate::ids::ClientId;
use crate::limits::INTERRUPTED_AFTER;
use crate::outage::{Outage, Stage};
use crate::service::Coordinator;
use crate::timers::Timer;

impl Coordinator {
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
                ctx.cancel(pending.timer);
                self.log_in(ctx, pending.reply_to, pending.user, pending.token.as_deref());
            }
            other => found.phase = other,
        }
    }

    /// Ends an outage, unless the link is still down or the token has expired. If another instance
    /// has taken the user id, this instance is aborted now.
    pub(super) fn recover_if_possible(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(found) = self.clients.get(client) else {
            return;
        };
        let Phase::In(session) = &found.phase else { return };
        if !found.link_up || session.outage.as_ref().is_none_or(|o| o.token_expired) {
            return;
        }
        if !session.present && self.clients.of_user(&session.user).is_some() {
            return self.abort(ctx, client, ConnectionReason::RemoteLogin);
        }
        let user = session.user.clone();
        let before = self.clients.online_state(&user);
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let Some(outage) = session.outage.take() else { return };
        let was_present = std::mem::replace(&mut session.present, true);
        self.clients.set_user(user.clone(), client);
        if outage.stage >= Stage::Interrupted {
            ctx.event(
                client,
                state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
            );
        }
        self.presence.changed(&mut self.clients, ctx, &user, before);
        self.channels.rejoin(&mut self.clients, ctx, client);
        self.catch_up(ctx, client, *outage, was_present);
    }

    /// Delivers the data of the outage: signals and peer messages, channel messages, presence,
    /// invitations, own calls.
    fn catch_up(&mut self, ctx: &mut Ctx<'_>, client: ClientId, outage: Outage, was_present: bool) {
        if let Some(timer) = outage.timer {
            ctx.cancel(timer);
        }
        for held in outage.held {
            ctx.event(client, held.event);
            self.clients.acknowledge(ctx, held.sender, true);
        }
        if !was_present && let Some(session) = self.clients.session(client) {
            self.peers.offline.deliver(ctx, &session.user, client);
        }
        self.channels.deliver_missed(&mut self.clients, ctx, client);
        if !outage.presence.is_empty() {
            let status = outage.presence.into_iter().collect();
            ctx.event(client, RtmEvent::PeersOnlineStatusChanged { status });
        }
        self.invitations.resume(&mut self.clients, ctx, client);
        for waiting in outage.waiting {
            self.resume(ctx, waiting);
        }
    }

    pub(super) fn lose_link(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let timer = ctx.set_timer_in(INTERRUPTED_AFTER, Timer::Link(client));
        if let Some(session) = self.clients.session_mut(client) {
            session.outage = Some(Box::new(Outage::new(ctx.now, timer)));
        }
        self.channels.mark_unreachable(&mut self.clients, client);
    }

    /// Starts the next stage.
    pub(super) fn outage_timer(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let (user, present) = (session.user.clone(), session.present);
        let before = session.online_state();
        let Some(outage) = session.outage.as_mut() else { return };
        let Some((stage, _)) = outage.stage.next() else { return };
        outage.stage = stage;
        let since = outage.since;
        outage.timer = stage
            .next()
            .map(|(_, after)| ctx.set_timer(since + after, Timer::Link(client)));
        match stage {
            Stage::Unnoticed => {}
            Stage::Interrupted => {
                let token_expired = outage.token_expired;
                ctx.event(
                    client,
                    state_changed(ConnectionState::Reconnecting, ConnectionReason::Interrupted),
                );
                if token_expired {
                    ctx.event(client, RtmEvent::TokenExpired {});
                }
            }
            // If another instance has taken the user id, the presence is that instance's.
            Stage::Unreachable if present => self.presence.changed(&mut self.clients, ctx, &user, before),
            Stage::Abandoned if present => {
                session.present = false;
                self.clients.remove_user(&user, client);
                self.channels.vacate(&mut self.clients, ctx, client);
                self.presence.changed(&mut self.clients, ctx, &user, before);
            }
            Stage::Unreachable | Stage::Abandoned => {}
        }
    }
}
