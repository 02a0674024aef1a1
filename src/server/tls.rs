//! TLS acceptor, with replacement of the certificate while clients are connected.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::crypto::ring::default_provider;
use rustls::sign::SingleCertAndKey;
use rustls::{Error, ServerConfig};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use crate::config;
use crate::config::{BadIdentity, Identity};
use crate::server::Server;
use text_files::read_text;

/// First byte of a TLS connection: a handshake record. No HTTP request begins with it.
pub const HANDSHAKE: u8 = 0x16;
/// Interval of the file checks.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Certificate in use, if any, with the files of the next one.
#[derive(Debug)]
pub struct Tls {
    current: RwLock<Option<Current>>,
    seen: Mutex<Stamp>,
}

#[derive(Clone, Debug)]
struct Current {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<ServerConfig>,
}

/// Modification times and lengths of both files; `None` for a missing file.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Error of a certificate reload.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// System error.
        source: io::Error,
    },
    /// A file is invalid.
    #[error("`{path}` {bad}")]
    Bad {
        /// Path of the invalid file.
        path: PathBuf,
        /// Defect of the file.
        bad: BadIdentity,
    },
    /// The library rejects the certificate.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] Error),
}

impl ReloadError {
    fn hint(&self) -> &'static str {
        match self {
            Self::Bad { bad, .. } => bad.hint(),
            Self::Read { .. } | Self::Tls(_) => "put both files in place and send SIGHUP, or wait a minute",
        }
    }
}

impl Tls {
    /// Creates the acceptor with the config's certificate, if there is one.
    ///
    /// # Errors
    /// Returns errors of the library, which are not expected.
    pub fn new(tls: Option<&config::Tls>) -> Result<Self, Error> {
        let new = Self {
            current: RwLock::default(),
            seen: Mutex::default(),
        };
        new.replace(tls)?;
        Ok(new)
    }

    /// Uses the certificate of a new config, for new connections.
    ///
    /// # Errors
    /// Returns errors of the library; the old certificate stays in use.
    pub fn replace(&self, tls: Option<&config::Tls>) -> Result<(), Error> {
        let mut seen = self.seen.lock();
        let current = tls.map(|tls| {
            Ok::<_, Error>(Current {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                config: server_config(&tls.identity)?,
            })
        });
        let current = current.transpose()?;
        *seen = current.as_ref().map(Current::stamp).unwrap_or_default();
        *self.current.write() = current;
        Ok(())
    }

    /// Returns an acceptor with the current certificate, if there is one.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        let current = self.current.read();
        current
            .as_ref()
            .map(|current| TlsAcceptor::from(current.config.clone()))
    }

    /// Reloads both files if they have changed since the last attempt. Open connections keep their certificate; no
    /// session of the old certificate is resumed.
    ///
    /// # Errors
    /// Returns [`ReloadError`]; the old certificate stays in use.
    pub fn reload_if_changed(&self) -> Option<Result<(), ReloadError>> {
        let mut seen = self.seen.lock();
        let current = self.current.read().clone()?;
        // Before the read: a file that changes meanwhile is read once more.
        let stamp = current.stamp();
        if stamp == *seen {
            return None;
        }
        *seen = stamp;
        Some(current.read_again().map(|config| {
            *self.current.write() = Some(Current { config, ..current });
        }))
    }
}

impl Current {
    fn read_again(&self) -> Result<Arc<ServerConfig>, ReloadError> {
        let text = |path: &PathBuf| {
            read_text(path).map_err(|source| ReloadError::Read {
                path: path.clone(),
                source,
            })
        };
        let identity = Identity::from_pem(&text(&self.certificate)?, &text(&self.key)?).map_err(|bad| {
            let path = if bad.is_about_key() {
                &self.key
            } else {
                &self.certificate
            };
            ReloadError::Bad {
                path: path.clone(),
                bad,
            }
        })?;
        Ok(server_config(&identity)?)
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

/// Builds the config without ALPN. A client then uses HTTP/1.1 for any offer; with ALPN some offers would be refused.
fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        // Both versions: the web views of old phones do not support TLS 1.3.
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0.clone())));
    Ok(Arc::new(config))
}

/// Watches the files until the shutdown, for systems and containers without signals.
pub async fn watch_files(server: Arc<Server>, tls: Arc<Tls>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = server.shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        let tls = tls.clone();
        log_reload(
            &server,
            spawn_blocking(move || tls.reload_if_changed()).await.ok().flatten(),
        );
    }
}

fn log_reload(server: &Server, reloaded: Option<Result<(), ReloadError>>) {
    match reloaded {
        None => {}
        Some(Ok(())) => {
            server.metrics.certificate_loaded("ok");
            info!("new connections use the reloaded certificate");
        }
        Some(Err(error)) => {
            server.metrics.certificate_loaded("failed");
            let hint = error.hint();
            // The system error is the source of the error.
            let error = anyhow::Error::from(error);
            error!(hint, "the old certificate stays in use: {error:#}");
        }
    }
}

/// Returns the counter label of a failed handshake.
pub fn failure(error: &io::Error) -> &'static str {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
        return "closed by the client";
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        // Usually a client that does not trust the CA.
        Some(Error::AlertReceived(_)) => "refused by the client",
        Some(Error::PeerIncompatible(_)) => "nothing in common",
        Some(
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::DecryptError,
        ) => "not TLS",
        _ => "other",
    }
}
