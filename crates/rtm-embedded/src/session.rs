//! Login, logout, and forced ends of a login (rtm-api 3.1, 4).

use rtm::rejection::{Refusal, refusal};
use rtm::value::Text;
use rtm::{ConnectionReason, ConnectionState, LoginErr, LogoutErr, OnlineState, RtmError, RtmEvent, RtmReply, UserId};

use crate::client::{PendingLogin, Phase, Session};
use crate::context::{ClientId, Ctx, ReplyTo};
use crate::limits::LOGIN_TIMEOUT;
use crate::service::RtmService;
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

/// The event of a connection state.
pub fn state_changed(state: ConnectionState, reason: ConnectionReason) -> RtmEvent {
    RtmEvent::ConnectionStateChanged { state, reason }
}

impl RtmService {
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
            let timer = self
                .timers
                .set(ctx.now + LOGIN_TIMEOUT, Timer::LoginTimeout(reply_to.client));
            client.phase = Phase::Connecting(PendingLogin {
                reply_to,
                user,
                token,
                timer,
            });
        }
        Ok(())
    }

    /// Completes a login at the service.
    pub(super) fn log_in(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, user: UserId, token: Option<&str>) {
        let expiry = match token.map_or(Ok(None), |token| token::expiry(token, ctx.now)) {
            Ok(expiry) => expiry,
            Err(bad) => return self.login_failed(ctx, reply_to, ConnectionReason::LoginFailure, bad.into()),
        };
        let before = self.online_state(&user);
        let Some(client) = self.clients.get_mut(reply_to.client) else {
            return;
        };
        client.phase = Phase::In(Box::new(Session::new(user.clone(), expiry)));
        if let Some(older) = self.users.insert(user.clone(), reply_to.client) {
            self.supersede(ctx, older);
        }
        ctx.event(
            reply_to.client,
            state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
        );
        ctx.reply(reply_to, RtmReply::Void);
        self.watch_token(ctx.now, reply_to.client);
        self.presence_changed(ctx, &user, before);
        self.deliver_offline(ctx, reply_to.client);
        self.resume_invitations(ctx, reply_to.client);
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
                self.timers.cancel(pending.timer);
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
            self.timers.cancel(pending.timer);
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
                self.vacate(ctx, older);
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
            self.timers.cancel(timer);
        }
        let was_reachable = session.is_reachable();
        if let Some(outage) = session.outage {
            if let Some(timer) = outage.timer {
                self.timers.cancel(timer);
            }
            for waiting in outage.waiting {
                self.timers.cancel(waiting.timer);
                if login_end != LoginEnd::Close {
                    ctx.fail(waiting.reply_to, refusal(waiting.call.kind(), Refusal::Abandoned));
                }
            }
            for held in outage.held {
                self.acknowledge(ctx, held.sender, false);
            }
        }
        for followed in &session.following {
            self.followers.remove(followed, client);
        }
        self.end_invitations(ctx, client, login_end == LoginEnd::Logout && was_reachable);
        for joined in session.joined {
            self.forget_channel(ctx, joined);
        }
        if self.users.get(&session.user) == Some(&client) {
            self.users.remove(&session.user);
        }
        self.presence_changed(ctx, &session.user, before);
    }

    /// Takes the login out of its instance; returns it with the user's earlier presence.
    fn take_session(&mut self, client: ClientId, login_end: LoginEnd) -> Option<(Box<Session>, OnlineState)> {
        let user = &self.clients.session(client)?.user;
        let before = self.online_state(user);
        let next = match login_end {
            LoginEnd::Abort => Phase::Aborted,
            LoginEnd::Logout | LoginEnd::Close => Phase::Out,
        };
        match std::mem::replace(&mut self.clients.get_mut(client)?.phase, next) {
            Phase::In(session) => Some((session, before)),
            _ => None,
        }
    }
}
