//! Webhook events of a session, without duplicates.

use std::sync::Arc;

use crate::webhook::{TraceEvent, User};
use engine::EndReason;
use rtm::value::Text;

use crate::server::Server;

/// Webhook events of one session.
pub struct WebhookEvents {
    server: Arc<Server>,
    user: User,
    logged_in: bool,
    channel: Option<Text>,
}

impl WebhookEvents {
    /// Creates the webhook events of a session before its login.
    pub fn new(server: Arc<Server>, user: User) -> Self {
        Self {
            server,
            user,
            logged_in: false,
            channel: None,
        }
    }

    /// Reports the login, once per session. Later sockets of the same client are not reported.
    pub fn logged_in(&mut self) {
        if !self.logged_in {
            self.logged_in = true;
            self.emit(|user| TraceEvent::LoggedIn { user });
        }
    }

    /// Reports the session's channel.
    pub fn moved(&mut self, channel: Option<Text>) {
        let before = std::mem::replace(&mut self.channel, channel.clone());
        if let Some(channel) = before {
            self.emit(|user| TraceEvent::Left { user, channel });
        }
        if let Some(channel) = channel {
            self.emit(|user| TraceEvent::Joined { user, channel });
        }
    }

    /// Reports an undeliverable message.
    pub fn undelivered(&self, about: Option<Text>, reason: impl Into<Text>) {
        let reason = reason.into();
        self.emit(|user| TraceEvent::Undeliverable { user, about, reason });
    }

    /// Reports the end of the session, unless its login was refused.
    pub fn ended(&mut self, how: Option<EndReason>) {
        if !self.logged_in {
            return;
        }
        self.moved(None);
        self.emit(|user| match how {
            Some(EndReason::LoggedOut) => TraceEvent::LoggedOut { user },
            Some(EndReason::Kicked) => TraceEvent::Kicked { user, banned: false },
            Some(EndReason::Banned) => TraceEvent::Kicked { user, banned: true },
            Some(EndReason::Lost | EndReason::Refused) => TraceEvent::Lost { user, reason: "away" },
            // Cut off by the end of the process or by a full inbox.
            None => TraceEvent::Lost { user, reason: "ended" },
        });
    }

    fn emit(&self, what: impl FnOnce(User) -> TraceEvent) {
        self.server.webhooks.emit_with(|| what(self.user.clone()));
    }
}
