//! Login, logout, and forced ends of a login (rtm-api 3.1, 4).

use rtm::rejection::{Refusal, refusal};
use rtm::value::Text;
use rtm::{
    ConnectionReason, ConnectionState, LoginErr, LogoutErr, OnlineState, RenewTokenErr, RtmError, RtmEvent, RtmReply,
    UserId,
};

use crate::client::{PendingLogin, Phase, Session};
use crate::context::Ctx;
use crate::events::state_changed;
use crate::ids::{ClientId, ReplyTo};
use crate::limits::LOGIN_TIMEOUT;
use crate::outage::Stage;
use crate::service::Coordinator;
use crate::timers::Timer;
use crate::token;

/// The reason for the end of a login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LoginEnd {
    /// By the app: the SDK can still send.
    Logout,
    /// By the service.
    Abort,
    /// The process has ended: there is no receiver for a reply.
    Close,
}

impl Coordinator {
    /// Logs in. An empty token is refused without a state change, as in the C++ SDK; a missing
    /// token is valid.
    pub(super) fn login(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        user: UserId,
        token: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(reply_to.client) else {
            return Ok(());
        };
        if !matches!(client.phase, Phase::Out) {
            return Err(LoginErr::AlreadyLoggedIn.into());
        }
        if token.as_deref() == Some("") {
            return Err(LoginErr::InvalidArgument.into());
        }
        ctx.event(
            reply_to.client,
            state_changed(ConnectionState::Connecting, ConnectionReason::Login),
        );
        if client.link_up {
            self.log_in(ctx, reply_to, user, token.as_deref());
        } else {
            let timer = ctx.set_timer_in(LOGIN_TIMEOUT, Timer::LoginTimeout(reply_to.client));
            client.phase = Phase::Connecting(Box::new(PendingLogin {
                reply_to,
                user,
                token,
                timer,
            }));
        }
        Ok(())
    }

    /// Completes a login at the service.
    pub(super) fn log_in(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, user: UserId, token: Option<&str>) {
        let expiry = match token.map_or(Ok(None), |token| token::expiry(token, ctx.now)) {
            Ok(expiry) => expiry,
            Err(bad) => return self.login_failed(ctx, reply_to, ConnectionReason::LoginFailure, bad.into()),
        };
        let before = self.clients.online_state(&user);
        let Some(client) = self.clients.get_mut(reply_to.client) else {
            return;
        };
        client.phase = Phase::In(Box::new(Session::new(user.clone(), expiry)));
        if let Some(older) = self.clients.set_user(user.clone(), reply_to.client) {
            self.supersede(ctx, older);
        }
        ctx.event(
            reply_to.client,
            state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
        );
        ctx.reply(reply_to, RtmReply::Void);
        self.clients.watch_token(ctx, reply_to.client);
        self.presence.changed(&mut self.clients, ctx, &user, before);
        self.peers.offline.deliver(ctx, &user, reply_to.client);
        self.invitations.resume(&mut self.clients, ctx, reply_to.client);
    }

    pub(super) fn login_timed_out(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        if let Some(Phase::Connecting(pending)) = self.clients.get(client).map(|c| &c.phase) {
            let reply_to = pending.reply_to;
            self.login_failed(ctx, reply_to, ConnectionReason::LoginTimeout, LoginErr::Timeout);
        }
    }

    fn login_failed(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, reason: ConnectionReason, error: LoginErr) {
        if let Some(client) = self.clients.get_mut(reply_to.client) {
            client.phase = Phase::Out;
        }
        ctx.event(reply_to.client, state_changed(ConnectionState::Disconnected, reason));
        ctx.fail(reply_to, error);
    }

    /// Logs out, also over a lost link: the service is notified at once.
    pub(super) fn logout(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(reply_to.client) else {
            return Ok(());
        };
        let logged_out = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
        match &client.phase {
            Phase::Out => return Err(LogoutErr::UserNotLoggedIn.into()),
            Phase::Aborted => {
                client.phase = Phase::Out;
                ctx.event(reply_to.client, logged_out);
                ctx.reply(reply_to, RtmReply::Void);
            }
            Phase::Connecting(pending) => {
                let aborted = pending.reply_to;
                ctx.cancel(pending.timer);
                client.phase = Phase::Out;
                ctx.event(reply_to.client, logged_out);
                ctx.fail(aborted, LoginErr::Unknown);
                ctx.reply(reply_to, RtmReply::Void);
            }
            Phase::In(_) => {
                ctx.event(reply_to.client, logged_out);
                ctx.reply(reply_to, RtmReply::Void);
                self.end_session(ctx, reply_to.client, LoginEnd::Logout);
            }
        }
        Ok(())
    }

    /// Ends the login by the service: ABORTED until the app logs out.
    pub(super) fn abort(&mut self, ctx: &mut Ctx<'_>, client: ClientId, reason: ConnectionReason) {
        ctx.event(client, state_changed(ConnectionState::Aborted, reason));
        self.end_session(ctx, client, LoginEnd::Abort);
    }

    /// Removes an instance.
    pub(super) fn remove(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        if let Some(Phase::Connecting(pending)) = self.clients.get(client).map(|c| &c.phase) {
            ctx.cancel(pending.timer);
        }
        self.end_session(ctx, client, LoginEnd::Close);
        self.clients.remove(client);
    }

    /// Handles another instance's login with the same user id. An instance with a lost link is
    /// aborted at its recovery.
    fn supersede(&mut self, ctx: &mut Ctx<'_>, older: ClientId) {
        match self.clients.session_mut(older) {
            Some(session) if session.outage.is_some() => {
                session.present = false;
                self.channels.vacate(&mut self.clients, ctx, older);
            }
            _ => self.abort(ctx, older, ConnectionReason::RemoteLogin),
        }
    }

    /// Removes all state of a login: pending calls, subscriptions, invitations, memberships,
    /// presence.
    fn end_session(&mut self, ctx: &mut Ctx<'_>, client: ClientId, login_end: LoginEnd) {
        let Some((session, before)) = self.take_session(client, login_end) else {
            return;
        };
        if let Some(timer) = session.token_timer {
            ctx.cancel(timer);
        }
        let was_reachable = session.is_reachable();
        if let Some(outage) = session.outage {
            if let Some(timer) = outage.timer {
                ctx.cancel(timer);
            }
            for waiting in outage.waiting {
                ctx.cancel(waiting.timer);
                if login_end != LoginEnd::Close {
                    ctx.fail(waiting.reply_to, refusal(waiting.call.kind(), Refusal::Abandoned));
                }
            }
            for held in outage.held {
                self.clients.acknowledge(ctx, held.sender, false);
            }
        }
        for followed in &session.following {
            self.presence.remove(followed, client);
        }
        self.invitations.end_all(
            &mut self.clients,
            ctx,
            client,
            login_end == LoginEnd::Logout && was_reachable,
        );
        for joined in session.joined {
            self.channels.forget(&mut self.clients, ctx, &joined);
        }
        self.clients.remove_user(&session.user, client);
        self.presence.changed(&mut self.clients, ctx, &session.user, before);
    }

    /// Takes the login out of its instance; returns it with the user's earlier presence.
    fn take_session(&mut self, client: ClientId, login_end: LoginEnd) -> Option<(Box<Session>, OnlineState)> {
        let user = &self.clients.session(client)?.user;
        let before = self.clients.online_state(user);
        let next = match login_end {
            LoginEnd::Abort => Phase::Aborted,
            LoginEnd::Logout | LoginEnd::Close => Phase::Out,
        };
        match std::mem::replace(&mut self.clients.get_mut(client)?.phase, next) {
            Phase::In(session) => Some((session, before)),
            _ => None,
        }
    }

    /// Replaces the token; takes effect at once, also while the link is lost, because recovery may
    /// need it.
    pub(super) fn renew_token(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, token: &str) -> Result<(), RtmError> {
        let expiry = token::expiry(token, ctx.now).map_err(RenewTokenErr::from)?;
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return Ok(());
        };
        session.expiry = expiry;
        if let Some(outage) = &mut session.outage {
            outage.token_expired = false;
        }
        ctx.reply(reply_to, RtmReply::Void);
        self.clients.watch_token(ctx, reply_to.client);
        self.recover_if_possible(ctx, reply_to.client);
        Ok(())
    }

    /// Handles the timer of the token's warning or expiry.
    pub(super) fn token_timer(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        session.token_timer = None;
        let Some(end) = session.expiry else { return };
        if ctx.now < end {
            session.token_timer = Some(ctx.set_timer(end, Timer::Token(client)));
            ctx.event(client, RtmEvent::TokenPrivilegeWillExpire {});
        } else if let Some(outage) = &mut session.outage {
            outage.token_expired = true;
            if outage.stage >= Stage::Interrupted {
                ctx.event(client, RtmEvent::TokenExpired {});
            }
        } else {
            self.abort(ctx, client, ConnectionReason::TokenExpired);
        }
    }
}
