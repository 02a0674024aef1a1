//! What webhooks are told about a session, each thing once.

use std::sync::Arc;

use crate::bridge::Ending;
use crate::value::Text;
use crate::webhook::{Happening, User};

use super::server::Server;

/// Tells of one session.
pub struct Teller {
    server: Arc<Server>,
    user: User,
    logged_in: bool,
    channel: Option<Text>,
}

impl Teller {
    /// Of a session that has not logged in.
    pub fn new(server: Arc<Server>, user: User) -> Self {
        Self {
            server,
            user,
            logged_in: false,
            channel: None,
        }
    }

    /// A login was answered; a second socket of the same client, or its return, is no other.
    pub fn logged_in(&mut self) {
        if !self.logged_in {
            self.logged_in = true;
            self.tell(|user| Happening::LoggedIn { user });
        }
    }

    /// The session is in that channel now.
    pub fn moved(&mut self, channel: Option<Text>) {
        let before = std::mem::replace(&mut self.channel, channel.clone());
        if let Some(channel) = before {
            self.tell(|user| Happening::Left { user, channel });
        }
        if let Some(channel) = channel {
            self.tell(|user| Happening::Joined { user, channel });
        }
    }

    /// A message reaches nobody.
    pub fn undelivered(&self, about: Option<Text>, reason: impl Into<Text>) {
        let reason = reason.into();
        self.tell(|user| Happening::Undeliverable { user, about, reason });
    }

    /// The session is over; a login that was refused was none.
    pub fn ended(&mut self, how: Option<Ending>) {
        if !self.logged_in {
            return;
        }
        self.moved(None);
        self.tell(|user| match how {
            Some(Ending::LoggedOut) => Happening::LoggedOut { user },
            Some(Ending::Kicked) => Happening::Kicked { user, banned: false },
            Some(Ending::Banned) => Happening::Kicked { user, banned: true },
            Some(Ending::Lost | Ending::Refused) => Happening::Lost { user, reason: "away" },
            // Cut off: by the end of the process, or since it could not keep up.
            None => Happening::Lost { user, reason: "ended" },
        });
    }

    fn tell(&self, what: impl FnOnce(User) -> Happening) {
        self.server.webhooks.tell_with(|| what(self.user.clone()));
    }
}
