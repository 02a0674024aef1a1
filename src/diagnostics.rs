//! Proves, step by step, that RTM can be reached: what each step got is the SDK's own answer.

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
use rtm_redis::{RedisUpstream, Trouble};

/// Longer than any of RTM's own limits: a login takes 12 s to fail (rtm-api 9).
const PATIENCE: Duration = Duration::from_secs(16);
/// Who the doctor is, in RTM: no account of a legacy client.
const USERS: [&str; 2] = ["sigbridge-doctor-1", "sigbridge-doctor-2"];
const GREETING: &str = "sigbridge doctor";

/// A step and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub step: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found: the SDK's answer, where it has one.
    pub found: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Looks at an app's way to RTM. The steps end where one of them fails, since those after it stand on it.
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
    let config = &server.config;
    if config.auth_of(app).is_none() {
        let hint = "name one of [[app]] with --app";
        note("app", Err((format!("{} is not served here", app.as_str()), hint)));
        return findings;
    }
    if config.upstream_of(app) == UpstreamKind::Agent {
        let status = server.driver.as_ref().map(|driver| driver.status());
        let Some(status) = status.filter(|status| status.up) else {
            let hint = "start one: `sigbridge agent web`, or `sigbridge agent embedded` for a test; its log says why it cannot come in";
            let found = format!("no agent has come in at {}", config.upstream.agent.listen);
            note("link", Err((found, hint)));
            return findings;
        };
        note(
            "link",
            Ok(format!("an agent is there, with {} sessions", status.sessions)),
        );
        let (sdk, version) = status.sdk.unwrap_or_default();
        let platform = status.platform.unwrap_or_default();
        note("hello", Ok(format!("{sdk} {version}, in the names of {platform}")));
    } else if let (UpstreamKind::Redis, Some(redis)) = (config.upstream_of(app), &server.redis) {
        for (step, result) in redis_steps(redis, app).await {
            if !note(step, result) {
                return findings;
            }
        }
    } else {
        note("link", Ok("none is needed: the embedded RTM is in this process".into()));
    }
    let mut one = Probe::new(&server.upstream, app);
    // With Redis the second user is at a second sidecar, so that the message crosses.
    let sibling = server
        .redis
        .as_ref()
        .filter(|_| config.upstream_of(app) == UpstreamKind::Redis);
    let sibling = sibling.and_then(|redis| redis.sibling().ok());
    let (far, _end) = match sibling {
        Some((far, end)) => (far as Arc<dyn Upstream>, Some(end.drop_guard())),
        None => (server.upstream.clone(), None),
    };
    // Every SDK knows by itself that it is not logged in: who says so is there.
    let loaded = match one.call(RtmCall::Logout {}).await {
        Some(Err(error)) if error == LogoutErr::UserNotLoggedIn.into() => Ok(format!("it answers: {error}")),
        Some(Ok(_)) => Ok("it answers".into()),
        Some(Err(error)) => Err((format!("logout before a login: {error}"), "the agent's log says more")),
        None => Err(("no answer to a first call".into(), "the agent's log says more")),
    };
    if !note("sdk", loaded) {
        return findings;
    }
    let Some(names) = names() else { return findings };
    note("token", Ok(token(server, app, &names[0])));
    let mut users = Vec::new();
    for (name, mut patient) in names.iter().zip([one, Probe::new(&far, app)]) {
        let uid = name.clone();
        let login = patient.call(RtmCall::Login { uid, token: None }).await;
        if !note(
            "login",
            told(login, |_| format!("{} is logged in", name.as_str()), hint_of),
        ) {
            return findings;
        }
        users.push(patient);
    }
    let [one, two] = &mut users[..] else { return findings };
    let peer_id = names[1].clone();
    let message = Message::Text(GREETING.into());
    let sent = one.call(RtmCall::SendMessageToPeer { peer_id, message }).await;
    let sent = match sent {
        Some(Ok(RtmReply::HasPeerReceived(true))) if two.heard().await => {
            Ok(format!("{} has it from {}", names[1].as_str(), names[0].as_str()))
        }
        Some(Ok(reply)) => Err((
            format!("{reply:?}, and nothing arrived"),
            "try again: presence takes a moment",
        )),
        other => told(other, |_| String::new(), hint_of),
    };
    note("message", sent);
    let ended = one.call(RtmCall::Logout {}).await;
    two.call(RtmCall::Logout {}).await;
    note("logout", told(ended, |_| "both are gone".into(), hint_of));
    findings
}

/// A step's name, and what was found, or what is wrong with a hint.
type Step = (&'static str, Result<String, (String, &'static str)>);

/// What can be known of Redis before anybody logs in.
async fn redis_steps(redis: &RedisUpstream, app: &AppId) -> Vec<Step> {
    let wrong = |trouble: Trouble| (trouble.to_string(), trouble.hint());
    let server = redis.server().await.map(|info| {
        let policy = info.policy.unwrap_or_else(|| "unknown: its user may not ask".into());
        format!(
            "{}, {} MB in use, eviction policy {policy}",
            info.version,
            info.used / 1_000_000
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

/// What a login is given; the start has made sure that it can be made.
fn token(server: &Server, app: &AppId, user: &UserId) -> String {
    let minted = tokens(&server.config, server.clock).ok().flatten();
    let minted = minted.and_then(|tokens| tokens.mint(app, user, server.clock.now()));
    match minted {
        Some(minted) => {
            let kind: String = minted.token.expose_secret().chars().take(3).collect();
            format!("{kind}, made of the App Certificate for each user")
        }
        None if server.config.upstream_of(app) != UpstreamKind::Agent => "none is needed".into(),
        None => "none: the app has no certificate here, or `rtm_token` is \"none\"".into(),
    }
}

fn told<'h>(
    answer: Option<Result<RtmReply, RtmError>>,
    good: impl Fn(RtmReply) -> String,
    hint: impl Fn(RtmError) -> &'h str,
) -> Result<String, (String, &'h str)> {
    match answer {
        Some(Ok(reply)) => Ok(good(reply)),
        Some(Err(error)) => Err((error.to_string(), hint(error))),
        None => Err(("no answer".into(), "the agent's log says more")),
    }
}

/// Returns the hint for an error of a login.
pub fn hint_of(error: RtmError) -> &'static str {
    match error {
        RtmError::Login(LoginErr::Timeout) => {
            "the SDK does not reach RTM's servers: look at the agent's way to the internet"
        }
        RtmError::Login(LoginErr::InvalidAppId) => "RTM does not know this App ID",
        RtmError::Login(LoginErr::InvalidToken | LoginErr::TokenExpired | LoginErr::NotAuthorized) => {
            "RTM does not take the token: is it this app's certificate, and is the clock right?"
        }
        RtmError::Login(LoginErr::Rejected) => "RTM refuses: does the app need a token, and is RTM enabled for it?",
        _ => "the name is RTM's own: its documentation says more",
    }
}

/// An RTM instance of its own.
struct Probe {
    upstream: Arc<dyn Upstream>,
    key: ClientKey,
    ear: Arc<Ear>,
    calls: u64,
}

#[derive(Default)]
struct Ear {
    told: Mutex<Vec<UpstreamEvent>>,
    more: Notify,
}

impl Probe {
    fn new(upstream: &Arc<dyn Upstream>, app: &AppId) -> Self {
        let ear = Arc::new(Ear::default());
        let tell = ear.clone();
        let key = upstream.open(
            app,
            Arc::new(move |told| {
                tell.told.lock().push(told);
                tell.more.notify_one();
            }),
        );
        let upstream = upstream.clone();
        let calls = 0;
        Self {
            upstream,
            key,
            ear,
            calls,
        }
    }

    async fn call(&mut self, call: RtmCall) -> Option<Result<RtmReply, RtmError>> {
        self.calls += 1;
        let number = self.calls;
        self.upstream.call(&self.key, number, call);
        self.wait(|told| match told {
            UpstreamEvent::Reply { request, result } if *request == number => Some(result.clone()),
            _ => None,
        })
        .await
    }

    async fn heard(&self) -> bool {
        let greeting = Message::Text(GREETING.into());
        let heard = self.wait(|told| match told {
            UpstreamEvent::Event(RtmEvent::MessageFromPeer { message, .. }) if *message == greeting => Some(()),
            _ => None,
        });
        heard.await.is_some()
    }

    async fn wait<T>(&self, found: impl Fn(&UpstreamEvent) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.ear.told.lock().iter().find_map(&found) {
                return Some(found);
            }
            timeout_at(deadline, self.ear.more.notified()).await.ok()?;
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.upstream.close(&self.key);
    }
}
