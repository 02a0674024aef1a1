//! RTM behind a link: an agent of this process with an embedded RTM, and wires between both that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use agent_link::acceptor::AccessPolicy;
use agent_link::agent_server::{Host, HostConfig, serve_driver};
use agent_link::driver::{Driver, DriverConfig, LinkHealth, serve_agents};
use agent_link::handshake::{Limits, random_name};
use agent_link::vocabulary::Vocabulary;
use parking_lot::Mutex;
use rtm::upstream::Upstream;
use rtm_embedded::RtmServiceConfig;
use runtime::clock::Clock;
use runtime::net::Shortages;
use sigbridge::config::{Config, RtmToken, UpstreamKind};
use sigbridge::startup::Running;
use sigbridge::upstream::EmbeddedUpstream;
use tables::Tables;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The environment variable that makes servers of tests use an agent with a platform's names.
pub const UPSTREAM: &str = "SIGBRIDGE_TEST_UPSTREAM";

/// RTM in this process, at any time, for several agents.
pub fn embedded(config: &Config) -> Arc<EmbeddedUpstream> {
    let world = RtmServiceConfig {
        rate_scale: config.embedded.rate_scale,
        offline_messages: config.embedded.offline_messages,
        ..RtmServiceConfig::default()
    };
    let local = EmbeddedUpstream::new(world, Clock::start());
    tokio::spawn(local.clone().run(CancellationToken::new()));
    local
}

/// An agent of that platform for the sigbridge at `to`, until it is cancelled.
pub fn agent(platform: &str, rtm: Arc<dyn Upstream>, to: SocketAddr) -> CancellationToken {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let platform = tables.platforms.iter().find(|known| &*known.name == platform);
    let words = Vocabulary::new(platform.expect("a platform of that name"));
    let config = HostConfig {
        sdk: ("test".into(), "1".into()),
        limits: Limits::Web,
    };
    let name = random_name().expect("randomness");
    let host = Host::new(name, config, Arc::new(words), rtm, Clock::start());
    let end = CancellationToken::new();
    let shutdown = end.clone();
    tokio::spawn(async move {
        let url = format!("ws://{to}/agent");
        tokio::select! {
            () = serve_driver(host, &url, None, CancellationToken::new()) => {}
            // As with a killed process: without a close.
            () = shutdown.cancelled() => {}
        }
    });
    end
}

/// The config with its RTM at an agent.
pub fn behind_a_link(mut config: Config) -> Config {
    config.upstream.kind = UpstreamKind::Agent;
    config.upstream.agent.listen.set_port(0);
    // The app ids and certificates of tests are not RTM's, and the embedded RTM needs no token.
    config.upstream.rtm_token = RtmToken::None;
    config
}

/// Waits until the agent of a server is there.
pub async fn linked(running: &Running) {
    let driver = running.driver.clone().expect("an agent upstream");
    super::eventually("agent connected", || driver.status().up).await;
}

/// A wire to `to` that can be cut, and is whole again at once.
pub struct Wire {
    /// Where to connect to.
    pub addr: SocketAddr,
    now: Arc<Mutex<CancellationToken>>,
}

impl Wire {
    /// A wire that is whole.
    pub async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let now = Arc::new(Mutex::new(CancellationToken::new()));
        let cut = now.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let cut = cut.lock().clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(to).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
        });
        Self { addr, now }
    }

    /// Cuts what is connected.
    pub fn cut(&self) {
        std::mem::take(&mut *self.now.lock()).cancel();
    }
}

/// The side that drives, to which agents come, and what ends it.
pub async fn driver(listener: TcpListener) -> (Arc<Driver>, CancellationToken) {
    let (driver, end) = driver_alone();
    let door = AccessPolicy {
        secret: None,
        origins: Vec::new(),
        strain: Arc::new(Shortages::new(Clock::start())),
    };
    tokio::spawn(serve_agents(driver.clone(), listener, door, end.clone()));
    (driver, end)
}

/// The same without a way in.
pub fn driver_alone() -> (Arc<Driver>, CancellationToken) {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let driver = Driver::new(
        &tables,
        DriverConfig::default(),
        None,
        LinkHealth::default(),
        Clock::start(),
    );
    let (driver, end) = (driver.expect("randomness"), CancellationToken::new());
    tokio::spawn(driver.clone().run(end.clone()));
    (driver, end)
}
