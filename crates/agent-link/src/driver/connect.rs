//! Dialling a listening agent server: the embedded RTM of another process.

use std::sync::Arc;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::PROTOCOL;
use crate::connect::{DialError, dial, redial_delay};
use crate::handshake::{Served, USER_HELLO, UserHello, from_value, to_value};
use runtime::log_limit::{Bound, Cause, admits};

use crate::driver::upstream::Driver;

/// Dials the agent server at `url` (`ws://127.0.0.1:8012/agent`) until shutdown; `once` stops after a failed first
/// attempt.
///
/// # Errors
/// [`DialError`] of the first attempt.
pub async fn dial_server(
    driver: Arc<Driver>,
    url: &str,
    secret: Option<&SecretString>,
    shutdown: CancellationToken,
    once: bool,
) -> Result<(), DialError> {
    let mut attempt: u32 = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            joined = join(&driver, url, secret) => match joined {
                Ok(()) => attempt = 0,
                Err(error) if once && attempt == 0 => return Err(error),
                Err(error) => if admits("RTM server unreachable", Bound::EVENT, Cause::default()) {
                    info!(%error, "RTM server unreachable");
                },
            },
        }
        let delay = redial_delay(attempt);
        attempt += 1;
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

async fn join(driver: &Driver, url: &str, secret: Option<&SecretString>) -> Result<(), DialError> {
    let (host, received) = {
        let state = driver.state.lock();
        (
            state.agent.as_ref().map(|agent| agent.id.clone()),
            driver.link.received(),
        )
    };
    let hello = to_value(&UserHello {
        protocol: PROTOCOL,
        user: driver.name.clone(),
        host,
        received,
    });
    let (websocket, answer) = dial(url, secret, USER_HELLO, hello).await?;
    let served: Served = from_value(&answer).map_err(DialError::BadAnswer)?;
    let (_turn, mine) = driver.take_turn().await;
    {
        let now = driver.clock.now();
        let mut state = driver.state.lock();
        let agent = state
            .identify(&served.host, &driver.platforms)
            .map_err(DialError::Refused)?;
        let id = agent.id.clone();
        let went_on = served.terms.resumed && state.resume(now, &id, served.terms.received).is_some();
        if !went_on {
            state.begin(now, agent, Vec::new());
        }
    }
    driver.serve(websocket, &mine).await;
    Ok(())
}
