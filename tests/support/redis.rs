//! RTM on a Redis of the test process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use sigbridge::config::{Config, UpstreamKind};
use sigbridge::startup::Running;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

#[path = "../../crates/rtm-redis/tests/it/server.rs"]
mod server;

pub use server::{RedisServer, is_installed};

/// The value of [`UPSTREAM`](super::UPSTREAM) that has servers of tests use Redis.
pub const ON_REDIS: &str = "redis";

/// Returns true if servers of tests use Redis: members are then listed from outside, and records continue sessions, unlike in a
/// replay to the embedded RTM.
pub fn tests_use_redis() -> bool {
    std::env::var(super::UPSTREAM).is_ok_and(|kind| kind == ON_REDIS)
}

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

/// Environment variable with the number of sidecars behind each server of a test that uses Redis.
const SIDECARS: &str = "SIGBRIDGE_TEST_SIDECARS";

/// Starts a server on Redis; with [`SIDECARS`] several, whose HTTP port gives each connection to the next one.
pub async fn serve_on_redis(config: Config) -> Running {
    let mut config = on_redis(config, &database());
    let count: usize = std::env::var(SIDECARS).ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let balanced = listener.local_addr().expect("it is bound");
    if count > 1 && config.discovery.advertise_host.is_none() {
        config.discovery.advertise_port = Some(balanced.port());
    }
    let mut running = super::serve_with_config(config.clone()).await;
    reached(&running).await;
    if count < 2 {
        return running;
    }
    let mut others = Vec::new();
    for _ in 1..count {
        let other = super::serve_with_config(config.clone()).await;
        reached(&other).await;
        others.push(other);
    }
    let places: Vec<_> = [running.http]
        .into_iter()
        .chain(others.iter().map(|other| other.http))
        .collect();
    running.http = balanced;
    tokio::spawn(async move {
        let _others = others;
        for place in places.iter().cycle() {
            let Ok((mut near, _)) = listener.accept().await else {
                return;
            };
            let place = *place;
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(place).await {
                    let _ = near.set_nodelay(true);
                    let _ = far.set_nodelay(true);
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    running
}

/// Returns the config with the RTM of all its apps in that database.
pub fn on_redis(mut config: Config, url: &str) -> Config {
    config.upstream.kind = UpstreamKind::Redis;
    for app in &mut config.apps {
        if app.upstream == UpstreamKind::Embedded {
            app.upstream = UpstreamKind::Redis;
        }
    }
    config.redis.url = Some(url.into());
    config.redis.rate_scale = config.embedded.rate_scale;
    config.redis.offline_messages = config.embedded.offline_messages;
    config
}

/// Waits until Redis answers a server.
pub async fn reached(running: &Running) {
    let redis = running.server.redis.clone().expect("a Redis upstream");
    super::eventually("Redis answers", || redis.health().failure().is_none()).await;
}
