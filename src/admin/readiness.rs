//! Readiness for new clients, with the reasons against it.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::config::{Config, UpstreamKind};
use crate::server::Server;

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
        /// The trouble.
        trouble: &'static str,
    },
    /// Connections were rejected recently because a resource was exhausted.
    Lacking {
        /// Exhausted resource.
        what: &'static str,
    },
    /// The process is shutting down.
    Draining,
}

/// Returns the current reasons; empty if the server is ready.
pub fn not_ready(server: &Server) -> Vec<NotReady> {
    let mut reasons = Vec::new();
    if !server.started.get() {
        reasons.push(NotReady::Starting);
    }
    if server.driver.as_ref().is_some_and(|driver| !driver.status().up) {
        let apps = apps_at_agents(&server.config);
        reasons.push(NotReady::AgentMissing { apps });
    }
    if let Some(trouble) = server.redis.as_ref().and_then(|redis| redis.health().trouble()) {
        let trouble = trouble.name();
        reasons.push(NotReady::RedisMissing { trouble });
    }
    if let Some(lack) = server.shortages.current() {
        reasons.push(NotReady::Lacking { what: lack.name() });
    }
    if server.shutdown.is_cancelled() {
        reasons.push(NotReady::Draining);
    }
    reasons
}

fn apps_at_agents(config: &Config) -> Vec<String> {
    let listed = config.apps.iter().filter(|app| app.upstream == UpstreamKind::Agent);
    let ids = listed.map(|app| &app.id).chain(config.auth.app_id.as_ref());
    ids.map(|id| id.as_str().to_owned()).collect()
}
