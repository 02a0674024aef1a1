//! Calls that a session makes for other sessions: RTM allows some to members of a channel only (decisions H8).

use foldhash::{HashMap, HashMapExt as _};
use rtm::upstream::UpstreamEvent;
use rtm::{GetMembersErr, RtmError};

/// First request number of such calls, above the session's own numbers.
const FIRST: u64 = 1 << 63;
/// Maximum of unanswered calls.
const MAX_OPEN: usize = 64;

/// Unanswered calls for other sessions: the calling session, and its request number.
#[derive(Debug)]
pub struct ForOthers<A> {
    open: HashMap<u64, (A, u64)>,
    next: u64,
}

/// The receiver of an event of RTM.
#[derive(Debug)]
pub enum Route<A> {
    /// To the session itself.
    Own(UpstreamEvent),
    /// To the calling session.
    Other(A, UpstreamEvent),
    /// Nowhere: a reply without a call.
    Nowhere,
}

impl<A> Default for ForOthers<A> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            next: FIRST,
        }
    }
}

impl<A: Clone> ForOthers<A> {
    /// Registers a call for another session. Returns its request number.
    ///
    /// # Errors
    /// The result for the other session: too many calls have no answer.
    pub fn begin(&mut self, requester: &A, request: u64) -> Result<u64, RtmError> {
        if self.open.len() >= MAX_OPEN {
            return Err(GetMembersErr::TooOften.into());
        }
        let number = self.next;
        self.next += 1;
        self.open.insert(number, (requester.clone(), request));
        Ok(number)
    }

    /// Routes an event of RTM.
    pub fn route(&mut self, event: UpstreamEvent) -> Route<A> {
        match event {
            UpstreamEvent::Reply { request, result } if request >= FIRST => match self.open.remove(&request) {
                Some((requester, request)) => Route::Other(requester, UpstreamEvent::Reply { request, result }),
                None => Route::Nowhere,
            },
            event => Route::Own(event),
        }
    }
}
