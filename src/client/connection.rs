//! Legacy client with its socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;

use rtm::time::Time;
use rtm::value::{Text, Value};
use runtime::backoff::{Backoff, random};
use runtime::clock::Clock;

use crate::client::link::{Link, LinkError, Received};
use protocol::client::LegacyClient;
use protocol::client::{CallError, Output, Reply};

/// Time limit for a connection, a login and an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum of queued outputs while a call waits for its answer; beyond it, the oldest events are dropped.
const MAX_WAITING: usize = 4096;
/// Maximum of reconnect attempts after a connection loss.
const MAX_RETURNS: u32 = 6;
/// Delays between reconnect attempts.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// Error of a connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The server is unreachable or uses unsupported protocol version.
    #[error("cannot connect: {0}")]
    Connect(LinkError),
    /// The server refused the login.
    #[error("login refused: {0}")]
    Refused(Text),
    /// The server did not answer in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
    /// The connection is closed.
    #[error("the server closed the connection")]
    Closed,
    /// The call cannot be encoded.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Logged-in client.
pub struct Connection {
    url: String,
    zlib: bool,
    /// `None` during a reconnect.
    link: Option<Link>,
    /// Attempts since the loss, and the time of the next one.
    returns: (u32, Instant),
    client: LegacyClient,
    clock: Clock,
    /// Frames to send.
    outgoing: VecDeque<String>,
    unflushed: bool,
    waiting: VecDeque<Output>,
    dropped: u64,
}

impl Connection {
    /// Connects and logs in. Events that arrive with the login wait for [`next`](Self::next).
    ///
    /// A client family that resumes by its session line reconnects by itself after a loss.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn login(url: &str, client: LegacyClient) -> Result<Self, ConnectionError> {
        Self::login_with(url, client, true).await
    }

    /// Like [`login`](Self::login), with or without compression of packets after the login.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn login_with(url: &str, client: LegacyClient, zlib: bool) -> Result<Self, ConnectionError> {
        let connected = tokio::time::timeout(PATIENCE, Link::connect(url)).await;
        let link = connected
            .map_err(|_| ConnectionError::Timeout)?
            .map_err(ConnectionError::Connect)?;
        let mut connection = Self {
            url: url.into(),
            zlib,
            link: Some(link),
            returns: (0, Instant::now()),
            client,
            clock: Clock::start(),
            outgoing: VecDeque::new(),
            unflushed: false,
            waiting: VecDeque::new(),
            dropped: 0,
        };
        let outputs = connection.client.connected();
        connection.take(outputs);
        let logging_in = connection.until(|output| match output {
            Output::LoggedIn => Some(Ok(())),
            Output::Refused(reason) => Some(Err(reason.clone())),
            _ => None,
        });
        let verdict = tokio::time::timeout(PATIENCE, logging_in).await;
        match verdict.map_err(|_| ConnectionError::Timeout)?? {
            Ok(()) => {
                connection.deflate();
                Ok(connection)
            }
            Err(reason) => Err(ConnectionError::Refused(reason)),
        }
    }

    /// Returns the state machine.
    pub fn client(&self) -> &LegacyClient {
        &self.client
    }

    /// Returns the number of events dropped from a full queue.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Makes a call and waits for its answer; events received meanwhile wait for [`next`](Self::next).
    ///
    /// # Errors
    /// [`ConnectionError`]; a refusal by the server is a [`Reply`].
    pub async fn call(&mut self, name: &str, args: &[(Text, Value)]) -> Result<Reply, ConnectionError> {
        let id = self.start(name, args)?;
        let answering = self.until(|output| match output {
            Output::Reply(reply) if reply.id == id => Some(reply.clone()),
            _ => None,
        });
        let answered = tokio::time::timeout(PATIENCE, answering).await;
        answered.map_err(|_| ConnectionError::Timeout)?
    }

    /// Starts a call without waiting; the next [`next`](Self::next) sends its frame.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn start(&mut self, name: &str, args: &[(Text, Value)]) -> Result<i64, CallError> {
        let (id, frame) = self.client.call(name, args)?;
        self.outgoing.push_back(frame);
        Ok(id)
    }

    /// Calls a wire function by its own name, like [`start`](Self::start).
    ///
    /// # Errors
    /// [`CallError`].
    pub fn invoke(&mut self, function: &str, args: Vec<(Text, Value)>) -> Result<i64, CallError> {
        let (id, frame) = self.client.invoke(function, args)?;
        self.outgoing.push_back(frame);
        Ok(id)
    }

    /// Sends a raw frame, like [`start`](Self::start).
    pub fn frame(&mut self, frame: String) {
        self.outgoing.push_back(frame);
    }

    /// Returns the next output; `None` at the end of the connection. Cancel-safe.
    pub async fn next(&mut self) -> Option<Output> {
        loop {
            if self.write().await.is_err() && !self.handle_loss() {
                return self.waiting.pop_front();
            }
            if let Some(output) = self.waiting.pop_front() {
                return Some(output);
            }
            if !self.read().await {
                return self.waiting.pop_front();
            }
        }
    }

    /// Closes the socket with a close handshake and a short time limit.
    pub async fn close(mut self) {
        let closing = async {
            let _ = self.write().await;
            if let Some(link) = &mut self.link {
                link.close().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }

    /// Drops the connection without a close frame, as a network failure would.
    pub fn cut(&mut self) {
        self.link = None;
        self.outgoing.clear();
        self.unflushed = false;
        if self.client.can_resume() {
            let outputs = self.client.lost(self.now());
            self.take(outputs);
        }
        self.returns = (0, Instant::now() + BACKOFF.jittered(0, random()));
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&Output) -> Option<T>) -> Result<T, ConnectionError> {
        let mut seen = 0;
        loop {
            if self.write().await.is_err() && !self.handle_loss() {
                return Err(ConnectionError::Closed);
            }
            while seen < self.waiting.len() {
                if let Some(found) = wanted(&self.waiting[seen]) {
                    self.waiting.remove(seen);
                    return Ok(found);
                }
                seen += 1;
            }
            let before = self.dropped;
            if !self.read().await {
                return Err(ConnectionError::Closed);
            }
            seen = seen.saturating_sub(usize::try_from(self.dropped - before).unwrap_or(usize::MAX));
        }
    }

    /// Waits for a frame or a timer; returns false at the end of the connection.
    async fn read(&mut self) -> bool {
        let tick = self.client.next_tick().map(|at| self.instant(at));
        let Some(link) = &mut self.link else {
            return self.reconnect().await;
        };
        let received = tokio::select! {
            received = link.next() => received,
            () = async { tokio::time::sleep_until(tick.unwrap_or_else(Instant::now)).await }, if tick.is_some() => {
                let outputs = self.client.tick(self.now());
                self.take(outputs);
                return true;
            }
        };
        match received {
            Received::Frame(text) => {
                let outputs = self.client.frame(&text, self.now());
                self.take(outputs);
                true
            }
            // The next write answers it.
            Received::Ping => {
                self.unflushed = true;
                true
            }
            Received::Closed => self.handle_loss(),
        }
    }

    /// Handles the loss of the link; returns true if the client reconnects, else reports the end of the session.
    fn handle_loss(&mut self) -> bool {
        let (tries, _) = self.returns;
        let resumed = self.client.is_logged_in();
        if resumed && !self.client.can_resume() {
            let outputs = self.client.give_up();
            self.take(outputs);
        }
        self.cut();
        if !resumed {
            // The link was lost again before the login completed.
            self.returns = (tries, Instant::now() + BACKOFF.jittered(tries, random()));
        }
        self.client.can_resume()
    }

    /// Makes one reconnect attempt.
    async fn reconnect(&mut self) -> bool {
        let (tries, at) = self.returns;
        if !self.client.can_resume() {
            return false;
        }
        tokio::time::sleep_until(at).await;
        if tries == MAX_RETURNS {
            let outputs = self.client.give_up();
            self.take(outputs);
            return false;
        }
        self.returns = (tries + 1, Instant::now() + BACKOFF.jittered(tries + 1, random()));
        let outputs = self.client.resuming(i64::from(tries) + 1);
        self.take(outputs);
        if let Ok(Ok(link)) = tokio::time::timeout(PATIENCE, Link::connect(&self.url)).await {
            self.link = Some(link);
            self.deflate();
            let outputs = self.client.reconnected();
            self.take(outputs);
        }
        true
    }

    fn deflate(&mut self) {
        if let Some(link) = self.link.as_mut().filter(|_| self.zlib) {
            link.deflate();
        }
    }

    /// Writes the queued frames. A frame leaves the queue at the moment the link takes it, so that a dropped future
    /// neither loses nor repeats one.
    async fn write(&mut self) -> Result<(), LinkError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        while !self.outgoing.is_empty() {
            poll_fn(|cx| link.poll_ready(cx)).await?;
            if let Some(frame) = self.outgoing.pop_front() {
                link.start_send(frame)?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            link.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(frame) => self.outgoing.push_back(frame),
                output => self.waiting.push_back(output),
            }
        }
        while self.waiting.len() > MAX_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn instant(&self, at: Time) -> Instant {
        self.clock.instant(at)
    }
}

#[cfg(test)]
mod tests;
