//! A sidecar: the program's server, without listeners.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use identity::Account;
use rtm::AppId;
use runtime::clock::Clock;
use runtime::net::{Shortages, Taken};
use sigbridge::admin::Metrics;
use sigbridge::config::Config;
use sigbridge::server::connection::{Connection, run_socket};
use sigbridge::server::connection_state::Accepted;
use sigbridge::server::{Server, SessionHandle, TableSet};
use sigbridge::webhook::Webhooks;

use super::network::SidecarEnd;
use super::recording::Records;
use super::service::SidecarRtm;
use super::{START, VID};

/// A sidecar.
pub struct Sidecar {
    server: Arc<Server>,
    pub rtm: Arc<SidecarRtm>,
    records: Option<Arc<Records>>,
    connections: Vec<AbortHandle>,
    is_killed: bool,
}

impl Sidecar {
    /// Starts a sidecar in the current runtime.
    pub(super) fn start(
        set: Arc<TableSet>,
        config: Config,
        rtm: Arc<SidecarRtm>,
        clock: Clock,
        records: Option<Arc<Records>>,
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let webhooks = Webhooks::start(&config.webhook, clock, metrics.clone()).expect("no receivers");
        let counters = (
            metrics,
            Arc::new(webhooks),
            Arc::new(Shortages::new(clock)),
            Arc::default(),
        );
        let tasks = (TaskTracker::new(), CancellationToken::new());
        let server = Server::new(config, set, (rtm.clone(), None, None), clock, counters, tasks);
        let server = server.expect("the key of session lines");
        if let Some(records) = &records {
            server.recorder.record_into(records.clone(), START);
        }
        server.run_sessions();
        Self {
            server,
            rtm,
            records,
            connections: Vec::new(),
            is_killed: false,
        }
    }

    /// Accepts a connection.
    pub(super) fn accept(&mut self, transport: SidecarEnd, peer: IpAddr) {
        let server = self.server.clone();
        let permit = server.enter(peer).expect("a place for a connection");
        let accepted = Accepted {
            peer,
            at: server.clock.now(),
            origin: None,
        };
        let connection = Connection {
            accepted,
            taken: Taken::default(),
            permit,
        };
        let kind = transport.kind;
        let transport = Arc::new(Mutex::new(transport));
        let task = self.server.tasks.spawn(run_socket(server, kind, transport, connection));
        self.connections.push(task.abort_handle());
    }

    /// Returns the session of an account.
    pub fn session(&self, account: &str) -> Option<SessionHandle> {
        let (app, account) = AppId::new(VID).ok().zip(Account::new(account).ok())?;
        self.server.registry.session(&(app, account))
    }

    /// Begins the end of the process by SIGTERM.
    pub fn stop(&self) {
        let server = self.server.clone();
        tokio::spawn(async move { server.stop(Duration::from_secs(10)).await });
    }

    /// Ends the process at once.
    pub fn kill(&mut self) {
        self.is_killed = true;
        self.rtm.kill();
        self.server.ended.cancel();
        self.connections.drain(..).for_each(|task| task.abort());
    }

    /// Checks that a stopped sidecar has no sessions, and replays what it has recorded.
    ///
    /// # Errors
    /// Returns a session that continues, or a difference.
    pub fn check(&self) -> Result<(), String> {
        if !self.is_killed && !self.server.registry.is_empty() {
            return Err("a session goes on after the stop".into());
        }
        let set = self.server.sets.current();
        self.records
            .as_ref()
            .map_or(Ok(()), |records| records.check_replay(&set))
    }
}
