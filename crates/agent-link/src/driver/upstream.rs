//! Upstream over a link: driver state with clock and socket.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::handshake::random_name;
use crate::io::{Ended, run_socket};
use crate::vocabulary::Vocabulary;
use crate::{HEARTBEAT, Link};
use rtm::AppId;
use rtm::upstream::{ClientKey, EventSink, Upstream};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};
use runtime::clock::Clock;
use tables::Tables;

use crate::driver::driver_config::DriverConfig;
use crate::driver::driver_state::DriverState;
use crate::driver::metrics::LinkHealth;
use crate::driver::tokens::Tokens;

/// RTM over a link.
pub struct Driver {
    pub(super) state: Mutex<DriverState>,
    pub(super) link: Arc<Link>,
    pub(super) name: Text,
    pub(super) platforms: Vec<Arc<Vocabulary>>,
    pub(super) clock: Clock,
    /// Admits one socket at a time.
    turn: Semaphore,
    current: Mutex<CancellationToken>,
}

/// Link status, for diagnostics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverStatus {
    /// True if an agent is connected.
    pub up: bool,
    /// SDK and version of the current or last agent.
    pub sdk: Option<(Text, Text)>,
    /// Its platform.
    pub platform: Option<Text>,
    /// Number of sessions.
    pub sessions: usize,
}

impl Driver {
    /// Creates a driver without an agent.
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
            state: Mutex::new(DriverState::new(link.clone(), name.clone(), config, tokens, health)),
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

    /// Runs the timers until shutdown.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let pause = if self.state.lock().is_restoring() { 20 } else { 200 };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
            self.state.lock().sweep(self.clock.now());
        }
    }

    /// Returns the link status.
    pub fn status(&self) -> DriverStatus {
        let state = self.state.lock();
        let agent = state.agent.as_ref();
        DriverStatus {
            up: state.link_up,
            sdk: agent.map(|agent| (agent.sdk.clone(), agent.version.clone())),
            platform: agent.map(|agent| agent.vocabulary.platform().clone()),
            sessions: state.clients.len(),
        }
    }

    /// Returns the number of objects that the agent has not acknowledged.
    pub fn waiting(&self) -> usize {
        self.link.waiting()
    }

    /// Replaces the current socket after it ended. The guard is held while the new socket is served.
    pub(super) async fn take_turn(&self) -> (tokio::sync::SemaphorePermit<'_>, CancellationToken) {
        let mine = CancellationToken::new();
        std::mem::replace(&mut *self.current.lock(), mine.clone()).cancel();
        let permit = self.turn.acquire().await.expect("it is never closed");
        (permit, mine)
    }

    /// Serves a socket after its handshake, until it ends or is replaced.
    pub(super) async fn serve<S>(&self, websocket: WebSocketStream<S>, mine: &CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let take = |body| self.state.lock().take(self.clock.now(), body);
        tokio::select! {
            () = mine.cancelled() => info!("link replaced by a new socket of the same agent"),
            ended = run_socket(websocket, &self.link, HEARTBEAT, take) => match ended {
                Ended::Closed => info!("agent link closed"),
                ended => warn!(%ended, "agent link lost"),
            },
        }
        self.state.lock().lost(self.clock.now());
    }
}

impl Upstream for Driver {
    fn open(&self, app: &AppId, notify: EventSink) -> ClientKey {
        ClientKey {
            app: app.clone(),
            number: self.state.lock().open(app, notify),
        }
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        self.state.lock().call(self.clock.now(), client.number, request, call);
    }

    fn close(&self, client: &ClientKey) {
        self.state.lock().close(client.number);
    }

    fn require_acknowledgement(&self, client: &ClientKey) {
        self.state.lock().require_acknowledgement(client.number);
    }

    fn processed(&self, client: &ClientKey, count: usize) {
        self.state.lock().processed(client.number, count);
    }

    fn can(&self, _: &AppId, kind: CallKind) -> bool {
        !self.state.lock().lacks().contains(&kind)
    }

    fn platform(&self, _: &AppId) -> Option<Text> {
        self.state
            .lock()
            .agent
            .as_ref()
            .map(|agent| agent.vocabulary.platform().clone())
    }
}
