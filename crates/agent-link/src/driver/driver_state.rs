//! Driver state between sessions and an agent, without sockets and clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use secrecy::ExposeSecret;
use tracing::{debug, warn};

use crate::frame::Body;
use crate::vocabulary::{Vocabulary, read_result};
use crate::{Link, MAX_WAITING};
use rtm::AppId;
use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::upstream::{EventSink, UpstreamEvent};
use rtm::value::{Text, Value};
use rtm::{CallKind, ConnectionState, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use runtime::log_limit::{Bound, Cause, admits};

use crate::driver::client::{Client, InstanceState, Lists, Queued};
use crate::driver::driver_config::DriverConfig;
use crate::driver::metrics::LinkHealth;
use crate::driver::tokens::Tokens;

/// Maximum of unacknowledged peer messages of a session.
const MAX_UNPROCESSED: usize = 256;

/// Driver state machine.
pub struct DriverState {
    pub(super) link: Arc<Link>,
    /// Random per process.
    pub(super) name: Text,
    pub(super) config: DriverConfig,
    pub(super) tokens: Option<Arc<dyn Tokens>>,
    pub(super) health: LinkHealth,
    /// Current or last agent.
    pub(super) agent: Option<Agent>,
    pub(super) link_up: bool,
    pub(super) down_since: Option<Time>,
    pub(super) clients: BTreeMap<u64, Client>,
    next_client: u64,
    pub(super) calls: HashMap<u64, OpenCall>,
    next_call: u64,
    /// Instances of a previous driver at the agent.
    pub(super) orphans: HashMap<(AppId, UserId), AbandonedInstance>,
    /// Sessions to restore, in order, with their earliest time.
    pub(super) rebuild: VecDeque<(u64, Time)>,
    pub(super) next_login: Time,
}

/// Connected agent.
#[derive(Debug)]
pub struct Agent {
    pub id: Text,
    /// Hosted SDK.
    pub sdk: Text,
    /// Its version.
    pub version: Text,
    /// Its vocabulary.
    pub vocabulary: Arc<Vocabulary>,
    /// Missing calls, in order.
    pub lacks: Arc<[CallKind]>,
}

/// Instance of a previous driver.
pub struct AbandonedInstance {
    /// Session name on the link.
    pub session: Text,
    /// Time at which the agent closes it.
    pub until: Time,
}

/// Unanswered request.
pub struct OpenCall {
    pub(super) client: u64,
    pub(super) purpose: Purpose,
    pub(super) call: RtmCall,
    /// Timeout.
    pub(super) until: Time,
}

impl OpenCall {
    /// Returns the time of the request.
    fn begun(&self, config: &DriverConfig) -> Time {
        let timeout = u64::try_from(config.call_timeout.as_millis()).unwrap_or(u64::MAX);
        Time::from_millis(self.until.as_millis().saturating_sub(timeout))
    }
}

/// Origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session, with the session's number.
    Session(u64),
    /// Restore.
    Rebuild,
    /// Token renewal.
    Renew,
}

impl DriverState {
    /// Creates the state of a driver that has no server connection yet.
    pub fn new(
        link: Arc<Link>,
        name: Text,
        config: DriverConfig,
        tokens: Option<Arc<dyn Tokens>>,
        health: LinkHealth,
    ) -> Self {
        Self {
            link,
            name,
            config,
            tokens,
            health,
            agent: None,
            link_up: false,
            down_since: None,
            clients: BTreeMap::new(),
            next_client: 1,
            calls: HashMap::new(),
            next_call: 1,
            orphans: HashMap::new(),
            rebuild: VecDeque::new(),
            next_login: Time::default(),
        }
    }

    /// Registers a session. Its first call creates the instance at the agent.
    pub fn open(&mut self, app: &AppId, notify: EventSink) -> u64 {
        let number = self.next_client;
        self.next_client += 1;
        let session = format!("{}-{number}", &self.name[..8]).into();
        let client = Client::new(app.clone(), session, self.lacks(), notify);
        self.clients.insert(number, client);
        number
    }

    /// Removes a session.
    pub fn close(&mut self, number: u64) {
        let Some(client) = self.clients.remove(&number) else {
            return;
        };
        self.calls.retain(|_, call| call.client != number);
        self.link.release(client.unprocessed);
        if matches!(client.instance_state, InstanceState::Live | InstanceState::Rebuilding) {
            self.own_request("release", &client.session, Vec::new());
        }
    }

    /// Leaves the acknowledgement of peer messages to the session.
    pub fn require_acknowledgement(&mut self, number: u64) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.needs_acknowledgement = true;
        }
    }

    /// Acknowledges the oldest peer messages of a session.
    pub fn processed(&mut self, number: u64, count: usize) {
        if let Some(client) = self.clients.get_mut(&number) {
            let count = count.min(client.unprocessed.len());
            self.link.release(client.unprocessed.drain(..count));
        }
    }

    /// Returns the calls that the agent lacks; before the first agent, those that no SDK has.
    pub fn lacks(&self) -> Arc<[CallKind]> {
        match &self.agent {
            Some(agent) => agent.lacks.clone(),
            None => [CallKind::RestChannelMessage].into(),
        }
    }

    /// Handles a call of a session.
    pub fn call(&mut self, now: Time, number: u64, request: u64, call: RtmCall) {
        let until = now + self.config.call_wait;
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        let ready = self.link_up
            && matches!(client.instance_state, InstanceState::New | InstanceState::Live)
            && client.queue.is_empty();
        if ready {
            return self.send_call(now, number, Purpose::Session(request), call);
        }
        if !self.link_up
            && call.kind() == CallKind::Login
            && admits("logins without an agent", Bound::EVENT, Cause::default())
        {
            let hint = "start an agent with `sigbridge agent web`; diagnose with `sigbridge doctor`";
            warn!(hint, "no agent connected; logins wait and time out");
        }
        if let Err(queued) = client.wait(Queued { request, call, until }) {
            self.fail(number, queued.request, queued.call.kind(), Refusal::TooOften);
            self.health.failed("too many calls wait for the agent");
        }
    }

    /// Sends the queued calls of a session.
    pub(super) fn flush(&mut self, now: Time, number: u64) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        for Queued { request, call, .. } in std::mem::take(&mut client.queue) {
            self.send_call(now, number, Purpose::Session(request), call);
        }
    }

    pub(super) fn send_call(&mut self, now: Time, number: u64, purpose: Purpose, call: RtmCall) {
        let kind = call.kind();
        let vocabulary = match &self.agent {
            Some(agent) if !agent.lacks.contains(&kind) => agent.vocabulary.clone(),
            _ => return self.not_sent(now, number, purpose, call, "the agent lacks a call"),
        };
        if self.link.waiting() >= MAX_WAITING {
            return self.not_sent(now, number, purpose, call, "the agent does not keep up");
        }
        if let RtmCall::Login { uid, .. } = &call {
            self.create(number, Some(uid));
        } else {
            self.create(number, None);
        }
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        let mut params = Vocabulary::call_params(&client.session, &call);
        if let RtmCall::Login { uid, .. } = &call
            && let Some(minted) = self
                .tokens
                .as_ref()
                .and_then(|tokens| tokens.mint(&client.app, uid, now))
        {
            client.renew_at = Some(minted.renew_at);
            put(&mut params, "token", minted.token.expose_secret());
        }
        let id = self.next_id();
        let method = vocabulary.call_name(kind).clone();
        self.link.send(Body::Request { id, method, params });
        let open = OpenCall {
            client: number,
            purpose,
            call,
            until: now + self.config.call_timeout,
        };
        self.calls.insert(id, open);
    }

    /// Creates the instance at the agent, or adopts the user's instance of a previous driver.
    pub(super) fn create(&mut self, number: u64, user: Option<&UserId>) {
        let Some(client) = self
            .clients
            .get_mut(&number)
            .filter(|client| client.instance_state == InstanceState::New)
        else {
            return;
        };
        client.instance_state = InstanceState::Live;
        let (app, session) = (client.app.clone(), client.session.clone());
        let orphan = user.and_then(|user| self.orphans.remove(&(app.clone(), user.clone())));
        let mut more = vec![("appId", Value::text(app.as_str()))];
        if let Some(orphan) = orphan {
            debug!(
                adopted = &*orphan.session,
                "adopting an RTM session left by a previous driver"
            );
            more.push(("adopt", orphan.session.into()));
        }
        self.own_request("createInstance", &session, more);
    }

    /// Sends a request of the driver itself, whose result is ignored.
    pub(super) fn own_request(&mut self, method: &str, session: &Text, more: Vec<(&str, Value)>) {
        let mut params = vec![("sessionId".into(), session.clone().into())];
        params.extend(more.into_iter().map(|(key, value)| (Text::from(key), value)));
        let id = self.next_id();
        self.link.send(Body::Request {
            id,
            method: method.into(),
            params: Value::Map(params),
        });
    }

    pub(super) fn next_id(&mut self) -> u64 {
        let id = self.next_call;
        self.next_call += 1;
        id
    }

    fn not_sent(&mut self, now: Time, number: u64, purpose: Purpose, call: RtmCall, why: &'static str) {
        self.health.failed(why);
        let kind = call.kind();
        match purpose {
            Purpose::Session(request) => self.fail(number, request, kind, Refusal::Abandoned),
            Purpose::Rebuild => self.restore_step_done(now, number, call, Err(refusal(kind, Refusal::Abandoned))),
            Purpose::Renew => {}
        }
    }

    pub(super) fn fail(&mut self, number: u64, request: u64, kind: CallKind, why: Refusal) {
        if let Some(client) = self.clients.get(&number) {
            let result = Err(refusal(kind, why));
            client.notify(UpstreamEvent::Reply { request, result });
        }
    }

    /// Handles a message of the agent.
    pub fn take(&mut self, now: Time, body: Body) {
        match body {
            Body::Result { id, result } => {
                let Some(open) = self.calls.remove(&id) else { return };
                self.health.answered(now.since(open.begun(&self.config)));
                let kind = open.call.kind();
                let result = read_result(kind, &result).map_err(|error| {
                    if admits("invalid agent results", Bound::EVENT, Cause::from(kind.name())) {
                        warn!(call = kind.name(), error, "invalid result from the agent");
                    }
                    self.health.failed("wrong results");
                    refusal(kind, Refusal::Abandoned)
                });
                self.answered(now, open, result);
            }
            Body::Error { id, error } => {
                let Some(open) = self.calls.remove(&id) else {
                    debug!(
                        code = error.code,
                        message = &*error.message,
                        "the agent rejected a request"
                    );
                    return;
                };
                self.health.answered(now.since(open.begun(&self.config)));
                let Some(agent) = &self.agent else { return };
                let error = agent.vocabulary.read_error(open.call.kind(), &error);
                self.answered(now, open, Err(error));
            }
            Body::Notice { method, params } => self.notice(now, &method, &params),
            Body::Request { method, .. } => debug!(method = &*method, "unexpected request from the agent"),
        }
    }

    pub(super) fn answered(&mut self, now: Time, open: OpenCall, result: Result<RtmReply, RtmError>) {
        let number = open.client;
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        match open.purpose {
            Purpose::Session(request) => {
                if let Ok(reply) = &result {
                    client.replica.learn(open.call, reply);
                }
                client.notify(UpstreamEvent::Reply { request, result });
            }
            Purpose::Rebuild => self.restore_step_done(now, number, open.call, result),
            Purpose::Renew => {
                if let Err(error) = result {
                    if admits("rejected token renewals", Bound::EVENT, Cause::default()) {
                        warn!(%error, "RTM rejected a renewed token");
                    }
                    self.health.failed("tokens");
                }
            }
        }
    }

    fn notice(&mut self, now: Time, method: &str, params: &Value) {
        if method == "agent.dropped" {
            let events = params.get("events").and_then(Value::as_int).unwrap_or(0);
            if admits("events dropped by the agent", Bound::EVENT, Cause::default()) {
                warn!(events, "the agent's event queue overflowed");
            }
            self.health.lost(u64::try_from(events).unwrap_or(0));
            return;
        }
        let Some(agent) = &self.agent else { return };
        let event = match agent.vocabulary.read_event(method, params) {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                if admits("invalid agent events", Bound::EVENT, Cause::from(method)) {
                    warn!(event = method, error, "invalid event from the agent");
                }
                return self.health.failed("wrong events");
            }
            None => {
                debug!(event = method, "unknown event");
                return;
            }
        };
        let session = params.get("sessionId").and_then(Value::as_text);
        let number = session.and_then(|session| session.rsplit_once('-')?.1.parse().ok());
        let client = number.and_then(|number: u64| self.clients.get_mut(&number).map(|client| (number, client)));
        let Some((number, client)) = client.filter(|(_, client)| Some(&client.session) == session) else {
            // Its session has just ended.
            return;
        };
        let known = matches!(&event, RtmEvent::MemberJoined { channel_id, member_id }
            if client.replica.has_member(channel_id, member_id));
        client.replica.apply_event(&event);
        match &event {
            RtmEvent::TokenExpired {} | RtmEvent::TokenPrivilegeWillExpire {} => self.renew(now, number),
            // The session has not seen that it was out.
            RtmEvent::ConnectionStateChanged { state, .. }
                if client.instance_state == InstanceState::Rebuilding && *state != ConnectionState::Aborted => {}
            // The session has no leave of a restored member.
            RtmEvent::MemberJoined { .. } if client.lists != Lists::True && known => {}
            _ => {
                if client.needs_acknowledgement && matches!(event, RtmEvent::MessageFromPeer { .. }) {
                    // A session whose store does not answer: its oldest messages are acknowledged.
                    if client.unprocessed.len() >= MAX_UNPROCESSED {
                        self.link.release(client.unprocessed.pop_front());
                    }
                    client.unprocessed.push_back(self.link.hold());
                }
                client.notify(UpstreamEvent::Event(event));
            }
        }
    }
}

fn put(params: &mut Value, key: &str, text: &str) {
    if let Value::Map(entries) = params {
        entries.retain(|(name, _)| &**name != key);
        entries.push((key.into(), Value::text(text)));
    }
}
