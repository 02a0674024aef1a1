//! An RTM to play against that is served somewhere, by the agent link.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::cli::exit::Error;
use crate::cli::secret;
use agent_link::connect::DialError;
use agent_link::driver::{Driver, DriverConfig, LinkHealth, dial_server};
use protocol::encoder::Encoder;
use runtime::clock::Clock;
use tables::Tables;
use trace::{InconsistentRecord, Outcome, Trace, Watch, replay_upstream};

/// Polling interval.
const LOOK: Duration = Duration::from_millis(5);
/// Time limit for the logouts at the end.
const LEAVE: Duration = Duration::from_secs(2);

/// Connection to a served RTM.
pub struct Live {
    runtime: Runtime,
    driver: Arc<Driver>,
}

impl Live {
    /// Connects.
    ///
    /// # Errors
    /// The connection failed.
    pub fn connect(url: &str, secret_file: Option<&Path>, tables: &Tables) -> Result<Self, Error> {
        let secret = secret_file.map(secret::read).transpose()?;
        let failed =
            |error: &dyn std::fmt::Display| Error::failed(format_args!("cannot replay against {url}: {error}"));
        let runtime = Runtime::new().map_err(|error| failed(&error))?;
        let (config, health) = (DriverConfig::default(), LinkHealth::default());
        let driver = runtime.block_on(async { Driver::new(tables, config, None, health, Clock::start()) });
        let driver = driver.map_err(|error| failed(&error))?;
        let shutdown = CancellationToken::new();
        runtime.spawn(driver.clone().run(shutdown.clone()));
        let joining = {
            let (driver, url) = (driver.clone(), url.to_owned());
            runtime.spawn(async move { dial_server(driver, &url, secret.as_ref(), shutdown, true).await })
        };
        match runtime.block_on(joined(&driver, joining)) {
            Ok(()) => Ok(Self { runtime, driver }),
            Err(error) => {
                let (what, hint) = explained(&error);
                Err(failed(&what).hint(hint))
            }
        }
    }

    /// Replays a trace in real time.
    ///
    /// # Errors
    /// The first impossible record.
    pub fn play(
        &self,
        tables: &Arc<Tables>,
        encoders: &Arc<Vec<Arc<dyn Encoder>>>,
        trace: &Trace,
        watch: Watch<'_>,
    ) -> Result<Outcome, InconsistentRecord> {
        self.runtime.block_on(async {
            let outcome = replay_upstream(tables, encoders, trace, self.driver.clone(), watch).await;
            // The next trace may have the same accounts.
            let left = async {
                while self.driver.waiting() > 0 {
                    sleep(LOOK).await;
                }
            };
            let _ = timeout(LEAVE, left).await;
            outcome
        })
    }
}

/// Waits until the link is up or has failed.
async fn joined(driver: &Driver, joining: JoinHandle<Result<(), DialError>>) -> Result<(), DialError> {
    while !driver.status().up {
        if joining.is_finished() {
            return joining.await.unwrap_or(Err(DialError::Silent));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Returns the error text and hint of a link failure.
fn explained(error: &DialError) -> (String, &'static str) {
    const LISTENS: &str = "check that a sigbridge with `[embedded] listen` runs there and that the URL ends in /agent";
    const SECRET: &str = "pass the `[embedded] secret_file` of that RTM with --secret-file";
    let status = match error {
        DialError::Connect(inner) => match &**inner {
            tungstenite::Error::Http(response) => Some(response.status()),
            _ => None,
        },
        _ => None,
    };
    match (status, error) {
        (Some(StatusCode::UNAUTHORIZED), _) => ("missing or invalid secret".into(), SECRET),
        (_, DialError::Secret) => (error.to_string(), SECRET),
        _ => (error.to_string(), LISTENS),
    }
}
