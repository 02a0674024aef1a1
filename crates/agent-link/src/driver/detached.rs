//! Driver without socket and clock, for tests with generated frames of an agent.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::{AppId, RtmCall};

use crate::Link;
use crate::driver::driver_config::DriverConfig;
use crate::driver::driver_state::DriverState;
use crate::driver::metrics::LinkHealth;
use crate::frame::{ErrorBody, Frame};
use crate::handshake::HostPart;
use crate::io::{Ended, take_frame};
use crate::vocabulary::Vocabulary;

/// Driver with one client.
pub struct DetachedDriver {
    state: DriverState,
    client: u64,
    now: Time,
    replies: Arc<Mutex<Vec<u64>>>,
}

impl DetachedDriver {
    /// Creates a driver with an agent and a client of an app.
    ///
    /// # Errors
    /// The agent is not usable.
    pub fn new(agent: &HostPart, platforms: &[Arc<Vocabulary>], app: &AppId) -> Result<Self, ErrorBody> {
        let link = Arc::new(Link::default());
        let config = DriverConfig::default();
        let mut state = DriverState::new(link, "detached".into(), config, None, LinkHealth::default());
        let now = Time::from_millis(0);
        let agent = state.identify(agent, platforms)?;
        state.begin(now, agent, Vec::new());
        let replies: Arc<Mutex<Vec<u64>>> = Arc::default();
        let of_client = replies.clone();
        let client = state.open(
            app,
            Arc::new(move |event| {
                if let UpstreamEvent::Reply { request, .. } = event {
                    of_client.lock().push(request);
                }
            }),
        );
        Ok(Self {
            state,
            client,
            now,
            replies,
        })
    }

    /// Starts a call of the client.
    pub fn call(&mut self, request: u64, call: RtmCall) {
        self.state.call(self.now, self.client, request, call);
    }

    /// Sends all queued objects, as to a socket that is never full.
    pub fn send(&mut self) -> usize {
        let mut queue = self.state.link.queue.lock();
        std::iter::from_fn(|| queue.next()).count()
    }

    /// Takes a frame of the agent.
    ///
    /// # Errors
    /// The reason for the end of the link. Further frames would not be read.
    pub fn take(&mut self, text: &str) -> Result<(), Ended> {
        let frame = Frame::parse(text).map_err(|error| Ended::BadFrame(error.to_string()))?;
        let link = self.state.link.clone();
        let (state, now) = (&mut self.state, self.now);
        take_frame(&link, frame, |body| state.take(now, body))
    }

    /// Advances the time and runs timers.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.state.sweep(self.now);
    }

    /// Loses the link.
    pub fn lose(&mut self) {
        self.state.lost(self.now);
    }

    /// Returns the requests that have replies, in the order of the replies.
    pub fn replies(&self) -> Vec<u64> {
        self.replies.lock().clone()
    }
}
