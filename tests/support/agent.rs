//! RTM behind a link: an in-process agent with an embedded RTM, and TCP proxies that can be cut.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use agent_link::acceptor::AccessPolicy;
use agent_link::agent_server::{AgentServer, AgentServerConfig, serve_driver};
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
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Environment variable that makes test servers use an agent of this platform.
pub const UPSTREAM: &str = "SIGBRIDGE_TEST_UPSTREAM";

/// Creates an in-process RTM, usable by several agents.
pub fn embedded(config: &Config) -> Arc<EmbeddedUpstream> {
    let service = RtmServiceConfig {
        rate_scale: config.embedded.rate_scale,
        offline_messages: config.embedded.offline_messages,
        ..RtmServiceConfig::default()
    };
    let local = EmbeddedUpstream::new(service, Clock::start());
    tokio::spawn(local.clone().run(CancellationToken::new()));
    local
}

/// Runs an agent of a platform for the sigbridge at `to`, until cancelled.
pub fn agent(platform: &str, rtm: Arc<dyn Upstream>, to: SocketAddr) -> CancellationToken {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let platform = tables.platforms.iter().find(|known| &*known.name == platform);
    let words = Vocabulary::new(platform.expect("a platform of that name"));
    let config = AgentServerConfig {
        sdk: ("test".into(), "1".into()),
        limits: Limits::Web,
    };
    let name = random_name().expect("randomness");
    let host = AgentServer::new(name, config, Arc::new(words), rtm, Clock::start());
    let end = CancellationToken::new();
    let shutdown = end.clone();
    tokio::spawn(async move {
        let url = format!("ws://{to}/agent");
        tokio::select! {
            () = serve_driver(host, &url, None, CancellationToken::new()) => {}
            // As for a killed process: no logout is sent.
            () = shutdown.cancelled() => {}
        }
    });
    end
}

/// Moves a config's RTM to an agent.
pub fn behind_a_link(mut config: Config) -> Config {
    config.upstream.kind = UpstreamKind::Agent;
    config.upstream.agent.listen.set_port(0);
    // App IDs and certificates of tests are not valid for RTM, and the embedded RTM needs no token.
    config.upstream.rtm_token = RtmToken::None;
    config
}

/// Waits until a server's agent is connected.
pub async fn linked(running: &Running) {
    let driver = running.driver.clone().expect("an agent upstream");
    super::eventually("agent connected", || driver.status().up).await;
}

/// The server of a proxy.
#[derive(Clone)]
enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

impl Target {
    async fn connect(&self) -> io::Result<(ReadHalf, WriteHalf)> {
        match self {
            Self::Tcp(addr) => {
                let (read, write) = TcpStream::connect(addr).await?.into_split();
                Ok((Box::new(read), Box::new(write)))
            }
            Self::Unix(path) => {
                let (read, write) = UnixStream::connect(path).await?.into_split();
                Ok((Box::new(read), Box::new(write)))
            }
        }
    }
}

/// TCP proxy to a server that can be cut, and accepts new connections at once. It can freeze, too.
pub struct Wire {
    /// Listen address.
    pub addr: SocketAddr,
    now: Arc<Mutex<CancellationToken>>,
    requests: watch::Sender<bool>,
    answers: watch::Sender<bool>,
}

impl Wire {
    /// Starts a proxy to a TCP server.
    pub async fn to(to: SocketAddr) -> Self {
        Self::start(Target::Tcp(to)).await
    }

    /// Starts a proxy to a server on a Unix socket.
    pub async fn to_unix(to: PathBuf) -> Self {
        Self::start(Target::Unix(to)).await
    }

    async fn start(to: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let now = Arc::new(Mutex::new(CancellationToken::new()));
        let cut = now.clone();
        let (requests, requests_frozen) = watch::channel(false);
        let (answers, answers_frozen) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (cut, to) = (cut.lock().clone(), to.clone());
                let frozen = (requests_frozen.clone(), answers_frozen.clone());
                tokio::spawn(async move {
                    let Ok((far_in, far_out)) = to.connect().await else {
                        return;
                    };
                    let (near_in, near_out) = near.into_split();
                    let both =
                        async { tokio::join!(pump(near_in, far_out, frozen.0), pump(far_in, near_out, frozen.1)) };
                    // A cut connection drops what is frozen.
                    tokio::select! {
                        biased;
                        () = cut.cancelled() => {}
                        _ = both => {}
                    }
                });
            }
        });
        Self {
            addr,
            now,
            requests,
            answers,
        }
    }

    /// Cuts the current connections.
    pub fn cut(&self) {
        std::mem::take(&mut *self.now.lock()).cancel();
    }

    /// While frozen, nothing passes, and nothing is closed.
    pub fn freeze(&self, frozen: bool) {
        self.freeze_requests(frozen);
        self.freeze_answers(frozen);
    }

    /// While frozen, nothing passes to the server.
    pub fn freeze_requests(&self, frozen: bool) {
        self.requests.send_replace(frozen);
    }

    /// While frozen, nothing passes from the server.
    pub fn freeze_answers(&self, frozen: bool) {
        self.answers.send_replace(frozen);
    }
}

/// Copies bytes until the end of one side.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut frozen: watch::Receiver<bool>) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let _ = frozen.wait_for(|frozen| !frozen).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

/// Starts a driver with a listener for agents; the token stops it.
pub async fn driver(listener: TcpListener) -> (Arc<Driver>, CancellationToken) {
    let (driver, end) = driver_alone();
    let door = AccessPolicy {
        secret: None,
        origins: Vec::new(),
        shortages: Arc::new(Shortages::new(Clock::start())),
    };
    tokio::spawn(serve_agents(driver.clone(), listener, door, end.clone()));
    (driver, end)
}

/// Starts a driver without a listener.
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
