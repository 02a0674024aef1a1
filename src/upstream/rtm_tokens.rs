//! Tokens of RTM for the apps of the config.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tracing::error;

use crate::config::{Config, RtmToken, UpstreamKind};
use agent_link::driver::{Minted, Tokens};
use identity::access_token::{Kind, TokenMinter};
use rtm::AppId;
use rtm::UserId;
use rtm::time::Time;
use runtime::clock::Clock;

use crate::startup::StartError;

/// How long a token is good for, seconds. A new one is made when half of it is over, so an agent may be away for an hour.
const LIFETIME: u32 = 2 * 3600;

/// Minters by app. A token ends by the wall clock as it is then, and is renewed by a timer, which no clock that is set moves.
struct AppTokens {
    minters: HashMap<AppId, TokenMinter>,
    clock: Clock,
}

/// Those of all apps whose RTM is at an agent and whose certificate is known; none where there are none.
///
/// # Errors
/// An app id or a certificate that RTM does not have.
pub fn tokens(config: &Config, clock: Clock) -> Result<Option<Arc<dyn Tokens>>, StartError> {
    let kind = match config.upstream.rtm_token {
        RtmToken::V006 => Kind::V006,
        RtmToken::V007 => Kind::V007,
        RtmToken::None => return Ok(None),
    };
    let mut policies = vec![&config.auth];
    if !config.apps.is_empty() {
        policies = config.apps.iter().map(|app| &app.auth).collect();
    }
    let mut minters = HashMap::new();
    for policy in policies {
        let (Some(app), Some(certificate)) = (&policy.app_id, &policy.certificate) else {
            continue;
        };
        if config.upstream_of(app) == UpstreamKind::Agent {
            minters.insert(app.clone(), minter(kind, app, certificate)?);
        }
    }
    Ok((!minters.is_empty()).then(|| Arc::new(AppTokens { minters, clock }) as Arc<dyn Tokens>))
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
        let minted = self.minters.get(app)?.mint(user, wall);
        let minted = minted.inspect_err(|error| error!(%error, "no token could be made for RTM"));
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
        // The wall clock was set by years since the start: tokens are of its time, timers are not.
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
