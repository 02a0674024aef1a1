//! Agent server that listens: an RTM for other sidecars, each on its own link.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hyper_tungstenite::HyperWebsocketStream;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::HEARTBEAT;
use crate::acceptor::{AccessPolicy, accept};
use crate::connect::{DialError, answer, first_frame, requested};
use crate::frame::{BAD_PARAMS, BAD_PROTOCOL, BUSY, ErrorBody, NO_METHOD};
use crate::handshake::{
    LinkParameters, Served, USER_HELLO, UserHello, from_value, is_supported, random_name, to_value,
};
use crate::io::run_socket;
use crate::vocabulary::Vocabulary;
use rtm::upstream::Upstream;
use rtm::value::Text;
use runtime::clock::Clock;
use runtime::log_limit::{Bound, Cause, admits};

use crate::agent_server::core::{AgentServer, AgentServerConfig};

const LOBBY: usize = 16;
/// Maximum of client processes, connected or waiting for a reconnect.
const MAX_USERS: usize = 256;

struct Users {
    upstream: Arc<dyn Upstream>,
    vocabulary: Arc<Vocabulary>,
    config: AgentServerConfig,
    clock: Clock,
    known: Mutex<HashMap<Text, User>>,
}

struct User {
    host: Arc<AgentServer>,
    /// Admits one socket at a time.
    turn: Arc<Semaphore>,
    current: CancellationToken,
}

/// Serves client processes at `listener` until shutdown.
pub async fn serve_users(
    upstream: Arc<dyn Upstream>,
    vocabulary: Arc<Vocabulary>,
    config: AgentServerConfig,
    clock: Clock,
    (listener, policy): (TcpListener, AccessPolicy),
    shutdown: CancellationToken,
) {
    let users = Arc::new(Users {
        upstream,
        vocabulary,
        config,
        clock,
        known: Mutex::default(),
    });
    let (sender, mut coming) = mpsc::channel(LOBBY);
    tokio::spawn(accept(Arc::new(policy), listener, sender, shutdown.clone()));
    let mut sweep = interval(Duration::from_secs(1));
    loop {
        let websocket = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = sweep.tick() => {
                users.sweep();
                continue;
            }
            websocket = coming.recv() => websocket,
        };
        let Some(websocket) = websocket else { return };
        let (users, shutdown) = (users.clone(), shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                ended = users.handshake(websocket) => if let Err(error) = ended
                    && admits("invalid clients", Bound::EVENT, Cause::default())
                {
                    info!(%error, "client handshake failed");
                },
            }
        });
    }
}

impl Users {
    fn sweep(&self) {
        self.known.lock().retain(|_, user| {
            let there = user.turn.available_permits() == 0;
            !user.host.sweep(there)
        });
    }

    async fn handshake(&self, mut websocket: HyperWebsocketStream) -> Result<(), DialError> {
        let first = first_frame(&mut websocket).await?;
        let Some((id, method, params)) = requested(first) else {
            return Err(DialError::BadAnswer("expected a request".into()));
        };
        let refused = |code, text: String| Err(ErrorBody::new(code, text));
        if &*method != USER_HELLO {
            return answer(
                &mut websocket,
                id,
                refused(NO_METHOD, format!("expected {USER_HELLO} as the first request")),
            )
            .await;
        }
        let hello: UserHello = match from_value(&params) {
            Ok(hello) => hello,
            Err(error) => return answer(&mut websocket, id, refused(BAD_PARAMS, error)).await,
        };
        if !is_supported(hello.protocol) {
            return answer(
                &mut websocket,
                id,
                refused(BAD_PROTOCOL, "unsupported protocol version".into()),
            )
            .await;
        }
        let Some((host, turn, mine)) = self.host(&hello.user) else {
            return answer(&mut websocket, id, refused(BUSY, "too many clients".into())).await;
        };
        let _turn = turn.acquire().await.expect("it is never closed");
        let went_on = hello.host.as_ref() == Some(&host.name) && host.link.resume(hello.received, crate::WINDOW);
        host.driver_connected(!went_on);
        let served = to_value(&Served {
            host: host.part(),
            terms: LinkParameters::offer(host.link.received(), went_on),
        });
        answer(&mut websocket, id, Ok(served)).await?;
        tokio::select! {
            () = mine.cancelled() => {}
            ended = run_socket(websocket, &host.link, HEARTBEAT, |body| host.take(body)) => info!(%ended, "client link closed"),
        }
        host.lost();
        Ok(())
    }

    /// Returns the state of a process, which may have connected before; its previous socket is closed.
    fn host(&self, user: &Text) -> Option<(Arc<AgentServer>, Arc<Semaphore>, CancellationToken)> {
        let mut known = self.known.lock();
        let mine = CancellationToken::new();
        if let Some(user) = known.get_mut(user) {
            std::mem::replace(&mut user.current, mine.clone()).cancel();
            return Some((user.host.clone(), user.turn.clone(), mine));
        }
        if known.len() >= MAX_USERS {
            return None;
        }
        let name = random_name().ok()?;
        let host = AgentServer::new(
            name,
            self.config.clone(),
            self.vocabulary.clone(),
            self.upstream.clone(),
            self.clock,
        );
        let turn = Arc::new(Semaphore::new(1));
        let entry = User {
            host: host.clone(),
            turn: turn.clone(),
            current: mine.clone(),
        };
        known.insert(user.clone(), entry);
        Some((host, turn, mine))
    }
}
