//! Search in Redis for the session of a line that this sidecar does not know.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use protocol::ClientFrame;
use rtm_redis::{FoundLine, RedisUpstream};
use runtime::log_limit::{Bound, Cause, admits};

use crate::server::Server;
use crate::server::pending_logins::PendingLogin;

/// Maximum of frames that wait for the session.
const MOST_LATER: usize = 32;

/// A search that a task makes.
pub struct LineSearch {
    pub line: String,
    pub pending: PendingLogin,
    /// Later frames of the client.
    pub later: Vec<ClientFrame>,
    result: oneshot::Receiver<Found>,
}

/// Number in a line, and whose session it is.
pub type Found = (u64, FoundLine);

impl LineSearch {
    /// Begins a search.
    pub fn begin(server: &Arc<Server>, redis: &Arc<RedisUpstream>, line: &str, pending: PendingLogin) -> Self {
        let (sender, result) = oneshot::channel();
        let (server, redis, text) = (server.clone(), redis.clone(), line.to_owned());
        tokio::spawn(async move {
            let wait = server.config().redis.call_wait;
            let found = timeout(wait, search(&server, &redis, &text)).await;
            // The client may have left.
            let _ = sender.send(found.unwrap_or((0, FoundLine::Unknown)));
        });
        Self {
            line: line.to_owned(),
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
    pub async fn found(&mut self) -> Found {
        (&mut self.result).await.unwrap_or((0, FoundLine::Unknown))
    }
}

async fn search(server: &Server, redis: &RedisUpstream, line: &str) -> Found {
    // A process that has just started may not have the key of all sidecars.
    if server.config().session.line_key.is_none() {
        server.line_keys.shared().await;
    }
    let Ok(number) = server.line_keys.verify(line) else {
        return (0, FoundLine::Unknown);
    };
    let found = redis.find_line(number).await.unwrap_or_else(|failure| {
        if admits("no search for session lines", Bound::EVENT, Cause::default()) {
            warn!(%failure, hint = failure.hint(), "cannot look for a session line in Redis");
        }
        FoundLine::Unknown
    });
    (number, found)
}
