//! Embedded RTM as an upstream: worlds by app ID behind a lock, and a task for their timers.
//!
//! A call is answered inside the lock, so replies and events reach the sessions' inboxes in their order.

use std::sync::Arc;

use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::server::run_queue::enter;
use rtm::AppId;
use rtm::time::Time;
use rtm::{CallKind, RtmCall};
use runtime::clock::{Clock, Latest};

use rtm::upstream::{ClientKey, EventSink, Upstream};
use rtm_embedded::{ClientId, Output, RtmService, RtmServiceConfig};

/// Embedded RTM.
pub struct EmbeddedUpstream {
    apps: Mutex<HashMap<AppId, App>>,
    config: RtmServiceConfig,
    clock: Clock,
    /// Notification of a possibly earlier deadline.
    changed: Notify,
}

struct App {
    service: RtmService,
    latest: Latest,
    clients: HashMap<ClientId, EventSink>,
    /// Buffer for the outputs of the next call.
    outputs: Vec<Output>,
}

impl EmbeddedUpstream {
    /// Creates the upstream without worlds in use.
    pub fn new(config: RtmServiceConfig, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            apps: Mutex::default(),
            config,
            clock,
            changed: Notify::new(),
        })
    }

    /// Fires the worlds' timers until the end.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let due = self.deadline();
            let sleep = async {
                match due {
                    Some(at) => sleep_until(self.clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = sleep => self.tick(),
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.apps.lock().values().filter_map(|app| app.service.deadline()).min()
    }

    fn tick(&self) {
        // Sessions run after the release of the lock.
        let _run = enter();
        let mut apps = self.apps.lock();
        for app in apps.values_mut() {
            let mut out = Vec::new();
            let now = app.latest.now(&self.clock);
            app.service.tick(now, &mut out);
            app.emit(&mut out);
        }
        apps.retain(|_, app| !app.clients.is_empty() || !app.service.is_empty());
    }

    /// Acts on the service of a client as the RTM side does: a lost link, a ban, the end of its process.
    pub fn at_service(&self, client: &ClientKey, act: impl FnOnce(&mut RtmService, Time, ClientId, &mut Vec<Output>)) {
        self.with(&client.app, |app, now, out| {
            act(&mut app.service, now, ClientId(client.number), out);
        });
    }

    fn with(&self, app: &AppId, act: impl FnOnce(&mut App, Time, &mut Vec<Output>)) {
        let mut apps = self.apps.lock();
        let Some(app) = apps.get_mut(app) else { return };
        let before = app.service.deadline();
        let mut out = std::mem::take(&mut app.outputs);
        let now = app.latest.now(&self.clock);
        act(app, now, &mut out);
        app.emit(&mut out);
        app.outputs = out;
        if app.service.deadline() != before {
            self.changed.notify_one();
        }
    }
}

impl Upstream for EmbeddedUpstream {
    fn open(&self, app: &AppId, sink: EventSink) -> ClientKey {
        let mut apps = self.apps.lock();
        let entry = apps.entry(app.clone()).or_insert_with(|| App::new(self.config));
        let client = entry.service.open();
        entry.clients.insert(client, sink);
        ClientKey {
            app: app.clone(),
            number: client.0,
        }
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        self.with(&client.app, |app, now, out| {
            let id = ClientId(client.number);
            if app.clients.contains_key(&id) {
                app.service.call(now, id, request, call, out);
            }
        });
    }

    fn close(&self, client: &ClientKey) {
        self.with(&client.app, |app, now, out| {
            let id = ClientId(client.number);
            if app.clients.remove(&id).is_none() {
                return;
            }
            // A logout withdraws the client's invitations; a close does not.
            app.service.call(now, id, 0, RtmCall::Logout {}, out);
            app.service.close(now, id, out);
        });
    }

    fn can(&self, _: &AppId, _: CallKind) -> bool {
        true
    }
}

impl App {
    fn new(config: RtmServiceConfig) -> Self {
        Self {
            service: RtmService::new(config),
            latest: Latest::default(),
            clients: HashMap::default(),
            outputs: Vec::new(),
        }
    }

    fn emit(&self, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            let (client, event) = output.into_event();
            if let Some(sink) = self.clients.get(&client) {
                sink(event);
            }
        }
    }
}
