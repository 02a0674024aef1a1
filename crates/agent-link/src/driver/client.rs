//! A session's RTM instance, as the driver sees it.

use std::collections::VecDeque;
use std::sync::Arc;

use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{EventSink, UpstreamEvent};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};

use crate::driver::session_replica::SessionReplica;

/// Calls of one session that may wait for the link: what a session may send while the link is waited for.
const MAX_QUEUE: usize = 256;

/// An instance at the agent, or one that is to be.
pub struct Client {
    /// The app.
    pub app: AppId,
    /// The instance's name on the link.
    pub session: Text,
    /// What it has at the agent.
    pub stage: Stage,
    /// Calls that wait.
    pub queue: VecDeque<Queued>,
    /// What to rebuild it from.
    pub shadow: SessionReplica,
    /// Steps of the rebuilding that are still to be done.
    pub plan: VecDeque<RtmCall>,
    /// Its channels' members.
    pub lists: Lists,
    /// When its token should be renewed.
    pub renew_at: Option<Time>,
    /// What the session knows the upstream to lack.
    pub lacks: Arc<[CallKind]>,
    /// The session was told that the upstream is gone.
    pub told_down: bool,
    tell: EventSink,
}

/// What an instance has at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    New,
    /// It is there.
    Live,
    /// The agent that had it is gone; another is to have it.
    Lost,
    /// Another is building it.
    Rebuilding,
}

/// Whether lists of members are those of before the agent died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// They are what RTM says.
    True,
    /// Others are being built again as well, so RTM does not say yet who is really gone.
    Old,
    /// They are being compared.
    NamedCall,
}

/// A call that waits.
pub struct Queued {
    /// The session's number.
    pub request: u64,
    /// The call.
    pub call: RtmCall,
    /// When it has waited too long.
    pub until: Time,
}

impl Client {
    /// One that has nothing at the agent yet.
    pub fn new(app: AppId, session: Text, lacks: Arc<[CallKind]>, tell: EventSink) -> Self {
        Self {
            app,
            session,
            stage: Stage::New,
            queue: VecDeque::new(),
            shadow: SessionReplica::default(),
            plan: VecDeque::new(),
            lists: Lists::True,
            renew_at: None,
            lacks,
            told_down: false,
            tell,
        }
    }

    /// Tells the session.
    pub fn tell(&self, told: UpstreamEvent) {
        (self.tell)(told);
    }

    /// Lets a call wait; hands it back where too many do.
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

    /// The session learns what the upstream lacks, where it thought otherwise.
    pub fn tell_lacks(&mut self, lacks: &Arc<[CallKind]>) {
        if self.lacks != *lacks {
            self.lacks = lacks.clone();
            self.tell(UpstreamEvent::Unsupported(lacks.clone()));
        }
    }

    /// The upstream is there for this session, or not; told once.
    pub fn tell_up(&mut self, up: bool) {
        if self.told_down == up {
            self.told_down = !up;
            self.tell(UpstreamEvent::Up(up));
        }
    }
}
