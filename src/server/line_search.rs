//! Search in Redis for the session of a line that this sidecar does not know.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::warn;

use protocol::ClientFrame;
use rtm_redis::{FoundLine, RedisUpstream};
use runtime::log_limit::{Bound, Cause, admits};

use crate::server::pending_logins::PendingLogin;

/// Maximum of frames that wait for the session.
const MOST_LATER: usize = 32;

/// A search that a task makes.
pub struct LineSearch {
    pub line: String,
    /// Number in the line.
    pub number: u64,
    pub pending: PendingLogin,
    /// Later frames of the client.
    pub later: Vec<ClientFrame>,
    result: oneshot::Receiver<FoundLine>,
}

impl LineSearch {
    /// Begins a search.
    pub fn begin(redis: &Arc<RedisUpstream>, line: &str, number: u64, pending: PendingLogin) -> Self {
        let (sender, result) = oneshot::channel();
        let redis = redis.clone();
        tokio::spawn(async move {
            let found = redis.find_line(number).await.unwrap_or_else(|trouble| {
                if admits("no search for session lines", Bound::EVENT, Cause::default()) {
                    warn!(%trouble, hint = trouble.hint(), "cannot look for a session line in Redis");
                }
                FoundLine::Unknown
            });
            // The client may have left.
            let _ = sender.send(found);
        });
        Self {
            line: line.to_owned(),
            number,
            pending,
            later: Vec::new(),
            result,
        }
    }

    /// Keeps a frame for the session.
    pub fn later(&mut self, frame: ClientFrame) {
        if self.later.len() < MOST_LATER {
            self.later.push(frame);
        }
    }

    /// Waits for the result.
    pub async fn found(&mut self) -> FoundLine {
        (&mut self.result).await.unwrap_or(FoundLine::Unknown)
    }
}
