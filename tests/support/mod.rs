//! In-process server, and scripted clients.

#![allow(dead_code, unused_imports, reason = "every test file uses its own part of this")]

mod agent;
mod api;
mod client;
mod http;
pub mod invent;
pub mod lane;
mod native;
mod program;
mod receiver;
mod recorded;
mod redis;
mod sdk;
mod stage;
mod traces;

use std::net::SocketAddr;
use std::time::Duration;

use sigbridge::config::{Config, UpstreamKind};
use sigbridge::startup::{Running, start};
use tables::Tables;

pub use agent::*;
pub use api::*;
pub use client::*;
pub use http::*;
pub use native::*;
pub use program::*;
pub use receiver::{Receiver, Request1, ScriptedResponse};
pub use recorded::*;
pub use redis::*;
pub use sdk::*;
pub use stage::*;
pub use traces::*;

/// Time limit of all waits in tests.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Time in which an unwanted frame would arrive.
pub const QUIET: Duration = Duration::from_millis(80);

/// Default config on free ports.
pub fn config() -> Config {
    let mut config = Config::default();
    let listen = &mut config.listen;
    let all = listen.udp.iter_mut().chain(&mut listen.tcp).chain([&mut listen.http]);
    all.for_each(|addr| addr.set_port(0));
    config
}

/// Default config with an admin address on a free port.
pub fn with_admin() -> Config {
    let mut config = config();
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    config
}

/// Returns the admin address of a server that has one.
pub fn admin(running: &Running) -> SocketAddr {
    running.admin.expect("an admin address is configured")
}

/// Starts a server with the built-in tables; it stops with the test's runtime.
pub async fn serve(config: Config) -> Running {
    match std::env::var(UPSTREAM) {
        Ok(kind) if kind == ON_REDIS && config.upstream.kind == UpstreamKind::Embedded => serve_on_redis(config).await,
        Ok(platform) if config.upstream.kind == UpstreamKind::Embedded => {
            let rtm = embedded(&config);
            let running = serve_with_config(behind_a_link(config)).await;
            agent(&platform, rtm, running.agents.expect("an agent upstream"));
            linked(&running).await;
            running
        }
        _ => serve_with_config(config).await,
    }
}

/// Starts a server with the RTM of the environment variable.
pub async fn serve_with_config(config: Config) -> Running {
    let tables = Tables::built_in().expect("the built-in tables compile");
    start(config, tables).await.expect("any free port can be bound")
}

/// Returns a metric by name; 0 if missing.
pub fn counter(running: &Running, name: &str) -> u64 {
    let text = running.server.metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |number| number.parse().expect("a counter is a number"))
}

/// Waits until a condition holds that no frame signals.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
