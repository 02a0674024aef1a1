//! RTM on a Redis of the test process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use sigbridge::config::{Config, UpstreamKind};
use sigbridge::startup::Running;

#[path = "../../crates/rtm-redis/tests/it/server.rs"]
mod server;

pub use server::{RedisServer, is_installed};

/// The value of [`UPSTREAM`](super::UPSTREAM) that has servers of tests use Redis.
pub const ON_REDIS: &str = "redis";

/// The Redis of this process. Statics are not dropped: it ends when its input does, with the process.
static SHARED: LazyLock<Mutex<RedisServer>> = LazyLock::new(|| {
    let server = RedisServer::start(&["--databases", "10000"]);
    Mutex::new(server)
});

/// The URL of an empty database.
pub fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}?db={}", SHARED.lock().url(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The config with its RTM in that database.
pub fn on_redis(mut config: Config, url: &str) -> Config {
    config.upstream.kind = UpstreamKind::Redis;
    config.redis.url = url.into();
    config.redis.rate_scale = config.embedded.rate_scale;
    config.redis.offline_messages = config.embedded.offline_messages;
    config
}

/// Waits until Redis answers a server.
pub async fn reached(running: &Running) {
    let redis = running.server.redis.clone().expect("a Redis upstream");
    super::eventually("Redis answers", || redis.health().trouble().is_none()).await;
}
