//! What the Web agent has to know of a config: where agents come in, with which secret, from which pages.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::{Upstream, reachable};
use text_files::read_text;

/// `[upstream.agent]`, as far as an agent needs it. The secret itself is not read: the launcher is told its file.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the agent dials.
    pub bridge: String,
    /// The file with the secret, if there is one.
    pub secret_file: Option<PathBuf>,
    /// Pages that may connect; `None` without a config, when nobody knows.
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
    /// Those of a config file; the defaults without one.
    ///
    /// # Errors
    /// The file cannot be read, or is no config.
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
    fn a_config_says_where_agents_come_in() {
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
