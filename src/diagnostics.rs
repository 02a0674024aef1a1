//! Connectivity diagnosis of RTM, step by step, based on the SDK's own answers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::config::UpstreamKind;
use identity::codec;
use rtm::AppId;
use rtm::upstream::{ClientKey, Upstream, UpstreamEvent};
use rtm::{LoginErr, LogoutErr, Message, RtmCall, RtmError, RtmEvent, RtmReply, UserId};

use crate::server::Server;
use crate::upstream::rtm_tokens::tokens;
use agent_link::driver::Tokens as _;
use rtm_redis::{RedisFailure, RedisUpstream};

/// Longer than any of RTM's time limits: a login fails after 12 s (rtm-api 9).
const PATIENCE: Duration = Duration::from_secs(16);
/// RTM users of the diagnosis; not accounts of legacy clients.
const USERS: [&str; 2] = ["sigbridge-doctor-1", "sigbridge-doctor-2"];
const GREETING: &str = "sigbridge doctor";

/// Result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub step: String,
    pub ok: bool,
    /// Result text: the SDK's answer, if any.
    pub found: String,
    /// Suggested action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Diagnoses an app's connectivity to RTM; stops at the first failed step.
pub async fn examine(server: &Arc<Server>, app: &AppId) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |step: &str, result: Result<String, (String, &str)>| {
        let ok = result.is_ok();
        let (found, hint) = match result {
            Ok(found) => (found, None),
            Err((found, hint)) => (found, Some(hint.to_owned())),
        };
        let step = step.to_owned();
        findings.push(Finding { step, ok, found, hint });
        ok
    };
    let config = server.config();
    if config.auth_of(app).is_none() {
        let hint = "pass the ID of an [[app]] with --app";
        note("app", Err((format!("app {} is not configured", app.as_str()), hint)));
        return findings;
    }
    if config.upstream_of(app) == UpstreamKind::Agent {
        let status = server.driver.as_ref().map(|driver| driver.status());
        let Some(status) = status.filter(|status| status.up) else {
            let hint = "start an agent: `sigbridge agent web`, or `sigbridge agent embedded` for a test; see its log for connection errors";
            let found = format!("no agent is connected to {}", config.upstream.agent.listen);
            note("link", Err((found, hint)));
            return findings;
        };
        note("link", Ok(format!("agent connected, {} sessions", status.sessions)));
        let (sdk, version) = status.sdk.unwrap_or_default();
        let platform = status.platform.unwrap_or_default();
        note("hello", Ok(format!("{sdk} {version}, platform {platform}")));
    } else if let (UpstreamKind::Redis, Some(redis)) = (config.upstream_of(app), &server.redis) {
        for (step, result) in redis_steps(redis, app).await {
            if !note(step, result) {
                return findings;
            }
        }
    } else {
        note("link", Ok("not needed: the embedded RTM runs in this process".into()));
    }
    let mut one = Probe::new(&server.upstream, app);
    // With Redis the second user is at a second sidecar, so that the message crosses.
    let second = server
        .redis
        .as_ref()
        .filter(|_| config.upstream_of(app) == UpstreamKind::Redis);
    let second = second.and_then(|redis| redis.second_sidecar().ok());
    let (far, _end) = match second {
        Some((far, end)) => (far as Arc<dyn Upstream>, Some(end.drop_guard())),
        None => (server.upstream.clone(), None),
    };
    // Every SDK reports by itself that no user is logged in, so the reply proves that it runs.
    let loaded = match one.call(RtmCall::Logout {}).await {
        Some(Err(error)) if error == LogoutErr::UserNotLoggedIn.into() => Ok(format!("answered: {error}")),
        Some(Ok(_)) => Ok("answered".into()),
        Some(Err(error)) => Err((format!("logout before a login: {error}"), "see the agent's log")),
        None => Err(("no answer to the first call".into(), "see the agent's log")),
    };
    if !note("sdk", loaded) {
        return findings;
    }
    let Some(names) = names() else { return findings };
    note("token", Ok(token(server, app, &names[0])));
    let mut users = Vec::new();
    for (name, mut probe) in names.iter().zip([one, Probe::new(&far, app)]) {
        let uid = name.clone();
        let login = probe.call(RtmCall::Login { uid, token: None }).await;
        if !note(
            "login",
            outcome(login, |_| format!("{} logged in", name.as_str()), hint_of),
        ) {
            return findings;
        }
        users.push(probe);
    }
    let [one, two] = &mut users[..] else { return findings };
    let peer_id = names[1].clone();
    let message = Message::Text(GREETING.into());
    let sent = one.call(RtmCall::SendMessageToPeer { peer_id, message }).await;
    let sent = match sent {
        Some(Ok(RtmReply::HasPeerReceived(true))) if two.has_received().await => {
            Ok(format!("delivered to {} from {}", names[1].as_str(), names[0].as_str()))
        }
        Some(Ok(reply)) => Err((
            format!("{reply:?}, but no message arrived"),
            "retry: presence may be delayed",
        )),
        other => outcome(other, |_| String::new(), hint_of),
    };
    note("message", sent);
    let ended = one.call(RtmCall::Logout {}).await;
    two.call(RtmCall::Logout {}).await;
    note("logout", outcome(ended, |_| "both users logged out".into(), hint_of));
    findings
}

/// A step's name with its result, or its error with a hint.
type Step = (&'static str, Result<String, (String, &'static str)>);

/// Checks Redis without a login.
async fn redis_steps(redis: &RedisUpstream, app: &AppId) -> Vec<Step> {
    let wrong = |failure: RedisFailure| (failure.to_string(), failure.hint());
    let server = redis.server().await.map(|info| {
        let policy = info
            .policy
            .unwrap_or_else(|| "unknown: the user of Redis may not read it".into());
        format!(
            "{}, {} MB in use, eviction policy {policy}",
            info.version,
            info.used_memory / 1_000_000
        )
    });
    let mut steps = vec![("redis", server.map_err(wrong))];
    if let Some(cluster) = redis.cluster().await.map_err(wrong).transpose() {
        steps.push(("cluster", cluster));
    }
    let nodes = redis.nodes(app).await.map(|nodes| {
        let alive = nodes.iter().filter(|node| node.lease > 0).count();
        format!("{alive} sidecars serve this app")
    });
    steps.push(("nodes", nodes.map_err(wrong)));
    steps
}

fn names() -> Option<[UserId; 2]> {
    let [one, two] = USERS;
    Some([codec::reserved_user(one)?, codec::reserved_user(two)?])
}

/// Describes the token of a login.
fn token(server: &Server, app: &AppId, user: &UserId) -> String {
    let minted = tokens(&server.config(), server.clock).ok().flatten();
    let minted = minted.and_then(|tokens| tokens.mint(app, user, server.clock.now()));
    match minted {
        Some(minted) => {
            let kind: String = minted.token.expose_secret().chars().take(3).collect();
            format!("{kind}, created per user from the App Certificate")
        }
        None if server.config().upstream_of(app) != UpstreamKind::Agent => "not needed".into(),
        None => "none: the app has no certificate in the config, or `rtm_token` is \"none\"".into(),
    }
}

fn outcome<'h>(
    answer: Option<Result<RtmReply, RtmError>>,
    good: impl Fn(RtmReply) -> String,
    hint: impl Fn(RtmError) -> &'h str,
) -> Result<String, (String, &'h str)> {
    match answer {
        Some(Ok(reply)) => Ok(good(reply)),
        Some(Err(error)) => Err((error.to_string(), hint(error))),
        None => Err(("no answer".into(), "see the agent's log")),
    }
}

/// Returns the hint for a login error.
pub fn hint_of(error: RtmError) -> &'static str {
    match error {
        RtmError::Login(LoginErr::Timeout) => "the SDK cannot reach RTM; check the agent's network access",
        RtmError::Login(LoginErr::InvalidAppId) => "RTM does not know this App ID; check it in the console",
        RtmError::Login(LoginErr::InvalidToken | LoginErr::TokenExpired | LoginErr::NotAuthorized) => {
            "RTM rejected the token; check the App Certificate and the system clock"
        }
        RtmError::Login(LoginErr::Rejected) => {
            "RTM rejected the login; check whether the app requires a token and has RTM enabled"
        }
        _ => "see RTM's documentation of this error name",
    }
}

/// RTM instance used for the diagnosis.
struct Probe {
    upstream: Arc<dyn Upstream>,
    key: ClientKey,
    events: Arc<EventQueue>,
    calls: u64,
}

#[derive(Default)]
struct EventQueue {
    outcome: Mutex<Vec<UpstreamEvent>>,
    more: Notify,
}

impl Probe {
    fn new(upstream: &Arc<dyn Upstream>, app: &AppId) -> Self {
        let events = Arc::new(EventQueue::default());
        let emit = events.clone();
        let key = upstream.open(
            app,
            Arc::new(move |outcome| {
                emit.outcome.lock().push(outcome);
                emit.more.notify_one();
            }),
        );
        let upstream = upstream.clone();
        let calls = 0;
        Self {
            upstream,
            key,
            events,
            calls,
        }
    }

    async fn call(&mut self, call: RtmCall) -> Option<Result<RtmReply, RtmError>> {
        self.calls += 1;
        let number = self.calls;
        self.upstream.call(&self.key, number, call);
        self.wait(|outcome| match outcome {
            UpstreamEvent::Reply { request, result } if *request == number => Some(result.clone()),
            _ => None,
        })
        .await
    }

    async fn has_received(&self) -> bool {
        let greeting = Message::Text(GREETING.into());
        let has_received = self.wait(|outcome| match outcome {
            UpstreamEvent::Event(RtmEvent::MessageFromPeer { message, .. }) if *message == greeting => Some(()),
            _ => None,
        });
        has_received.await.is_some()
    }

    async fn wait<T>(&self, found: impl Fn(&UpstreamEvent) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.events.outcome.lock().iter().find_map(&found) {
                return Some(found);
            }
            timeout_at(deadline, self.events.more.notified()).await.ok()?;
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.upstream.close(&self.key);
    }
}
