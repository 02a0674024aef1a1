//! The upstream: what happens between sessions and an agent, with the clock and the present socket.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::handshake::random_name;
use crate::io::{Ended, pump};
use crate::vocabulary::Vocabulary;
use crate::{HEARTBEAT, Link};
use rtm::AppId;
use rtm::upstream::{ClientKey, EventSink, Upstream};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};
use runtime::clock::Clock;
use tables::Tables;

use crate::driver::driver_state::Core;
use crate::driver::metrics::LinkHealth;
use crate::driver::tokens::Tokens;

/// Times and bounds of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverConfig {
    /// How long a call waits for an agent that is away. Default 4 s.
    pub call_wait: Duration,
    /// How long a call waits for its result. RTM's own limits are 5 to 12 s (rtm-api 9). Default 15 s.
    pub call_timeout: Duration,
    /// How long an agent may be away before sessions are told. Default 4 s, as in RTM's SDKs.
    pub lost_after: Duration,
    /// Logins per second when sessions are built again. Default 50.
    pub login_rate: u32,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            call_wait: Duration::from_secs(4),
            call_timeout: Duration::from_secs(15),
            lost_after: Duration::from_secs(4),
            login_rate: 50,
        }
    }
}

/// RTM behind a link.
pub struct Driver {
    pub(super) core: Mutex<Core>,
    pub(super) link: Arc<Link>,
    pub(super) name: Text,
    pub(super) platforms: Vec<Arc<Vocabulary>>,
    pub(super) clock: Clock,
    /// One socket at a time.
    turn: Semaphore,
    current: Mutex<CancellationToken>,
}

/// What a driver's link is like, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverStatus {
    /// Whether an agent is there.
    pub up: bool,
    /// The SDK of the agent that is, or was, there, with its version.
    pub sdk: Option<(Text, Text)>,
    /// Whose names it uses.
    pub platform: Option<Text>,
    /// Sessions.
    pub sessions: usize,
}

impl Driver {
    /// One that has met nobody yet.
    ///
    /// # Errors
    /// The system has no randomness for its name.
    pub fn new(
        tables: &Tables,
        config: DriverConfig,
        tokens: Option<Arc<dyn Tokens>>,
        health: LinkHealth,
        clock: Clock,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let name = random_name()?;
        let link = Arc::new(Link::default());
        Ok(Arc::new(Self {
            core: Mutex::new(Core::new(link.clone(), name.clone(), config, tokens, health)),
            link,
            name,
            platforms: tables
                .platforms
                .iter()
                .map(|platform| Arc::new(Vocabulary::new(platform)))
                .collect(),
            clock,
            turn: Semaphore::new(1),
            current: Mutex::new(CancellationToken::new()),
        }))
    }

    /// Does what is due, until the end.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let pause = if self.core.lock().is_rebuilding() { 20 } else { 200 };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
            self.core.lock().sweep(self.clock.now());
        }
    }

    /// What the link is like.
    pub fn status(&self) -> DriverStatus {
        let core = self.core.lock();
        let agent = core.agent.as_ref();
        DriverStatus {
            up: core.link_up,
            sdk: agent.map(|agent| (agent.sdk.clone(), agent.version.clone())),
            platform: agent.map(|agent| agent.words.platform().clone()),
            sessions: core.clients.len(),
        }
    }

    /// What the other side has not acknowledged, objects: none once it has heard everything.
    pub fn waiting(&self) -> usize {
        self.link.waiting()
    }

    /// Takes the place of the socket that is served, once it has ended. The guard is held while the new one is served.
    pub(super) async fn take_turn(&self) -> (tokio::sync::SemaphorePermit<'_>, CancellationToken) {
        let mine = CancellationToken::new();
        std::mem::replace(&mut *self.current.lock(), mine.clone()).cancel();
        let permit = self.turn.acquire().await.expect("nobody closes it");
        (permit, mine)
    }

    /// Serves a socket whose hello is done, until it is over or another takes its place.
    pub(super) async fn serve<S>(&self, websocket: WebSocketStream<S>, mine: &CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let take = |body| self.core.lock().take(self.clock.now(), body);
        tokio::select! {
            () = mine.cancelled() => info!("another socket of the same agent takes over"),
            ended = pump(websocket, &self.link, HEARTBEAT, take) => match ended {
                Ended::Closed => info!("the link is closed"),
                ended => warn!(%ended, "the link is lost"),
            },
        }
        self.core.lock().lost(self.clock.now());
    }
}

impl Upstream for Driver {
    fn open(&self, app: &AppId, tell: EventSink) -> ClientKey {
        ClientKey {
            app: app.clone(),
            number: self.core.lock().open(app, tell),
        }
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        self.core.lock().call(self.clock.now(), client.number, request, call);
    }

    fn close(&self, client: &ClientKey) {
        self.core.lock().close(client.number);
    }

    fn can(&self, _: &AppId, kind: CallKind) -> bool {
        !self.core.lock().lacks().contains(&kind)
    }

    fn platform(&self, _: &AppId) -> Option<Text> {
        self.core
            .lock()
            .agent
            .as_ref()
            .map(|agent| agent.words.platform().clone())
    }
}
