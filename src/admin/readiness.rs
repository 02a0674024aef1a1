//! Readiness: whether new clients should connect here, with the reasons if not.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::config::{Config, UpstreamKind};
use crate::server::Server;

/// Whether a server has started.
#[derive(Debug, Default)]
pub struct Started(AtomicBool);

impl Started {
    /// All addresses are served.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A reason why new clients should connect elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum NotReady {
    /// Not all addresses are served yet.
    Starting,
    /// Logins of these apps wait for an agent and time out.
    AgentMissing {
        /// Their ids; empty for any app.
        apps: Vec<String>,
    },
    /// Redis does not answer, or not as it should: logins of apps there wait and time out.
    RedisMissing {
        /// What is wrong.
        trouble: &'static str,
    },
    /// Connections were refused lately for lack of something.
    Lacking {
        /// What is lacking.
        what: &'static str,
    },
    /// The process has been asked to stop.
    Draining,
}

/// Returns the current reasons; none when the server is ready.
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
    if let Some(lack) = server.strain.lacks() {
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
