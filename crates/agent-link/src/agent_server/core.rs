//! Execution of a driver's requests by an upstream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tracing::{debug, warn};

use crate::frame::{BAD_PARAMS, Body, ErrorBody, Frame, NO_METHOD, NO_SESSION};
use crate::handshake::{Held, HostPart, Limits};
use crate::vocabulary::Vocabulary;
use crate::{KEEP, Link, MAX_WAITING, PROTOCOL, WINDOW};
use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{Upstream, UpstreamEvent};
use rtm::value::{Text, Value};
use rtm::{CallKind, RtmCall, RtmEvent};
use runtime::clock::Clock;

use crate::agent_server::instance::{Events, Instance};

/// Maximum of instances in a handshake; they fit into a frame with names of any length.
const MAX_HELD: usize = 1000;
/// Maximum of instances per driver.
const MAX_INSTANCES: usize = 20_000;
/// First number of the agent server's own calls, whose replies are ignored.
const OWN: u64 = 1 << 63;

/// Settings of an agent server.
#[derive(Clone, Debug)]
pub struct AgentServerConfig {
    /// Name and version of the hosted SDK.
    pub sdk: (Text, Text),
    /// Rate limits in force.
    pub limits: Limits,
}

/// Agent server: the side of a link that holds RTM instances.
pub struct AgentServer {
    pub(super) name: Text,
    config: AgentServerConfig,
    vocabulary: Arc<Vocabulary>,
    pub(super) link: Arc<Link>,
    upstream: Arc<dyn Upstream>,
    instances: Mutex<HashMap<Text, Arc<Mutex<Instance>>>>,
    kept: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    pub(super) clock: Clock,
    /// Time since which no driver is connected.
    driver_lost_at: Mutex<Option<Time>>,
}

impl AgentServer {
    /// Creates an agent server without instances.
    pub fn new(
        name: Text,
        config: AgentServerConfig,
        vocabulary: Arc<Vocabulary>,
        upstream: Arc<dyn Upstream>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            config,
            vocabulary,
            link: Arc::new(Link::default()),
            upstream,
            instances: Mutex::default(),
            kept: Arc::default(),
            dropped: Arc::default(),
            clock,
            driver_lost_at: Mutex::new(None),
        })
    }

    /// Returns its part of the handshake.
    pub fn part(&self) -> HostPart {
        let has = |kind: &&CallKind| self.vocabulary.has(**kind);
        let capabilities = CallKind::ALL.iter().filter(has).map(|kind| kind.name().into());
        HostPart {
            protocol: PROTOCOL,
            agent: self.name.clone(),
            sdk: self.config.sdk.0.clone(),
            version: self.config.sdk.1.clone(),
            platform: self.vocabulary.platform().clone(),
            limits: self.config.limits,
            capabilities: Some(capabilities.collect()),
        }
    }

    /// Returns the logged-in instances.
    pub fn instances_held(&self) -> Vec<Held> {
        let instances = self.instances.lock();
        let instances_held = instances.values().filter_map(|instance| {
            let instance = instance.lock();
            Some(Held {
                session_id: instance.session.clone(),
                app_id: instance.app.as_str().into(),
                user_id: instance.user.as_ref()?.text().clone(),
            })
        });
        instances_held.take(MAX_HELD).collect()
    }

    /// Handles a connected driver; for a new one (`fresh`), the instances wait for adoption.
    pub fn driver_connected(&self, fresh: bool) {
        *self.driver_lost_at.lock() = None;
        if !fresh {
            return;
        }
        let unsent = self.link.restart(WINDOW);
        let instances = self.instances.lock();
        for instance in instances.values() {
            let mut instance = instance.lock();
            instance.open.clear();
            if matches!(instance.events, Events::UpstreamEvent) {
                instance.events = Events::Kept(VecDeque::new());
            }
        }
        for text in &unsent {
            let Ok(Frame {
                body: Body::Notice { method, params },
                ..
            }) = Frame::parse(text)
            else {
                continue;
            };
            let session = params.get("sessionId").and_then(Value::as_text);
            let instance = session.and_then(|session| instances.get(session));
            if let Some(instance) = instance
                && let Some(Ok(event)) = self.vocabulary.read_event(&method, &params)
            {
                keep(&mut instance.lock().events, event, &self.kept, &self.dropped);
            }
        }
        if !instances.is_empty() {
            *self.driver_lost_at.lock() = Some(self.clock.now());
        }
    }

    /// Handles the loss of the driver.
    pub fn lost(&self) {
        self.driver_lost_at.lock().get_or_insert_with(|| self.clock.now());
    }

    /// Closes instances that were not adopted in time; returns true if none is left.
    pub fn sweep(&self, driver_is_there: bool) -> bool {
        let over = self
            .driver_lost_at
            .lock()
            .is_some_and(|since| self.clock.now().since(since) >= KEEP);
        if over {
            let mut expired = Vec::new();
            self.instances.lock().retain(|_, instance| {
                let left = driver_is_there && matches!(instance.lock().events, Events::UpstreamEvent);
                if !left {
                    expired.push(instance.clone());
                }
                left
            });
            for instance in &expired {
                self.close_instance(instance);
            }
            if driver_is_there {
                *self.driver_lost_at.lock() = None;
            } else {
                self.link.restart(WINDOW);
            }
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let params = Value::Map(vec![(
                "events".into(),
                Value::Int(i64::try_from(dropped).unwrap_or(i64::MAX)),
            )]);
            let method = "agent.dropped".into();
            self.link.send(Body::Notice { method, params });
        }
        over && !driver_is_there
    }

    /// Closes all instances.
    pub fn end(&self) {
        let instances: Vec<_> = self.instances.lock().drain().map(|(_, instance)| instance).collect();
        instances.iter().for_each(|instance| self.close_instance(instance));
    }

    fn close_instance(&self, instance: &Mutex<Instance>) {
        let key = {
            let mut instance = instance.lock();
            if let Events::Kept(events) = &mut instance.events {
                self.kept.fetch_sub(events.len(), Ordering::Relaxed);
                self.dropped.fetch_add(events.len(), Ordering::Relaxed);
                events.clear();
            }
            instance.key.take()
        };
        if let Some(key) = key {
            self.upstream.close(&key);
        }
    }

    /// Handles a request of the driver.
    pub fn take(&self, body: Body) {
        let Body::Request { id, method, params } = body else {
            return;
        };
        if let Err(error) = self.request(id, &method, &params) {
            debug!(method = &*method, reason = &*error.message, "a request is refused");
            self.link.send(Body::Error { id, error });
        }
    }

    fn request(&self, id: u64, method: &str, params: &Value) -> Result<(), ErrorBody> {
        let text = |key: &str| params.get(key).and_then(Value::as_text).cloned();
        let session = text("sessionId").ok_or_else(|| ErrorBody::new(BAD_PARAMS, "sessionId must be a string"))?;
        match method {
            "createInstance" => {
                let app = text("appId").and_then(|app| AppId::new(app).ok());
                let app = app.ok_or_else(|| ErrorBody::new(BAD_PARAMS, "appId must be a string"))?;
                self.create(session, app, text("adopt"))?;
            }
            "release" => {
                let closed = self.instances.lock().remove(&session);
                let closed = closed.ok_or_else(no_session)?;
                self.close_instance(&closed);
            }
            _ => {
                let call = self.vocabulary.read_call(method, params);
                let call = call.ok_or_else(|| ErrorBody::new(NO_METHOD, format!("unknown method {method}")))?;
                let call = call.map_err(|error| ErrorBody::new(BAD_PARAMS, error))?;
                let instance = self.instances.lock().get(&session).cloned().ok_or_else(no_session)?;
                self.call(id, &instance, call);
                return Ok(());
            }
        }
        let result = Value::Map(Vec::new());
        self.link.send(Body::Result { id, result });
        Ok(())
    }

    fn create(&self, session: Text, app: AppId, adopt: Option<Text>) -> Result<(), ErrorBody> {
        let mut instances = self.instances.lock();
        if instances.contains_key(&session) {
            return Err(ErrorBody::new(BAD_PARAMS, "duplicate sessionId"));
        }
        if instances.len() >= MAX_INSTANCES {
            return Err(ErrorBody::new(BAD_PARAMS, "too many instances"));
        }
        let adopted = adopt.and_then(|old| {
            let waits = |instance: &Arc<Mutex<Instance>>| {
                let instance = instance.lock();
                instance.app == app && matches!(instance.events, Events::Kept(_))
            };
            instances
                .get(&old)
                .is_some_and(waits)
                .then(|| instances.remove(&old))
                .flatten()
        });
        if let Some(instance) = adopted {
            instances.insert(session.clone(), instance.clone());
            drop(instances);
            self.adopt(&instance, session);
            return Ok(());
        }
        let instance = Arc::new(Mutex::new(Instance {
            session: session.clone(),
            app: app.clone(),
            key: None,
            user: None,
            channels: Vec::new(),
            open: HashMap::new(),
            events: Events::UpstreamEvent,
        }));
        instances.insert(session, instance.clone());
        drop(instances);
        let sender = self.sender(instance.clone());
        let key = self.upstream.open(&app, Arc::new(sender));
        instance.lock().key = Some(key);
        Ok(())
    }

    /// Resets an adopted instance: the new driver's session has joined no channel.
    fn adopt(&self, instance: &Mutex<Instance>, session: Text) {
        let (key, channels) = {
            let mut instance = instance.lock();
            instance.session = session;
            (instance.key.clone(), std::mem::take(&mut instance.channels))
        };
        let Some(key) = key else { return };
        for (number, channel_id) in (OWN..).zip(channels) {
            self.upstream.call(&key, number, RtmCall::Leave { channel_id });
        }
    }

    fn call(&self, id: u64, instance: &Mutex<Instance>, call: RtmCall) {
        let key = {
            let mut instance = instance.lock();
            let (waited, adopted) = match std::mem::replace(&mut instance.events, Events::UpstreamEvent) {
                Events::Kept(events) => (events, true),
                Events::UpstreamEvent => (VecDeque::new(), false),
            };
            self.kept.fetch_sub(waited.len(), Ordering::Relaxed);
            let same = matches!(&call, RtmCall::Login { uid, .. } if instance.user.as_ref() == Some(uid));
            if adopted && same {
                // The previous driver already logged it in.
                let result = Value::Map(Vec::new());
                self.link.send(Body::Result { id, result });
                for event in waited {
                    let (method, params) = self.vocabulary.write_event(&instance.session, &event);
                    self.link.send(Body::Notice { method, params });
                }
                return;
            }
            self.dropped.fetch_add(waited.len(), Ordering::Relaxed);
            instance.open.insert(id, Instance::change(&call));
            instance.key.clone()
        };
        if let Some(key) = key {
            self.upstream.call(&key, id, call);
        }
    }

    fn sender(&self, instance: Arc<Mutex<Instance>>) -> impl Fn(UpstreamEvent) + Send + Sync + use<> {
        let (vocabulary, link) = (self.vocabulary.clone(), self.link.clone());
        let (kept, dropped) = (self.kept.clone(), self.dropped.clone());
        move |event| {
            let mut instance = instance.lock();
            match event {
                UpstreamEvent::Reply { request: id, result } => {
                    let Some(change) = instance.open.remove(&id) else {
                        return;
                    };
                    let body = match result {
                        Ok(reply) => {
                            instance.changed(change);
                            let result = reply.to_value();
                            Body::Result { id, result }
                        }
                        Err(error) => {
                            let error = vocabulary.write_error(error);
                            Body::Error { id, error }
                        }
                    };
                    link.send(body);
                }
                UpstreamEvent::Event(event) => {
                    instance.apply_event(&event);
                    let session = instance.session.clone();
                    match &mut instance.events {
                        Events::UpstreamEvent if link.waiting() < MAX_WAITING => {
                            let (method, params) = vocabulary.write_event(&session, &event);
                            link.send(Body::Notice { method, params });
                        }
                        Events::UpstreamEvent => {
                            dropped.fetch_add(1, Ordering::Relaxed);
                        }
                        events => keep(events, event, &kept, &dropped),
                    }
                }
                UpstreamEvent::Up(_) | UpstreamEvent::Unsupported(_) => {
                    warn!("unexpected link event from the hosted upstream")
                }
            }
        }
    }
}

/// Without a driver, only peer messages are kept: other events mean nothing to another session.
fn keep(events: &mut Events, event: RtmEvent, kept: &AtomicUsize, dropped: &AtomicUsize) {
    let Events::Kept(events) = events else { return };
    if !matches!(event, RtmEvent::MessageFromPeer { .. }) {
        return;
    }
    if kept.load(Ordering::Relaxed) < MAX_WAITING {
        kept.fetch_add(1, Ordering::Relaxed);
        events.push_back(event);
    } else {
        dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn no_session() -> ErrorBody {
    ErrorBody::new(NO_SESSION, "unknown sessionId")
}
