//! Driver-side state of a session's RTM instance.

use std::collections::VecDeque;
use std::sync::Arc;

use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{EventSink, UpstreamEvent};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};

use crate::driver::session_replica::SessionReplica;

/// Maximum of queued calls per session while the link is down.
const MAX_QUEUE: usize = 256;

/// Instance at the agent, or planned there.
pub struct Client {
    pub app: AppId,
    /// Session name on the link.
    pub session: Text,
    /// State at the agent.
    pub instance_state: InstanceState,
    /// Queued calls.
    pub queue: VecDeque<Queued>,
    /// State for a restore.
    pub replica: SessionReplica,
    /// Remaining steps of a restore.
    pub plan: VecDeque<RtmCall>,
    /// State of the channels' member lists.
    pub lists: Lists,
    /// Time of the next token renewal.
    pub renew_at: Option<Time>,
    /// Missing calls of the upstream, as reported to the session.
    pub lacks: Arc<[CallKind]>,
    /// The session acknowledges peer messages, after it has stored them.
    pub needs_acknowledgement: bool,
    /// Held objects of the link with peer messages that the session has not acknowledged, in order.
    pub unprocessed: VecDeque<u64>,
    /// Set after the session was notified of the loss.
    pub notified_down: bool,
    notify: EventSink,
}

/// State of an instance at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Not created.
    New,
    /// Active.
    Live,
    /// Its agent was lost; another will restore it.
    Lost,
    /// Being restored.
    Rebuilding,
}

/// State of member lists after an agent loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Current.
    True,
    /// Outdated: other instances are still being restored, so RTM's lists are incomplete.
    Old,
    /// Comparison in progress.
    Comparing,
}

/// Queued call.
pub struct Queued {
    /// Number of the session's request.
    pub request: u64,
    pub call: RtmCall,
    /// Timeout.
    pub until: Time,
}

impl Client {
    pub fn new(app: AppId, session: Text, lacks: Arc<[CallKind]>, notify: EventSink) -> Self {
        Self {
            app,
            session,
            instance_state: InstanceState::New,
            queue: VecDeque::new(),
            replica: SessionReplica::default(),
            plan: VecDeque::new(),
            lists: Lists::True,
            renew_at: None,
            lacks,
            needs_acknowledgement: false,
            unprocessed: VecDeque::new(),
            notified_down: false,
            notify,
        }
    }

    /// Sends an event to the session.
    pub fn notify(&self, event: UpstreamEvent) {
        (self.notify)(event);
    }

    /// Queues a call; returns it if the queue is full.
    ///
    /// # Errors
    /// The call.
    pub fn wait(&mut self, queued: Queued) -> Result<(), Queued> {
        if self.queue.len() >= MAX_QUEUE {
            return Err(queued);
        }
        self.queue.push_back(queued);
        Ok(())
    }

    /// Notifies the session of changed missing calls.
    pub fn notify_missing_calls(&mut self, lacks: &Arc<[CallKind]>) {
        if self.lacks != *lacks {
            self.lacks = lacks.clone();
            self.notify(UpstreamEvent::Unsupported(lacks.clone()));
        }
    }

    /// Notifies the session of a changed upstream state, once.
    pub fn notify_up(&mut self, up: bool) {
        if self.notified_down == up {
            self.notified_down = !up;
            self.notify(UpstreamEvent::Up(up));
        }
    }
}
