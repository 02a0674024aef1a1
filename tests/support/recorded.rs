//! A server of this process whose RTM is behind an agent of a platform, and its recording.

use std::path::{Path, PathBuf};

use sigbridge::config::Config;
use sigbridge::startup::{Running, start};
use tables::Tables;
use trace::Policy;

use super::{SdkAgent, behind_a_link, finished, linked, record};

/// A server that records all its sessions to one file of `folder`, with names and bodies by that policy, and the agent
/// that has its RTM. `[embedded] rate_scale` is that of the agent's RTM.
pub async fn serve_recorded(config: Config, platform: &str, folder: &Path, policy: Policy) -> (Running, SdkAgent) {
    let tables = Tables::built_in().expect("the built-in tables");
    let vocabulary = tables.platforms.iter().find(|known| &*known.name == platform);
    let vocabulary = vocabulary.unwrap_or_else(|| panic!("no platform {platform}")).clone();
    let rate_scale = config.embedded.rate_scale;
    let running = start(behind_a_link(config), tables)
        .await
        .expect("any free port can be bound");
    let agent = SdkAgent::dial(running.agents.expect("agents come in"), &vocabulary, rate_scale);
    linked(&running).await;
    record(&running, folder, policy).await;
    (running, agent)
}

/// Stops it; its trace.
pub async fn trace_of(running: Running, folder: &Path) -> PathBuf {
    finished(running, folder).await.pop().expect("a file")
}
