//! Settings of a config that the Web agent needs: address, secret and origins of agents.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::{Upstream, reachable};
use text_files::read_text;

/// Settings of `[upstream.agent]` for an agent. The launcher gets the path of the secret file, not the secret.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// URL of the agent link.
    pub bridge: String,
    /// Path of the secret file.
    pub secret_file: Option<PathBuf>,
    /// Allowed origins; `None` without a config.
    pub origins: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    upstream: Section,
}

#[derive(Default, Deserialize)]
struct Section {
    #[serde(default)]
    agent: Agent,
}

#[derive(Default, Deserialize)]
struct Agent {
    listen: Option<SocketAddr>,
    secret_file: Option<PathBuf>,
    #[serde(default)]
    origins: Vec<String>,
}

impl Settings {
    /// Reads a config file, or returns the defaults.
    ///
    /// # Errors
    /// The file is unreadable or not a valid config.
    pub fn load(config: Option<&Path>) -> Result<Self, String> {
        let Some(path) = config else {
            return Ok(Self::of(Agent::default(), Path::new(""), false));
        };
        let text = read_text(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let file: File = toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.message()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self::of(file.upstream.agent, folder, true))
    }

    fn of(agent: Agent, folder: &Path, known: bool) -> Self {
        let listen = agent.listen.unwrap_or(Upstream::default().agent.listen);
        let absolute = |file: PathBuf| std::path::absolute(folder.join(&file)).unwrap_or(file);
        Self {
            bridge: format!("ws://{}/agent", reachable(listen)),
            secret_file: agent.secret_file.map(absolute),
            origins: known.then_some(agent.origins),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bridge: &str, secret_file: Option<&str>, origins: &[&str]) {
        let file: File = toml::from_str(text).expect("TOML");
        let settings = Settings::of(file.upstream.agent, Path::new("/etc/sigbridge"), true);
        let expected = Settings {
            bridge: bridge.into(),
            secret_file: secret_file.map(PathBuf::from),
            origins: Some(origins.iter().map(ToString::to_string).collect()),
        };
        assert_eq!(settings, expected, "{text}");
    }

    #[test]
    fn agent_settings_come_from_the_config() {
        check("", "ws://127.0.0.1:8010/agent", None, &[]);
        check("[auth]\napp_id = 'x'", "ws://127.0.0.1:8010/agent", None, &[]);
        check(
            "[upstream.agent]\nlisten = '0.0.0.0:9'\nsecret_file = 'a.secret'\norigins = ['http://127.0.0.1:8011']",
            "ws://127.0.0.1:9/agent",
            Some("/etc/sigbridge/a.secret"),
            &["http://127.0.0.1:8011"],
        );
        check("[upstream.agent]\nlisten = '[::]:9'", "ws://[::1]:9/agent", None, &[]);
        check(
            "[upstream.agent]\nsecret_file = '/s'",
            "ws://127.0.0.1:8010/agent",
            Some("/s"),
            &[],
        );
    }
}
