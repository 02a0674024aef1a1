//! Reload of config, tables, certificates and secrets in a running server.
//!
//! The caller reads and checks all files first. [`Reloader::apply`] then swaps: connections and sessions that begin
//! afterwards use the new values. A live session keeps its limits, and its tables until
//! its client is away.

use std::sync::Arc;

use tracing::{info, warn};

use crate::config::{Change, Changed, Config, UpstreamKind, unreachable_profiles};
use crate::server::tls::Tls;
use crate::server::{Server, TableSet, TooManyTables};
use crate::startup::{Running, StartError};
use crate::upstream::rtm_tokens::AppTokens;
use rtm::AppId;
use tables::Tables;

/// Reload of a running server.
pub struct Reloader {
    server: Arc<Server>,
    tls: Arc<Tls>,
    tokens: Option<Arc<AppTokens>>,
    /// Config of the start, which assigns each app to an RTM backend.
    start: Arc<Config>,
}

/// Error of a reload, after which nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The values cannot be used.
    #[error(transparent)]
    Unusable(#[from] StartError),
    /// Many earlier tables are in use.
    #[error(transparent)]
    Tables(#[from] TooManyTables),
    /// The TLS library cannot be set up.
    #[error("cannot set TLS up")]
    Tls(#[from] rustls::Error),
}

/// Result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys with new values, in use or not.
    pub changed: Vec<Changed>,
    /// True if new sessions have other tables.
    pub tables: bool,
}

impl Reloader {
    pub fn new(running: &Running) -> Self {
        Self {
            server: running.server.clone(),
            tls: running.tls.clone(),
            tokens: running.tokens.clone(),
            start: running.server.config(),
        }
    }

    /// Uses a config, and tables if they are other ones. Logs each changed key.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    pub async fn apply(&self, new: &Config, tables: Option<Tables>) -> Result<Reloaded, ReloadError> {
        let old = self.server.config();
        let routed = |app: &AppId| self.routed(app);
        let config = old.reloaded(new, routed);
        // All that can fail, before the first change.
        let set = tables.map(|tables| TableSet::new(Arc::new(tables)).ok_or(StartError::NoWire));
        let set = set.transpose()?;
        if self.tokens.is_some() {
            AppTokens::new(&config, self.server.clock)?;
        }
        Tls::new(config.tls.as_ref())?;
        let reloaded = Reloaded {
            changed: old.changes(new),
            tables: set.is_some(),
        };
        if let Some(set) = set {
            self.server.replace_tables(set).await?;
        }
        if let Some(tokens) = &self.tokens {
            tokens.replace(&config)?;
        }
        self.tls.replace(config.tls.as_ref())?;
        self.server.webhooks.replace(&config.webhook)?;
        for app in old.apps_for_restart(new, routed) {
            let hint = "restart to start the RTM backend of the app";
            warn!(
                app = app.as_str(),
                hint, "new app is not served yet: its upstream is not running"
            );
        }
        note_unreachable(&config, &self.server.tables());
        self.server.replace_config(config);
        if reloaded.changed.iter().any(|changed| changed.name.starts_with("tls.")) {
            self.server.metrics.certificate_loaded("ok");
            info!("new connections use the reloaded certificate");
        }
        log(&reloaded);
        Ok(reloaded)
    }

    /// Returns the RTM backend that calls of an app go to: upstreams are not replaced at a reload.
    fn routed(&self, app: &AppId) -> UpstreamKind {
        self.start.upstream_of(app)
    }
}

/// Logs profiles of `[[sunset]]` that no login has.
pub fn note_unreachable(config: &Config, tables: &Tables) {
    for profile in unreachable_profiles(config, tables) {
        let hint = "use a profile of mappings/wire/profiles.toml that a client has at its login, such as \"web\"";
        warn!(
            profile = &*profile,
            hint, "[[sunset]] names a profile that no login has"
        );
    }
}

fn log(reloaded: &Reloaded) {
    for Changed { name, old, new, change } in &reloaded.changed {
        let (old, new) = (old.as_deref().unwrap_or("-"), new.as_deref().unwrap_or("-"));
        match change {
            Change::Reload => info!(key = name, old, new, "config changed"),
            Change::Restart => warn!(
                key = name,
                old,
                new,
                hint = "restart to use it",
                "config changed, but not in use"
            ),
        }
    }
    if reloaded.tables {
        info!("new calls use the new tables");
    }
    if reloaded.changed.is_empty() && !reloaded.tables {
        info!("reloaded: nothing has changed");
    }
}
