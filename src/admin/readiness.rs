//! Readiness for new clients, with the reasons against it.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::config::{Config, UpstreamKind};
use crate::server::Server;
use rtm::AppId;

/// Start-up state of a server.
#[derive(Debug, Default)]
pub struct Started(AtomicBool);

impl Started {
    /// Marks all addresses as listening.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Reason against new clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum NotReady {
    /// Some addresses are not yet listening.
    Starting,
    /// Logins of these apps wait for an agent and time out.
    AgentMissing {
        /// App IDs; empty if any app is served.
        apps: Vec<String>,
    },
    /// Redis does not answer, or is not usable: logins of its apps wait and time out.
    RedisMissing {
        /// The failure of Redis.
        failure: &'static str,
    },
    /// Connections were rejected recently because a resource was exhausted.
    Lacking {
        /// Exhausted resource.
        what: &'static str,
    },
    /// The drain has begun, or the process stops.
    Draining,
    /// No app of the config has this App ID.
    UnknownApp,
}

/// Returns the current reasons, for clients of an app or of any; empty if the server is ready.
pub fn not_ready(server: &Server, app: Option<&AppId>) -> Vec<NotReady> {
    let mut reasons = Vec::new();
    if app.is_some_and(|app| !server.config().serves(app)) {
        reasons.push(NotReady::UnknownApp);
    }
    if !server.started.get() {
        reasons.push(NotReady::Starting);
    }
    let uses = |kind| app.is_none_or(|app| server.config().upstream_of(app) == kind);
    let agent_is_missing = || server.driver.as_ref().is_some_and(|driver| !driver.status().up);
    if uses(UpstreamKind::Agent) && agent_is_missing() {
        let apps = match app {
            Some(app) => vec![app.as_str().to_owned()],
            None => apps_at_agents(&server.config()),
        };
        reasons.push(NotReady::AgentMissing { apps });
    }
    let failure = || server.redis.as_ref().and_then(|redis| redis.health().failure());
    if uses(UpstreamKind::Redis)
        && let Some(failure) = failure()
    {
        let failure = failure.name();
        reasons.push(NotReady::RedisMissing { failure });
    }
    if let Some(lack) = server.shortages.current() {
        reasons.push(NotReady::Lacking { what: lack.name() });
    }
    if server.drain.has_begun() {
        reasons.push(NotReady::Draining);
    }
    reasons
}

fn apps_at_agents(config: &Config) -> Vec<String> {
    let listed = config.apps.iter().filter(|app| app.upstream == UpstreamKind::Agent);
    let ids = listed.map(|app| &app.id).chain(config.auth.app_id.as_ref());
    ids.map(|id| id.as_str().to_owned()).collect()
}
