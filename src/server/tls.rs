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

/// Certificate in use, with the files of the next one.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Stamp>,
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
    /// Creates the acceptor with the config's certificate.
    ///
    /// # Errors
    /// Returns errors of the library, which are not expected.
    pub fn new(tls: &config::Tls) -> Result<Self, Error> {
        let new = Self {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            current: RwLock::new(server_config(&tls.identity)?),
            seen: Mutex::default(),
        };
        *new.seen.lock() = new.stamp();
        Ok(new)
    }

    /// Returns an acceptor with the current certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().clone())
    }

    /// Reloads both files. Open connections keep their certificate; no session of the old certificate is resumed.
    ///
    /// # Errors
    /// Returns [`ReloadError`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let mut seen = self.seen.lock();
        self.reload_as(&mut seen)
    }

    /// Reloads both files if they have changed since the last attempt.
    ///
    /// # Errors
    /// Returns [`ReloadError`]; the old certificate stays in use.
    pub fn reload_if_changed(&self) -> Option<Result<(), ReloadError>> {
        let mut seen = self.seen.lock();
        (self.stamp() != *seen).then(|| self.reload_as(&mut seen))
    }

    fn reload_as(&self, seen: &mut Stamp) -> Result<(), ReloadError> {
        // Before the read: a file that changes meanwhile is read once more.
        *seen = self.stamp();
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
        *self.current.write() = server_config(&identity)?;
        Ok(())
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

/// Reloads the files outside the runtime's threads; logs and counts the result.
pub async fn reload(server: &Server, tls: &Arc<Tls>) {
    let tls = tls.clone();
    tell(server, spawn_blocking(move || Some(tls.reload())).await.ok().flatten());
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
        tell(
            &server,
            spawn_blocking(move || tls.reload_if_changed()).await.ok().flatten(),
        );
    }
}

fn tell(server: &Server, reloaded: Option<Result<(), ReloadError>>) {
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
