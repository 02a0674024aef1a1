//! Tokens: a text of the form `expires:<unix seconds>` ends a login like an AccessToken2 (rtm-api
//! 4). Any other token never expires, because the service does not have the app id's certificate.

use rtm::time::Time;
use rtm::{ConnectionReason, LoginErr, RenewTokenErr, RtmError, RtmEvent, RtmReply};

use crate::client::Stage;
use crate::context::{ClientId, Ctx, ReplyTo};
use crate::limits::TOKEN_WARNING;
use crate::service::RtmService;
use crate::timers::Timer;

const PREFIX: &str = "expires:";

/// The end of a login; `None` without an expiring token.
pub type Expiry = Option<Time>;

/// The reason why a token is invalid.
pub enum BadToken {
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

/// Reads the expiry of a token.
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
    /// Replaces the token; takes effect at once, also while the link is lost, because recovery may
    /// need it.
    pub(super) fn renew_token(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, token: &str) -> Result<(), RtmError> {
        let expiry = expiry(token, ctx.now).map_err(RenewTokenErr::from)?;
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return Ok(());
        };
        session.expiry = expiry;
        if let Some(outage) = &mut session.outage {
            outage.token_expired = false;
        }
        ctx.reply(reply_to, RtmReply::Void);
        self.watch_token(ctx.now, reply_to.client);
        self.recover_if_possible(ctx, reply_to.client);
        Ok(())
    }

    /// Sets the timer of the token's warning, or of its expiry after the warning.
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

    /// Handles the timer of the token's warning or expiry.
    pub(super) fn token_timer(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        session.token_timer = None;
        let Some(end) = session.expiry else { return };
        if ctx.now < end {
            session.token_timer = Some(self.timers.set(end, Timer::Token(client)));
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
