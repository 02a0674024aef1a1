//! Upstream layer that adds the RESTful API.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::admin::Metrics;
use crate::config::Rest;
use rtm::AppId;
use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
use rtm::{CallKind, RtmCall, RtmReply};
use runtime::clock::Clock;

use crate::upstream::rest::client::{Client, ClientError};
use crate::upstream::rest::rate::Rate;
use crate::upstream::rest::request::ChannelMessage;
use crate::upstream::rest::response::Outcome;

/// Call that this layer serves.
const OURS: CallKind = CallKind::RestChannelMessage;

/// Sends forced channel messages over the RESTful API and forwards all other calls.
pub struct WithRest {
    inner: Arc<dyn Upstream>,
    client: Arc<Client>,
    clients: Arc<Mutex<HashMap<ClientKey, EventSink>>>,
    in_flight: Arc<Semaphore>,
    rate: Rate,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl WithRest {
    /// Wraps `inner`; requests run in the caller's tokio runtime.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(
        inner: Arc<dyn Upstream>,
        config: &Rest,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            inner,
            client: Arc::new(Client::new(config)?),
            clients: Arc::default(),
            in_flight: Arc::new(Semaphore::new(config.in_flight)),
            rate: Rate::new(config.rate),
            clock,
            metrics,
        })
    }

    fn send(&self, client: &ClientKey, request: u64, message: ChannelMessage) {
        let answer = Answer {
            clients: self.clients.clone(),
            client: client.clone(),
            request,
            metrics: self.metrics.clone(),
        };
        // Check the queue first: a rejected request must not count against the rate.
        let Ok(permit) = self.in_flight.clone().try_acquire_owned() else {
            return answer.give(Outcome::TooOften);
        };
        if !self.rate.take(&client.app, self.clock.now()) {
            return answer.give(Outcome::TooOften);
        }
        let rest = self.client.clone();
        tokio::spawn(async move {
            let outcome = rest.send(&answer.client.app, &message).await;
            drop(permit);
            answer.give(outcome);
        });
    }
}

/// Destination of a request's outcome.
struct Answer {
    clients: Arc<Mutex<HashMap<ClientKey, EventSink>>>,
    client: ClientKey,
    request: u64,
    metrics: Arc<Metrics>,
}

impl Answer {
    /// Delivers the outcome; ignored if the client was closed meanwhile.
    fn give(self, outcome: Outcome) {
        self.metrics.rest(outcome.name());
        let emit = self.clients.lock().get(&self.client).cloned();
        if let Some(emit) = emit {
            emit(UpstreamEvent::Reply {
                request: self.request,
                result: outcome.result().map(|()| RtmReply::Void).map_err(Into::into),
            });
        }
    }
}

impl Upstream for WithRest {
    fn open(&self, app: &AppId, emit: EventSink) -> ClientKey {
        let sink = emit.clone();
        let client = self.inner.open(app, Arc::new(move |event| sink(with_ours(event))));
        self.clients.lock().insert(client.clone(), emit);
        client
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        match call {
            RtmCall::RestChannelMessage {
                user_id,
                channel,
                payload,
            } => {
                let message = ChannelMessage {
                    user: user_id,
                    channel,
                    payload,
                };
                self.send(client, request, message);
            }
            call => self.inner.call(client, request, call),
        }
    }

    fn call_as_member(&self, client: &ClientKey, request: u64, call: &RtmCall) -> bool {
        self.inner.call_as_member(client, request, call)
    }

    fn close(&self, client: &ClientKey) {
        self.clients.lock().remove(client);
        self.inner.close(client);
    }

    fn require_acknowledgement(&self, client: &ClientKey) {
        self.inner.require_acknowledgement(client);
    }

    fn processed(&self, client: &ClientKey, count: usize) {
        self.inner.processed(client, count);
    }

    fn can(&self, app: &AppId, kind: CallKind) -> bool {
        kind == OURS || self.inner.can(app, kind)
    }
}

/// Adds this layer's call to the inner upstream's capabilities.
fn with_ours(emitted: UpstreamEvent) -> UpstreamEvent {
    match emitted {
        UpstreamEvent::Unsupported(lacks) if lacks.contains(&OURS) => {
            UpstreamEvent::Unsupported(lacks.iter().copied().filter(|kind| *kind != OURS).collect())
        }
        emitted => emitted,
    }
}
