//! Agent server that dials: an agent.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connect::{DialError, dial, redial_delay};
use crate::handshake::{AGENT_HELLO, AgentHello, HelloResult, from_value, is_supported, to_value};
use crate::io::run_socket;
use rtm::value::Text;
use runtime::log_limit::{Bound, Cause, admits};

use crate::agent_server::core::AgentServer;

/// Dials the driver at `url` (`ws://127.0.0.1:8010/agent`), with reconnects, until shutdown.
pub async fn serve_driver(
    host: Arc<AgentServer>,
    url: &str,
    secret: Option<&SecretString>,
    shutdown: CancellationToken,
) {
    let known: Mutex<Option<Text>> = Mutex::new(None);
    let mut attempt: u32 = 0;
    let mut sweep = interval(Duration::from_secs(1));
    loop {
        let mut served = std::pin::pin!(serve_once(&host, url, secret, &known));
        let ended = loop {
            tokio::select! {
                () = shutdown.cancelled() => return host.end(),
                ended = &mut served => break ended,
                _ = sweep.tick() => { host.sweep(true); }
            }
        };
        match ended {
            Ok(()) => attempt = 0,
            Err(DialError::Refused(error)) => {
                if admits("rejected by the driver", Bound::EVENT, Cause::from(error.code)) {
                    warn!(reason = &*error.message, code = error.code, "rejected by the driver");
                }
            }
            Err(error) => {
                if admits("driver unreachable", Bound::EVENT, Cause::default()) {
                    info!(%error, "driver unreachable");
                }
            }
        }
        let delay = redial_delay(attempt);
        attempt += 1;
        tokio::select! {
            () = shutdown.cancelled() => return host.end(),
            () = tokio::time::sleep(delay) => {}
        }
        if host.sweep(false) {
            *known.lock() = None;
        }
    }
}

async fn serve_once(
    host: &AgentServer,
    url: &str,
    secret: Option<&SecretString>,
    known: &Mutex<Option<Text>>,
) -> Result<(), DialError> {
    let bridge = known.lock().clone();
    let hello = to_value(&AgentHello {
        host: host.part(),
        received: if bridge.is_some() { host.link.received() } else { 0 },
        instances: host.instances_held(),
        bridge: bridge.clone(),
    });
    let (websocket, answer) = dial(url, secret, AGENT_HELLO, hello).await?;
    let welcome: HelloResult = from_value(&answer).map_err(DialError::BadAnswer)?;
    if !is_supported(welcome.protocol) {
        return Err(DialError::BadAnswer(format!("protocol {}", welcome.protocol)));
    }
    let terms = welcome.terms;
    let went_on =
        terms.resumed && bridge.as_ref() == Some(&welcome.bridge) && host.link.resume(terms.received, terms.window);
    host.driver_connected(!went_on);
    info!(bridge = &*welcome.bridge, resumed = went_on, "linked");
    *known.lock() = Some(welcome.bridge);
    let ended = run_socket(
        websocket,
        &host.link,
        Duration::from_millis(terms.heartbeat.max(100)),
        |body| host.take(body),
    )
    .await;
    info!(%ended, "link closed");
    host.lost();
    Ok(())
}
