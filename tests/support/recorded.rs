//! A server of this process whose RTM is behind an agent of a platform, and its recording.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sigbridge::config::Config;
use sigbridge::mapping::Tables;
use sigbridge::shell::{Running, start};
use sigbridge::trace::{Bounds, Policy, Redaction};

use super::{PATIENCE, SdkAgent, behind_a_link, eventually, linked};

const BOUNDS: Bounds = Bounds {
    file_bytes: 1 << 30,
    file_time: Duration::from_secs(3600),
    files: 100,
};

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
    let server = &running.server;
    let redaction = Redaction::new(&server.tables, policy, policy).expect("random bytes");
    let started = server
        .recorder
        .start(folder.to_path_buf(), BOUNDS, redaction, server.clock.now());
    started.expect("the folder can be written");
    (running, agent)
}

/// Stops it; its trace.
pub async fn trace_of(running: Running, folder: &Path) -> PathBuf {
    running.server.recorder.stop();
    running.server.stop(PATIENCE).await;
    drop(running);
    let finished = || {
        let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
        let path = entries.map(|entry| entry.path()).next().expect("a file");
        path.extension().is_some_and(|ext| ext == "jsonl").then_some(path)
    };
    eventually("the trace is finished", || finished().is_some()).await;
    finished().expect("it was")
}
