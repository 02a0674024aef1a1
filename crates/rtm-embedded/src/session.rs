//! Login, logout, and the ends of a login that nobody asked for (rtm-api 3.1, 4).

use rtm::value::Text;
use rtm::{ConnectionReason, ConnectionState, LoginErr, LogoutErr, OnlineState, RtmError, RtmEvent, RtmReply, UserId};

use crate::client::{PendingLogin, Phase, Session};
use crate::context::{Ask, ClientId, Step};
use crate::limits::LOGIN_TIMEOUT;
use crate::service::RtmService;
use crate::timers::Timer;
use crate::token;
use rtm::rejection::{Refusal, refusal};

/// How a login ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// By the app: the SDK can still say goodbye.
    Logout,
    /// By the service.
    Abort,
    /// The process is gone: nobody is there to be told.
    Close,
}

/// The event of a connection state.
pub fn state_changed(state: ConnectionState, reason: ConnectionReason) -> RtmEvent {
    RtmEvent::ConnectionStateChanged { state, reason }
}

impl RtmService {
    /// An empty token is refused without a state change, as the C++ SDK does; no token at all is fine.
    pub(super) fn login(
        &mut self,
        step: &mut Step<'_>,
        ask: Ask,
        user: UserId,
        token: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(ask.client) else {
            return Ok(());
        };
        if !matches!(client.phase, Phase::Out) {
            return Err(LoginErr::AlreadyLoggedIn.into());
        }
        if token.as_deref() == Some("") {
            return Err(LoginErr::InvalidArgument.into());
        }
        step.event(
            ask.client,
            state_changed(ConnectionState::Connecting, ConnectionReason::Login),
        );
        if client.wire {
            self.log_in(step, ask, user, token.as_deref());
        } else {
            let timer = self
                .timers
                .set(step.now + LOGIN_TIMEOUT, Timer::LoginTimeout(ask.client));
            client.phase = Phase::Connecting(PendingLogin {
                ask,
                user,
                token,
                timer,
            });
        }
        Ok(())
    }

    /// The login reaches the service.
    pub(super) fn log_in(&mut self, step: &mut Step<'_>, ask: Ask, user: UserId, token: Option<&str>) {
        let expiry = match token.map_or(Ok(None), |token| token::expiry(token, step.now)) {
            Ok(expiry) => expiry,
            Err(bad) => return self.login_failed(step, ask, ConnectionReason::LoginFailure, bad.into()),
        };
        let before = self.online_state(&user);
        let Some(client) = self.clients.get_mut(ask.client) else {
            return;
        };
        client.phase = Phase::In(Box::new(Session::new(user.clone(), expiry)));
        if let Some(older) = self.users.insert(user.clone(), ask.client) {
            self.supersede(step, older);
        }
        step.event(
            ask.client,
            state_changed(ConnectionState::Connected, ConnectionReason::LoginSuccess),
        );
        step.reply(ask, RtmReply::Void);
        self.watch_token(step.now, ask.client);
        self.presence_changed(step, &user, before);
        self.deliver_offline(step, ask.client);
        self.resume_invitations(step, ask.client);
    }

    pub(super) fn login_timed_out(&mut self, step: &mut Step<'_>, client: ClientId) {
        if let Some(Phase::Connecting(pending)) = self.clients.get(client).map(|c| &c.phase) {
            let ask = pending.ask;
            self.login_failed(step, ask, ConnectionReason::LoginTimeout, LoginErr::Timeout);
        }
    }

    fn login_failed(&mut self, step: &mut Step<'_>, ask: Ask, reason: ConnectionReason, error: LoginErr) {
        if let Some(client) = self.clients.get_mut(ask.client) {
            client.phase = Phase::Out;
        }
        step.event(ask.client, state_changed(ConnectionState::Disconnected, reason));
        step.fail(ask, error);
    }

    /// Logs out, also over a lost link: the service learns of it at once.
    pub(super) fn logout(&mut self, step: &mut Step<'_>, ask: Ask) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(ask.client) else {
            return Ok(());
        };
        let logged_out = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
        match &client.phase {
            Phase::Out => return Err(LogoutErr::UserNotLoggedIn.into()),
            Phase::Aborted => {
                client.phase = Phase::Out;
                step.event(ask.client, logged_out);
                step.reply(ask, RtmReply::Void);
            }
            Phase::Connecting(pending) => {
                let aborted = pending.ask;
                self.timers.cancel(pending.timer);
                client.phase = Phase::Out;
                step.event(ask.client, logged_out);
                step.fail(aborted, LoginErr::Unknown);
                step.reply(ask, RtmReply::Void);
            }
            Phase::In(_) => {
                step.event(ask.client, logged_out);
                step.reply(ask, RtmReply::Void);
                self.end_session(step, ask.client, Parting::Logout);
            }
        }
        Ok(())
    }

    /// The service ends the login: ABORTED until the app logs out.
    pub(super) fn abort(&mut self, step: &mut Step<'_>, client: ClientId, reason: ConnectionReason) {
        step.event(client, state_changed(ConnectionState::Aborted, reason));
        self.end_session(step, client, Parting::Abort);
    }

    /// The instance's process is gone.
    pub(super) fn remove(&mut self, step: &mut Step<'_>, client: ClientId) {
        if let Some(Phase::Connecting(pending)) = self.clients.get(client).map(|c| &c.phase) {
            self.timers.cancel(pending.timer);
        }
        self.end_session(step, client, Parting::Close);
        self.clients.remove(client);
    }

    /// Another instance took the user id. An instance whose link is lost learns when the link is back.
    fn supersede(&mut self, step: &mut Step<'_>, older: ClientId) {
        match self.clients.session_mut(older) {
            Some(session) if session.outage.is_some() => {
                session.present = false;
                self.vacate(step, older);
            }
            _ => self.abort(step, older, ConnectionReason::RemoteLogin),
        }
    }

    /// Takes everything of a login away: what waits, subscriptions, invitations, memberships, presence.
    fn end_session(&mut self, step: &mut Step<'_>, client: ClientId, parting: Parting) {
        let Some((session, before)) = self.take_session(client, parting) else {
            return;
        };
        if let Some(timer) = session.token_timer {
            self.timers.cancel(timer);
        }
        let could_speak = session.is_reachable();
        if let Some(outage) = session.outage {
            if let Some(timer) = outage.timer {
                self.timers.cancel(timer);
            }
            for waiting in outage.waiting {
                self.timers.cancel(waiting.timer);
                if parting != Parting::Close {
                    step.fail(waiting.ask, refusal(waiting.call.kind(), Refusal::GivenUp));
                }
            }
            for held in outage.held {
                self.acknowledge(step, held.sender, false);
            }
        }
        for followed in &session.following {
            self.followers.remove(followed, client);
        }
        self.end_invitations(step, client, parting == Parting::Logout && could_speak);
        for joined in session.joined {
            self.forget_channel(step, joined);
        }
        if self.users.get(&session.user) == Some(&client) {
            self.users.remove(&session.user);
        }
        self.presence_changed(step, &session.user, before);
    }

    /// The login, taken out of its instance, and the user's presence until now.
    fn take_session(&mut self, client: ClientId, parting: Parting) -> Option<(Box<Session>, OnlineState)> {
        let user = &self.clients.session(client)?.user;
        let before = self.online_state(user);
        let next = match parting {
            Parting::Abort => Phase::Aborted,
            Parting::Logout | Parting::Close => Phase::Out,
        };
        match std::mem::replace(&mut self.clients.get_mut(client)?.phase, next) {
            Phase::In(session) => Some((session, before)),
            _ => None,
        }
    }
}
