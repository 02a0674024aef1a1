//! Requests of reloads by the admin address. The process that has started the server performs them.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Time limit of a requested reload.
const PATIENCE: Duration = Duration::from_secs(60);

/// Request of a reload. The answer is the log of the changes, or the errors.
pub type ReloadRequest = oneshot::Sender<Result<String, String>>;

/// Queue of one request.
#[derive(Debug)]
pub struct Reloads {
    sender: mpsc::Sender<ReloadRequest>,
    receiver: Mutex<Option<mpsc::Receiver<ReloadRequest>>>,
}

impl Default for Reloads {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl Reloads {
    /// Returns the requests, once.
    pub fn requests(&self) -> Option<mpsc::Receiver<ReloadRequest>> {
        self.receiver.lock().take()
    }

    /// Requests a reload and waits for it. Returns `None` if a reload waits already, or takes too long.
    pub async fn request(&self) -> Option<Result<String, String>> {
        let (answer, answered) = oneshot::channel();
        self.sender.try_send(answer).ok()?;
        timeout(PATIENCE, answered).await.ok()?.ok()
    }
}
