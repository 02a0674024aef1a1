//! TLS: how it begins, and how its certificate is replaced while clients are connected.

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

/// The first byte of a TLS connection: a record of the handshake. No HTTP request begins with it.
pub const HANDSHAKE: u8 = 0x16;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The certificate in use, and where the next one comes from.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Stamp>,
}

/// When both files were changed, and their lengths; `None` for one that is not there.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Why the files give no certificate.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// One cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// They are not what they should be.
    #[error("`{path}` {bad}")]
    Bad {
        /// The one at fault.
        path: PathBuf,
        /// What is wrong with it.
        bad: BadIdentity,
    },
    /// The library does not take it.
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
    /// With the certificate that the config was read with.
    ///
    /// # Errors
    /// The library's, which are not expected.
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

    /// What begins TLS on a connection, with the certificate of this moment.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().clone())
    }

    /// Reads both files again. Connections that are open stay as they are; no session of the old certificate is resumed.
    ///
    /// # Errors
    /// [`ReloadError`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let mut seen = self.seen.lock();
        self.reload_as(&mut seen)
    }

    /// The same, unless the files are as they were at the last attempt.
    ///
    /// # Errors
    /// [`ReloadError`].
    pub fn reload_if_changed(&self) -> Option<Result<(), ReloadError>> {
        let mut seen = self.seen.lock();
        (self.stamp() != *seen).then(|| self.reload_as(&mut seen))
    }

    fn reload_as(&self, seen: &mut Stamp) -> Result<(), ReloadError> {
        // Before the reading: a file that changes meanwhile is read once more.
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

/// No ALPN: a client speaks HTTP/1.1 then whatever it has offered, and with ALPN some offers would be refused.
fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        // Both versions: the web views of old phones have no TLS 1.3.
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0.clone())));
    Ok(Arc::new(config))
}

/// Reads the files again, off the runtime's threads; logged and counted.
pub async fn reload(server: &Server, tls: &Arc<Tls>) {
    let tls = tls.clone();
    tell(server, spawn_blocking(move || Some(tls.reload())).await.ok().flatten());
}

/// Looks after the files until the shutdown, for systems and containers where nobody sends signals.
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
            info!("new connections get the certificate that was read just now");
        }
        Some(Err(error)) => {
            server.metrics.certificate_loaded("failed");
            let hint = error.hint();
            // The system's answer is the source of it.
            let error = anyhow::Error::from(error);
            error!(hint, "the old certificate stays in use: {error:#}");
        }
    }
}

/// Why a handshake failed: what the counter is told.
pub fn failure(error: &io::Error) -> &'static str {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
        return "closed by the client";
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        // Mostly a client that does not trust the CA.
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
