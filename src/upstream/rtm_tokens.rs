//! RTM tokens for the configured apps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tracing::error;

use crate::config::{Config, RtmToken, UpstreamKind};
use agent_link::driver::{Minted, Tokens};
use identity::access_token::{Kind, TokenMinter};
use rtm::AppId;
use rtm::UserId;
use rtm::time::Time;
use runtime::clock::Clock;

use crate::start_error::StartError;

/// Token lifetime in seconds. Renewal starts at half of it, so an agent may be disconnected for an hour.
const LIFETIME: u32 = 2 * 3600;

/// Token issuers by app. Expiry follows the wall clock at issue; renewal follows a monotonic timer.
pub struct AppTokens {
    minters: ArcSwap<HashMap<AppId, TokenMinter>>,
    clock: Clock,
}

impl AppTokens {
    /// Creates the issuers for all apps with an agent and a certificate.
    ///
    /// # Errors
    /// An App ID or certificate that RTM cannot have.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, StartError> {
        Ok(Self {
            minters: ArcSwap::from_pointee(minters(config)?),
            clock,
        })
    }

    /// Uses the certificates of another config.
    ///
    /// # Errors
    /// As of [`new`](Self::new); then nothing changes.
    pub fn replace(&self, config: &Config) -> Result<(), StartError> {
        self.minters.store(Arc::new(minters(config)?));
        Ok(())
    }
}

/// Creates the issuers for all apps with an agent and a certificate; `None` if there are none.
///
/// # Errors
/// An App ID or certificate that RTM cannot have.
pub fn tokens(config: &Config, clock: Clock) -> Result<Option<AppTokens>, StartError> {
    let tokens = AppTokens::new(config, clock)?;
    let is_empty = tokens.minters.load().is_empty();
    Ok((!is_empty).then_some(tokens))
}

fn minters(config: &Config) -> Result<HashMap<AppId, TokenMinter>, StartError> {
    let mut minters = HashMap::new();
    let kind = match config.upstream.rtm_token {
        RtmToken::V006 => Kind::V006,
        RtmToken::V007 => Kind::V007,
        RtmToken::None => return Ok(minters),
    };
    let mut policies = vec![&config.auth];
    if !config.apps.is_empty() {
        policies = config.apps.iter().map(|app| &app.auth).collect();
    }
    for policy in policies {
        let (Some(app), Some(certificate)) = (&policy.app_id, &policy.certificate) else {
            continue;
        };
        if config.upstream_of(app) == UpstreamKind::Agent {
            minters.insert(app.clone(), minter(kind, app, certificate)?);
        }
    }
    Ok(minters)
}

fn minter(kind: Kind, app: &AppId, certificate: &SecretString) -> Result<TokenMinter, StartError> {
    TokenMinter::new(kind, app.clone(), certificate.clone(), LIFETIME).map_err(|source| StartError::Token {
        app: app.clone(),
        source,
    })
}

impl Tokens for AppTokens {
    fn mint(&self, app: &AppId, user: &UserId, now: Time) -> Option<Minted> {
        let wall = self.clock.wall().as_secs();
        let minted = self.minters.load().get(app)?.mint(user, wall);
        let minted = minted.inspect_err(|error| error!(%error, "cannot create an RTM token"));
        let minted = minted.ok()?;
        Some(Minted {
            token: minted.token,
            renew_at: now + Duration::from_secs(minted.renew_at.saturating_sub(wall)),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use identity::access_token::{Expected, parse};

    const APP: &str = "970CA35de60c44645bbae8a215061b33";
    const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

    fn config(app: &str, upstream: UpstreamKind, rtm_token: RtmToken) -> Config {
        let mut config = Config::default();
        config.auth.app_id = AppId::new(app).ok();
        config.auth.certificate = Some(CERTIFICATE.into());
        config.upstream.kind = upstream;
        config.upstream.rtm_token = rtm_token;
        config
    }

    #[test]
    fn tokens_are_those_of_the_app() {
        // The wall clock was set by years since the start: token times follow it, timers do not.
        let (clock, now) = (Clock::start(), Time::from_millis(1_000_000));
        let wall = clock.wall().as_secs();
        let (app, other) = (AppId::new(APP).unwrap(), AppId::new("other").unwrap());
        let user = UserId::new("alice").unwrap();
        for kind in [RtmToken::V006, RtmToken::V007] {
            let tokens = tokens(&config(APP, UpstreamKind::Agent, kind), clock).unwrap().unwrap();
            let minted = tokens.mint(&app, &user, now).unwrap();
            assert_eq!(minted.renew_at.as_secs(), now.as_secs() + 3600);
            let expected = Expected {
                app_id: Some(APP),
                account: Some("alice"),
                certificate: Some(&CERTIFICATE.into()),
                now: wall + 7199,
            };
            assert_eq!(parse(minted.token.expose_secret(), expected).unwrap().problem, None);
            assert!(tokens.mint(&other, &user, now).is_none());
        }
    }

    #[test]
    fn only_agents_need_them() {
        let check = |config: &Config, expected: Result<bool, ()>| {
            let found = tokens(config, Clock::start())
                .map(|tokens| tokens.is_some())
                .map_err(|_| ());
            assert_eq!(found, expected, "{config:?}");
        };
        check(&config(APP, UpstreamKind::Embedded, RtmToken::V006), Ok(false));
        check(&config(APP, UpstreamKind::Agent, RtmToken::None), Ok(false));
        check(&config("short", UpstreamKind::Embedded, RtmToken::V006), Ok(false));
        check(&config("short", UpstreamKind::Agent, RtmToken::V006), Err(()));
    }
}
