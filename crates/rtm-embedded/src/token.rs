//! Tokens: a text of the form `expires:<unix seconds>` ends a login as an AccessToken2 would (rtm-api 4); any other
//! token is good for ever, because an app id's secret is nobody's to know here.

use rtm::time::Time;
use rtm::{ConnectionReason, LoginErr, RenewTokenErr, RtmError, RtmEvent, RtmReply};

use crate::client::Stage;
use crate::context::{Ask, ClientId, Step};
use crate::limits::TOKEN_WARNING;
use crate::service::RtmService;
use crate::timers::Timer;

const PREFIX: &str = "expires:";

/// When a login ends; never without a token that says so.
pub type Expiry = Option<Time>;

/// Why a token is no good.
pub enum BadToken {
    /// No text.
    Empty,
    /// Its time is no number.
    Invalid,
    /// Its time is over.
    Expired,
}

impl From<BadToken> for LoginErr {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Empty => Self::InvalidArgument,
            BadToken::Invalid => Self::InvalidToken,
            BadToken::Expired => Self::TokenExpired,
        }
    }
}

impl From<BadToken> for RenewTokenErr {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Empty => Self::InvalidArgument,
            BadToken::Invalid => Self::InvalidToken,
            BadToken::Expired => Self::TokenExpired,
        }
    }
}

/// Reads a token.
///
/// # Errors
/// [`BadToken`].
pub fn expiry(token: &str, now: Time) -> Result<Expiry, BadToken> {
    if token.is_empty() {
        return Err(BadToken::Empty);
    }
    let Some(secs) = token.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let secs: u64 = secs.parse().map_err(|_| BadToken::Invalid)?;
    let at = Time::from_millis(secs.saturating_mul(1000));
    if at <= now {
        Err(BadToken::Expired)
    } else {
        Ok(Some(at))
    }
}

impl RtmService {
    /// Replaces the token; takes effect at once, also while the link is lost, because recovery may need it.
    pub(super) fn renew_token(&mut self, step: &mut Step<'_>, ask: Ask, token: &str) -> Result<(), RtmError> {
        let expiry = expiry(token, step.now).map_err(RenewTokenErr::from)?;
        let Some(session) = self.clients.session_mut(ask.client) else {
            return Ok(());
        };
        session.expiry = expiry;
        if let Some(outage) = &mut session.outage {
            outage.token_dead = false;
        }
        step.reply(ask, RtmReply::Void);
        self.watch_token(step.now, ask.client);
        self.recover_if_possible(step, ask.client);
        Ok(())
    }

    /// Sets the timer of the token's warning, or of its end when the warning's time is past.
    pub(super) fn watch_token(&mut self, now: Time, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        if let Some(timer) = session.token_timer.take() {
            self.timers.cancel(timer);
        }
        session.token_timer = session.expiry.map(|end| {
            let warning = Time::from_millis(end.as_millis().saturating_sub(TOKEN_WARNING.as_millis() as u64));
            self.timers.set(warning.max(now), Timer::Token(client))
        });
    }

    /// The token's warning is due, or its end.
    pub(super) fn token_due(&mut self, step: &mut Step<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        session.token_timer = None;
        let Some(end) = session.expiry else { return };
        if step.now < end {
            session.token_timer = Some(self.timers.set(end, Timer::Token(client)));
            step.event(client, RtmEvent::TokenPrivilegeWillExpire {});
        } else if let Some(outage) = &mut session.outage {
            outage.token_dead = true;
            if outage.stage >= Stage::Interrupted {
                step.event(client, RtmEvent::TokenExpired {});
            }
        } else {
            self.abort(step, client, ConnectionReason::TokenExpired);
        }
    }
}
