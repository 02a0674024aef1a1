//! RTM of a scenario: the embedded service, which the sidecars and the RTM-native users share, also behind a link.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use agent_link::vocabulary::Vocabulary;
use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
use rtm::value::Text;
use rtm::{AppId, CallKind, RtmCall};
use rtm_embedded::RtmServiceConfig;
use runtime::clock::Clock;
use sigbridge::server::run_queue::enter;
use sigbridge::upstream::EmbeddedUpstream;

use super::VID;
use super::link::Link;

/// The service.
pub struct Service {
    embedded: Arc<EmbeddedUpstream>,
    /// The vocabulary of the links; `None` without links.
    words: Option<Arc<Vocabulary>>,
}

/// A client of the service.
#[derive(Clone)]
pub struct ServiceClient {
    key: ClientKey,
    link: Option<Arc<Mutex<Link>>>,
}

/// Change of a client that neither a call nor a close makes.
#[derive(Clone, Copy, Debug)]
pub enum Disturbance {
    Link(bool),
    Ban,
    /// The end of its process.
    Kill,
}

impl Service {
    /// Starts the service.
    pub fn start(config: RtmServiceConfig, clock: Clock, words: Option<Arc<Vocabulary>>) -> Arc<Self> {
        let embedded = EmbeddedUpstream::new(config, clock);
        tokio::spawn(embedded.clone().run(CancellationToken::new()));
        Arc::new(Self { embedded, words })
    }

    /// Opens a client.
    pub fn open(&self, sink: EventSink) -> ServiceClient {
        let link = self.words.clone().map(|words| Arc::new(Mutex::new(Link::new(words))));
        let passed = link.clone();
        let to_client = move |event| {
            let event = match &passed {
                Some(link) => link.lock().event(event),
                None => event,
            };
            sink(event);
        };
        let app = AppId::new(VID).expect("a legal app id");
        let key = self.embedded.open(&app, Arc::new(to_client));
        ServiceClient { key, link }
    }

    /// Makes a call of a client.
    pub fn call(&self, client: &ServiceClient, request: u64, call: RtmCall) {
        let call = match &client.link {
            Some(link) => link.lock().call(request, call),
            None => call,
        };
        self.embedded.call(&client.key, request, call);
    }

    /// Disturbs a client.
    pub fn disturb(&self, client: &ServiceClient, what: Disturbance) {
        let _run = enter();
        self.embedded
            .at_service(&client.key, |service, now, id, out| match what {
                Disturbance::Link(up) => service.link(now, id, up, out),
                Disturbance::Ban => service.ban(now, id, out),
                Disturbance::Kill => service.close(now, id, out),
            });
    }
}

/// The service as one sidecar uses it.
pub struct SidecarRtm {
    service: Arc<Service>,
    /// Calls that it does not support.
    lacks: Vec<CallKind>,
    sessions: Mutex<BTreeMap<u64, SessionClient>>,
    /// Set after the end of the sidecar's process.
    is_killed: Arc<AtomicBool>,
}

#[derive(Clone)]
struct SessionClient {
    client: ServiceClient,
    sink: EventSink,
    /// User id of its login.
    user: Option<Text>,
}

impl SidecarRtm {
    /// Creates the upstream of a sidecar.
    pub fn new(service: &Arc<Service>, lacks: &[CallKind]) -> Arc<Self> {
        Arc::new(Self {
            service: service.clone(),
            lacks: lacks.to_vec(),
            sessions: Mutex::default(),
            is_killed: Arc::default(),
        })
    }

    fn sessions(&self) -> Vec<SessionClient> {
        self.sessions.lock().values().cloned().collect()
    }

    fn session(&self, user: &Text) -> Option<SessionClient> {
        let mut sessions = self.sessions().into_iter().rev();
        sessions.find(|session| session.user.as_ref() == Some(user))
    }

    /// Returns the client of a user's latest session.
    pub fn client(&self, user: &Text) -> Option<ServiceClient> {
        self.session(user).map(|session| session.client)
    }

    /// Connects or disconnects the sidecar's upstream, for one user or for all.
    pub fn set_up(&self, up: bool, user: Option<&Text>) {
        let sessions = match user {
            Some(user) => self.session(user).into_iter().collect(),
            None => self.sessions(),
        };
        let _run = enter();
        sessions
            .into_iter()
            .for_each(|session| (session.sink)(UpstreamEvent::Up(up)));
    }

    /// Ends the process, without a logout.
    pub fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
        for session in self.sessions() {
            self.service.disturb(&session.client, Disturbance::Kill);
        }
    }
}

impl Upstream for SidecarRtm {
    fn open(&self, _: &AppId, sink: EventSink) -> ClientKey {
        let (is_killed, to_session) = (self.is_killed.clone(), sink.clone());
        let client = self.service.open(Arc::new(move |event| {
            if !is_killed.load(Ordering::Relaxed) {
                to_session(event);
            }
        }));
        let key = client.key.clone();
        let user = None;
        self.sessions
            .lock()
            .insert(key.number, SessionClient { client, sink, user });
        key
    }

    fn call(&self, key: &ClientKey, request: u64, call: RtmCall) {
        let client = {
            let mut sessions = self.sessions.lock();
            let Some(session) = sessions.get_mut(&key.number) else {
                return;
            };
            if let RtmCall::Login { uid, .. } = &call {
                session.user = Some(uid.text().clone());
            }
            session.client.clone()
        };
        if !self.is_killed.load(Ordering::Relaxed) {
            self.service.call(&client, request, call);
        }
    }

    fn close(&self, key: &ClientKey) {
        self.sessions.lock().remove(&key.number);
        if !self.is_killed.load(Ordering::Relaxed) {
            self.service.embedded.close(key);
        }
    }

    fn can(&self, _: &AppId, kind: CallKind) -> bool {
        !self.lacks.contains(&kind)
    }
}
