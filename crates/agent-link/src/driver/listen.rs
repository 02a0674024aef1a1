//! Where agents come in.

use std::sync::Arc;
use std::time::Duration;

use hyper_tungstenite::HyperWebsocketStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::PROTOCOL;
use crate::acceptor::{AccessPolicy, accept};
use crate::connect::{DialError, answer, asked, first_frame};
use crate::frame::{BUSY, ErrorBody, NO_METHOD};
use crate::handshake::{AGENT_HELLO, AgentHello, Welcome, from_value, to_value};
use rtm::value::Value;
use runtime::log_limit::{Bound, Cause, admits};

use crate::driver::upstream::Driver;

/// Those who come in and are not spoken to yet.
const LOBBY: usize = 16;
/// An agent that finds another one served learns it after this time: that one may have died and not been missed yet.
const BUSY_AFTER: Duration = Duration::from_secs(1);

/// Serves agents that come in at `listener` to a driver, until the shutdown.
pub async fn serve_agents(driver: Arc<Driver>, listener: TcpListener, door: AccessPolicy, shutdown: CancellationToken) {
    let (sender, mut coming) = mpsc::channel(LOBBY);
    tokio::spawn(accept(Arc::new(door), listener, sender, shutdown.clone()));
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
                ended = greet(&driver, websocket) => if let Err(error) = ended
                    && admits("not an agent", Bound::EVENT, Cause::default())
                {
                    info!(%error, "a connection is not an agent's");
                },
            }
        });
    }
}

async fn greet(driver: &Driver, mut websocket: HyperWebsocketStream) -> Result<(), DialError> {
    let first = first_frame(&mut websocket).await?;
    let Some((id, method, params)) = asked(first) else {
        return Err(DialError::BadAnswer("not a request".into()));
    };
    if &*method != AGENT_HELLO {
        let error = ErrorBody::new(NO_METHOD, format!("an agent says {AGENT_HELLO} first"));
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
            if admits("a second agent", Bound::EVENT, Cause::from(&hello.host.agent)) {
                warn!(
                    agent = &*hello.host.agent,
                    "a second agent is refused: one is being served"
                );
            }
            let error = ErrorBody::new(BUSY, "another agent is being served");
            return answer(&mut websocket, id, Err(error)).await;
        }
    }
    let agent = driver.core.lock().meet(&hello.host, &driver.platforms);
    let agent = match agent {
        Ok(agent) => agent,
        Err(error) => {
            if admits("an agent is refused", Bound::EVENT, Cause::from(&hello.host.agent)) {
                warn!(
                    agent = &*hello.host.agent,
                    reason = &*error.message,
                    "an agent is refused"
                );
            }
            return answer(&mut websocket, id, Err(error)).await;
        }
    };
    let (_turn, mine) = driver.take_turn().await;
    let terms = {
        let now = driver.clock.now();
        let mut core = driver.core.lock();
        let ours = hello.bridge.as_deref() == Some(&*driver.name);
        let resumed = if ours {
            core.resume(now, &hello.host.agent, hello.received)
        } else {
            None
        };
        resumed.unwrap_or_else(|| core.begin(now, agent, if ours { Vec::new() } else { hello.instances }))
    };
    let welcome: Value = to_value(&Welcome {
        protocol: PROTOCOL,
        bridge: driver.name.clone(),
        terms,
    });
    let answered = answer(&mut websocket, id, Ok(welcome)).await;
    if answered.is_err() {
        driver.core.lock().lost(driver.clock.now());
    }
    answered?;
    driver.serve(websocket, &mine).await;
    Ok(())
}

/// Another agent is there, and answers.
fn is_served(driver: &Driver, hello: &AgentHello) -> bool {
    let core = driver.core.lock();
    core.link_up && core.agent.as_ref().is_some_and(|agent| agent.id != hello.host.agent)
}
