//! All that happens between sessions and an agent, without sockets and without a clock.

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

use crate::driver::client::{Client, Lists, Queued, Stage};
use crate::driver::metrics::LinkHealth;
use crate::driver::tokens::Tokens;
use crate::driver::upstream::DriverConfig;

/// What lies between sessions and an agent.
pub struct Core {
    pub(super) link: Arc<Link>,
    /// Random for each process.
    pub(super) name: Text,
    pub(super) config: DriverConfig,
    pub(super) tokens: Option<Arc<dyn Tokens>>,
    pub(super) health: LinkHealth,
    /// The one that is served, or was last.
    pub(super) agent: Option<Agent>,
    pub(super) link_up: bool,
    pub(super) down_since: Option<Time>,
    pub(super) clients: BTreeMap<u64, Client>,
    next_client: u64,
    pub(super) calls: HashMap<u64, OpenCall>,
    next_call: u64,
    /// Instances that the agent holds from a driver before.
    pub(super) orphans: HashMap<(AppId, UserId), Orphan>,
    /// Who is to be built again, in order, each not before a moment.
    pub(super) rebuild: VecDeque<(u64, Time)>,
    pub(super) next_login: Time,
}

/// An agent that was met.
#[derive(Debug)]
pub struct Agent {
    /// Its own name.
    pub id: Text,
    /// The SDK that it hosts.
    pub sdk: Text,
    /// The SDK's version.
    pub version: Text,
    /// The SDK's names.
    pub words: Arc<Vocabulary>,
    /// Calls that it lacks, in their order.
    pub lacks: Arc<[CallKind]>,
}

/// An instance of a driver before.
pub struct Orphan {
    /// Its name on the link.
    pub session: Text,
    /// When the agent lets it go.
    pub until: Time,
}

/// A request that is not answered.
pub struct OpenCall {
    pub(super) client: u64,
    pub(super) purpose: Purpose,
    pub(super) call: RtmCall,
    /// When it has waited too long.
    pub(super) until: Time,
}

/// Who has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session, under its number.
    Session(u64),
    /// The rebuilding.
    Rebuild,
    /// The renewal of a token.
    Renew,
}

impl Core {
    /// Nobody was met.
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

    /// A session wants an instance. Nothing goes to the agent before its first call.
    pub fn open(&mut self, app: &AppId, tell: EventSink) -> u64 {
        let number = self.next_client;
        self.next_client += 1;
        let session = format!("{}-{number}", &self.name[..8]).into();
        let client = Client::new(app.clone(), session, self.lacks(), tell);
        self.clients.insert(number, client);
        number
    }

    /// A session is over.
    pub fn close(&mut self, number: u64) {
        let Some(client) = self.clients.remove(&number) else {
            return;
        };
        self.calls.retain(|_, call| call.client != number);
        if matches!(client.stage, Stage::Live | Stage::Rebuilding) {
            self.own_request("release", &client.session, Vec::new());
        }
    }

    /// The calls that the agent lacks; before one was met, those that no SDK has.
    pub fn lacks(&self) -> Arc<[CallKind]> {
        match &self.agent {
            Some(agent) => agent.lacks.clone(),
            None => [CallKind::RestChannelMessage].into(),
        }
    }

    /// A session calls.
    pub fn call(&mut self, now: Time, number: u64, request: u64, call: RtmCall) {
        let until = now + self.config.call_wait;
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        let ready = self.link_up && matches!(client.stage, Stage::New | Stage::Live) && client.queue.is_empty();
        if ready {
            return self.send_call(now, number, Purpose::Session(request), call);
        }
        if !self.link_up
            && call.kind() == CallKind::Login
            && admits("logins without an agent", Bound::EVENT, Cause::default())
        {
            let hint = "start one with `sigbridge agent web`; `sigbridge doctor` shows how far the way to RTM goes";
            warn!(hint, "no agent is connected: logins wait for one and time out");
        }
        if let Err(queued) = client.wait(Queued { request, call, until }) {
            self.fail(number, queued.request, queued.call.kind(), Refusal::TooOften);
            self.health.failed("too many calls wait for the agent");
        }
    }

    /// Sends the calls that have waited for the link.
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
        let words = match &self.agent {
            Some(agent) if !agent.lacks.contains(&kind) => agent.words.clone(),
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
        let method = words.call_name(kind).clone();
        self.link.send(Body::Request { id, method, params });
        let open = OpenCall {
            client: number,
            purpose,
            call,
            until: now + self.config.call_timeout,
        };
        self.calls.insert(id, open);
    }

    /// The instance at the agent, before its first call; one that the same user had at a driver before is taken over.
    pub(super) fn create(&mut self, number: u64, user: Option<&UserId>) {
        let Some(client) = self
            .clients
            .get_mut(&number)
            .filter(|client| client.stage == Stage::New)
        else {
            return;
        };
        client.stage = Stage::Live;
        let (app, session) = (client.app.clone(), client.session.clone());
        let orphan = user.and_then(|user| self.orphans.remove(&(app.clone(), user.clone())));
        let mut more = vec![("appId", Value::text(app.as_str()))];
        if let Some(orphan) = orphan {
            debug!(
                adopted = &*orphan.session,
                "an instance of a driver before is taken over"
            );
            more.push(("adopt", orphan.session.into()));
        }
        self.own_request("createInstance", &session, more);
    }

    /// A request of the link's own; nobody waits for its result.
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
            Purpose::Rebuild => self.rebuilt(now, number, call, Err(refusal(kind, Refusal::Abandoned))),
            Purpose::Renew => {}
        }
    }

    pub(super) fn fail(&mut self, number: u64, request: u64, kind: CallKind, why: Refusal) {
        if let Some(client) = self.clients.get(&number) {
            let result = Err(refusal(kind, why));
            client.tell(UpstreamEvent::Reply { request, result });
        }
    }

    /// The agent says something.
    pub fn take(&mut self, now: Time, body: Body) {
        match body {
            Body::Result { id, result } => {
                let Some(open) = self.calls.remove(&id) else { return };
                let kind = open.call.kind();
                let result = read_result(kind, &result).map_err(|error| {
                    if admits("wrong results of the agent", Bound::EVENT, Cause::from(kind.name())) {
                        warn!(call = kind.name(), error, "the agent's result is none of this call");
                    }
                    self.health.failed("wrong results");
                    refusal(kind, Refusal::Abandoned)
                });
                self.answered(now, open, result);
            }
            Body::Error { id, error } => {
                let Some(open) = self.calls.remove(&id) else {
                    debug!(code = error.code, message = &*error.message, "the agent refuses");
                    return;
                };
                let Some(agent) = &self.agent else { return };
                let error = agent.words.read_error(open.call.kind(), &error);
                self.answered(now, open, Err(error));
            }
            Body::Notice { method, params } => self.notice(now, &method, &params),
            Body::Request { method, .. } => debug!(method = &*method, "an agent asks nothing"),
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
                    client.shadow.learn(open.call, reply);
                }
                client.tell(UpstreamEvent::Reply { request, result });
            }
            Purpose::Rebuild => self.rebuilt(now, number, open.call, result),
            Purpose::Renew => {
                if let Err(error) = result {
                    if admits("new tokens that RTM does not take", Bound::EVENT, Cause::default()) {
                        warn!(%error, "RTM does not take a new token");
                    }
                    self.health.failed("tokens");
                }
            }
        }
    }

    fn notice(&mut self, now: Time, method: &str, params: &Value) {
        if method == "agent.dropped" {
            let events = params.get("events").and_then(Value::as_int).unwrap_or(0);
            if admits("events that the agent has dropped", Bound::EVENT, Cause::default()) {
                warn!(events, "the agent had no more room for events");
            }
            self.health.lost(u64::try_from(events).unwrap_or(0));
            return;
        }
        let Some(agent) = &self.agent else { return };
        let event = match agent.words.read_event(method, params) {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                if admits("wrong events of the agent", Bound::EVENT, Cause::from(method)) {
                    warn!(event = method, error, "the agent's event is none");
                }
                return self.health.failed("wrong events");
            }
            None => {
                debug!(event = method, "an event that nobody knows");
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
            if client.shadow.knows(channel_id, member_id));
        client.shadow.decode(&event);
        match &event {
            RtmEvent::TokenExpired {} | RtmEvent::TokenPrivilegeWillExpire {} => self.renew(now, number),
            // The session has not seen that it was out.
            RtmEvent::ConnectionStateChanged { state, .. }
                if client.stage == Stage::Rebuilding && *state != ConnectionState::Aborted => {}
            // Who is built again as well was never gone for the session.
            RtmEvent::MemberJoined { .. } if client.lists != Lists::True && known => {}
            _ => client.tell(UpstreamEvent::Event(event)),
        }
    }
}

fn put(params: &mut Value, key: &str, text: &str) {
    if let Value::Map(entries) = params {
        entries.retain(|(name, _)| &**name != key);
        entries.push((key.into(), Value::text(text)));
    }
}
