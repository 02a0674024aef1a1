//! In-process server that records, with RTM behind an agent of a platform.

use std::path::{Path, PathBuf};

use sigbridge::config::Config;
use sigbridge::startup::{Running, start};
use tables::Tables;
use trace::Policy;

use super::{SdkAgent, behind_a_link, finished, linked, record};

/// Starts a server that records all sessions to one file of `folder` with a redaction policy, and the agent with its
/// RTM. `[embedded] rate_scale` applies to the agent's RTM.
pub async fn serve_recorded(config: Config, platform: &str, folder: &Path, policy: Policy) -> (Running, SdkAgent) {
    let tables = Tables::built_in().expect("the built-in tables");
    let vocabulary = tables.platforms.iter().find(|known| &*known.name == platform);
    let vocabulary = vocabulary.unwrap_or_else(|| panic!("no platform {platform}")).clone();
    let rate_scale = config.embedded.rate_scale;
    let running = start(behind_a_link(config), tables)
        .await
        .expect("any free port can be bound");
    let agent = SdkAgent::dial(running.agents.expect("an address of agents"), &vocabulary, rate_scale);
    linked(&running).await;
    record(&running, folder, policy).await;
    (running, agent)
}

/// Stops the server; returns its trace.
pub async fn trace_of(running: Running, folder: &Path) -> PathBuf {
    finished(running, folder).await.pop().expect("a file")
}
