//! Listener for agents.

use std::sync::Arc;
use std::time::Duration;

use hyper_tungstenite::HyperWebsocketStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::PROTOCOL;
use crate::acceptor::{AccessPolicy, accept};
use crate::connect::{DialError, answer, first_frame, requested};
use crate::frame::{BUSY, ErrorBody, NO_METHOD};
use crate::handshake::{AGENT_HELLO, AgentHello, HelloResult, from_value, to_value};
use rtm::value::Value;
use runtime::log_limit::{Bound, Cause, admits};

use crate::driver::upstream::Driver;

/// Maximum of accepted connections before their handshake.
const LOBBY: usize = 16;
/// Delay before second agent is rejected: the loss of the first one may not be detected yet.
const BUSY_AFTER: Duration = Duration::from_secs(1);

/// Serves agents at `listener` until shutdown.
pub async fn serve_agents(
    driver: Arc<Driver>,
    listener: TcpListener,
    policy: AccessPolicy,
    shutdown: CancellationToken,
) {
    let (sender, mut coming) = mpsc::channel(LOBBY);
    tokio::spawn(accept(Arc::new(policy), listener, sender, shutdown.clone()));
    loop {
        let websocket = tokio::select! {
            () = shutdown.cancelled() => return,
            websocket = coming.recv() => websocket,
        };
        let Some(websocket) = websocket else { return };
        let (driver, shutdown) = (driver.clone(), shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                ended = handshake(&driver, websocket) => if let Err(error) = ended
                    && admits("invalid agents", Bound::EVENT, Cause::default())
                {
                    info!(%error, "agent handshake failed");
                },
            }
        });
    }
}

async fn handshake(driver: &Driver, mut websocket: HyperWebsocketStream) -> Result<(), DialError> {
    let first = first_frame(&mut websocket).await?;
    let Some((id, method, params)) = requested(first) else {
        return Err(DialError::BadAnswer("expected a request".into()));
    };
    if &*method != AGENT_HELLO {
        let error = ErrorBody::new(NO_METHOD, format!("expected {AGENT_HELLO} as the first request"));
        return answer(&mut websocket, id, Err(error)).await;
    }
    let hello: AgentHello = match from_value(&params) {
        Ok(hello) => hello,
        Err(error) => {
            let error = ErrorBody::new(crate::frame::BAD_PARAMS, error);
            return answer(&mut websocket, id, Err(error)).await;
        }
    };
    if is_served(driver, &hello) {
        tokio::time::sleep(BUSY_AFTER).await;
        if is_served(driver, &hello) {
            if admits("second agent", Bound::EVENT, Cause::from(&hello.host.agent)) {
                warn!(agent = &*hello.host.agent, "agent rejected: another agent is connected");
            }
            let error = ErrorBody::new(BUSY, "another agent is connected");
            return answer(&mut websocket, id, Err(error)).await;
        }
    }
    let agent = driver.state.lock().identify(&hello.host, &driver.platforms);
    let agent = match agent {
        Ok(agent) => agent,
        Err(error) => {
            if admits("rejected agents", Bound::EVENT, Cause::from(&hello.host.agent)) {
                warn!(agent = &*hello.host.agent, reason = &*error.message, "agent rejected");
            }
            return answer(&mut websocket, id, Err(error)).await;
        }
    };
    let (_turn, mine) = driver.take_turn().await;
    let terms = {
        let now = driver.clock.now();
        let mut state = driver.state.lock();
        let ours = hello.bridge.as_deref() == Some(&*driver.name);
        let resumed = if ours {
            state.resume(now, &hello.host.agent, hello.received)
        } else {
            None
        };
        resumed.unwrap_or_else(|| state.begin(now, agent, if ours { Vec::new() } else { hello.instances }))
    };
    let welcome: Value = to_value(&HelloResult {
        protocol: PROTOCOL,
        bridge: driver.name.clone(),
        terms,
    });
    let answered = answer(&mut websocket, id, Ok(welcome)).await;
    if answered.is_err() {
        driver.state.lock().lost(driver.clock.now());
    }
    answered?;
    driver.serve(websocket, &mine).await;
    Ok(())
}

/// Returns true if another agent is connected and responsive.
fn is_served(driver: &Driver, hello: &AgentHello) -> bool {
    let state = driver.state.lock();
    state.link_up && state.agent.as_ref().is_some_and(|agent| agent.id != hello.host.agent)
}
