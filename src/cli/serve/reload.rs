//! Reload by SIGHUP or `POST /reload`: reads and checks all files, then swaps.

use std::fmt::Write as _;
use std::sync::Arc;

use tables::Tables;
use tables::diagnostics::Source;
use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::config::{Change, Config};
use crate::log::Log;
use crate::reload::{Reloaded, Reloader};
use crate::server::Server;

use crate::cli::check::{compile_tables, read_sources};
use crate::cli::exit::Error;
use crate::cli::process::log_error;
use crate::cli::serve::{ServeArgs, fit_sockets, read_config};

/// Files of a running server.
pub struct ReloadFiles {
    args: ServeArgs,
    /// Texts of the tables in use.
    texts: Arc<Vec<Arc<Source>>>,
    /// Limit of file descriptors.
    descriptors: Option<usize>,
}

/// Files that have been read and checked.
struct Read {
    config: Config,
    texts: Vec<Arc<Source>>,
    /// Other tables than those in use.
    tables: Option<Tables>,
}

impl ReloadFiles {
    pub fn new(args: ServeArgs, texts: Vec<Arc<Source>>, descriptors: Option<usize>) -> Self {
        Self {
            args,
            texts: Arc::new(texts),
            descriptors,
        }
    }

    /// Returns the limit of file descriptors.
    pub fn descriptors(&self) -> Option<usize> {
        self.descriptors
    }

    /// Reads all files and uses them. Returns the changes as text.
    ///
    /// # Errors
    /// All errors as text, which are also logged; then nothing has changed.
    pub async fn reload(&mut self, server: &Server, reloader: &Reloader, log: &Log) -> Result<String, String> {
        info!("reloading config, tables, certificates and secrets");
        let (result, outcome) = match self.read_and_apply(reloader).await {
            Ok(reloaded) => ("ok", Ok(summary(&reloaded))),
            Err(error) => {
                error!("reload failed, nothing has changed");
                log_error(log, &error);
                ("failed", Err(error.text(false) + "\n"))
            }
        };
        server.metrics.reloaded(result);
        outcome
    }

    async fn read_and_apply(&mut self, reloader: &Reloader) -> Result<Reloaded, Error> {
        let (args, texts, descriptors) = (self.args.clone(), self.texts.clone(), self.descriptors);
        // Tables take some time to compile, which must not delay clients.
        let read = spawn_blocking(move || read(&args, &texts, descriptors)).await;
        let read = read.map_err(|_| Error::failed("the reload panicked"))??;
        let applied = reloader.apply(&read.config, read.tables).await;
        let reloaded = applied.map_err(|error| {
            let hint = "nothing has changed; correct the config and reload again";
            Error::failed(format_args!("{:#}", anyhow::Error::from(error))).hint(hint)
        })?;
        self.texts = Arc::new(read.texts);
        Ok(reloaded)
    }
}

fn read(args: &ServeArgs, in_use: &[Arc<Source>], descriptors: Option<usize>) -> Result<Read, Error> {
    let (mut config, texts) = (read_config(args)?, read_sources(args.mappings.as_ref())?);
    let tables = match texts == in_use {
        true => None,
        false => Some(compile_tables(&texts)?),
    };
    fit_sockets(&mut config, descriptors);
    Ok(Read { config, texts, tables })
}

/// Describes a reload for its requester.
fn summary(reloaded: &Reloaded) -> String {
    let mut text = String::new();
    for changed in &reloaded.changed {
        let (old, new) = (
            changed.old.as_deref().unwrap_or("-"),
            changed.new.as_deref().unwrap_or("-"),
        );
        let note = match changed.change {
            Change::Reload => "",
            Change::Restart => " (restart to use it)",
        };
        let _ = writeln!(text, "{}: {old} -> {new}{note}", changed.name);
    }
    if reloaded.tables {
        text += "new calls use the new tables\n";
    }
    if text.is_empty() {
        text += "nothing has changed\n";
    }
    text
}
