//! A legacy client with its socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;

use rtm::time::Time;
use rtm::value::{Text, Value};
use runtime::clock::Clock;

use crate::client::link::{Link, LinkError, Received};
use protocol::client::LegacyClient;
use protocol::client::{CallError, Output, Reply};

/// How long a connection, a login and an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most outputs that wait while an answer is awaited; then the oldest events go.
const MAX_WAITING: usize = 4096;
/// How often a client that was lost tries to come back, and how long it waits before the first time; twice as long
/// before each other.
const MAX_RETURNS: u32 = 6;
const FIRST_RETURN: Duration = Duration::from_millis(100);

/// Why there is no connection, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The server cannot be reached, or speaks something else.
    #[error("could not connect: {0}")]
    Connect(LinkError),
    /// The server has refused the login.
    #[error("the login was refused: {0}")]
    Refused(Text),
    /// The server says nothing.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
    /// The socket is gone.
    #[error("the server has closed the connection")]
    Closed,
    /// The call cannot be sent.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A client that is logged in.
pub struct Connection {
    url: String,
    zlib: bool,
    /// None while a client that was lost is on its way back.
    link: Option<Link>,
    /// How often it has tried since it was lost, and when it tries next.
    returns: (u32, Instant),
    client: LegacyClient,
    clock: Clock,
    /// Frames that are not written yet.
    outgoing: VecDeque<String>,
    unflushed: bool,
    waiting: VecDeque<Output>,
    dropped: u64,
}

impl Connection {
    /// Connects and logs in. Events that come with the login wait for [`next`](Self::next).
    ///
    /// A client whose family comes back by its line does so by itself when its connection is lost.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn login(url: &str, client: LegacyClient) -> Result<Self, ConnectionError> {
        Self::login_with(url, client, true).await
    }

    /// The same, and packets are deflated after the login, or never.
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

    /// The state machine.
    pub fn client(&self) -> &LegacyClient {
        &self.client
    }

    /// Events that were dropped because nobody took them.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Makes a call and waits for its answer; events that come meanwhile wait for [`next`](Self::next).
    ///
    /// # Errors
    /// [`ConnectionError`]; a refusal of the server is no error but a [`Reply`].
    pub async fn call(&mut self, name: &str, args: &[(Text, Value)]) -> Result<Reply, ConnectionError> {
        let id = self.start(name, args)?;
        let answering = self.until(|output| match output {
            Output::Reply(reply) if reply.id == id => Some(reply.clone()),
            _ => None,
        });
        let answered = tokio::time::timeout(PATIENCE, answering).await;
        answered.map_err(|_| ConnectionError::Timeout)?
    }

    /// Makes a call without waiting; its frame goes out with the next [`next`](Self::next).
    ///
    /// # Errors
    /// [`CallError`].
    pub fn start(&mut self, name: &str, args: &[(Text, Value)]) -> Result<i64, CallError> {
        let (id, frame) = self.client.call(name, args)?;
        self.outgoing.push_back(frame);
        Ok(id)
    }

    /// Calls a function of the wire by its own name; as [`start`](Self::start).
    ///
    /// # Errors
    /// [`CallError`].
    pub fn invoke(&mut self, function: &str, args: Vec<(Text, Value)>) -> Result<i64, CallError> {
        let (id, frame) = self.client.invoke(function, args)?;
        self.outgoing.push_back(frame);
        Ok(id)
    }

    /// Sends a frame as it is; as [`start`](Self::start).
    pub fn frame(&mut self, frame: String) {
        self.outgoing.push_back(frame);
    }

    /// What comes next; `None` when the connection is over. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Output> {
        loop {
            if self.write().await.is_err() && !self.gone() {
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

    /// Closes the socket as clients do, without waiting for the server for long.
    pub async fn close(mut self) {
        let closing = async {
            let _ = self.write().await;
            if let Some(link) = &mut self.link {
                link.close().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }

    /// Loses the connection without a word, as by a network that is gone.
    pub fn cut(&mut self) {
        self.link = None;
        self.outgoing.clear();
        self.unflushed = false;
        if self.client.can_resume() {
            let outputs = self.client.lost(self.now());
            self.take(outputs);
        }
        self.returns = (0, Instant::now() + FIRST_RETURN);
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&Output) -> Option<T>) -> Result<T, ConnectionError> {
        let mut seen = 0;
        loop {
            if self.write().await.is_err() && !self.gone() {
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

    /// Waits for a frame or for the clock; false when the connection is over.
    async fn read(&mut self) -> bool {
        let tick = self.client.next_tick().map(|at| self.instant(at));
        let Some(link) = &mut self.link else {
            return self.come_back().await;
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
            // It is answered by the next write.
            Received::Ping => {
                self.unflushed = true;
                true
            }
            Received::Gone => self.gone(),
        }
    }

    /// Handles the loss of the link; true when the client comes back. One that does not come back reports the end of its
    /// session.
    fn gone(&mut self) -> bool {
        let (tries, _) = self.returns;
        let resumed = self.client.is_logged_in();
        if resumed && !self.client.can_resume() {
            let outputs = self.client.give_up();
            self.take(outputs);
        }
        self.cut();
        if !resumed {
            // It was lost again before it was back.
            self.returns = (tries, Instant::now() + FIRST_RETURN * 2_u32.pow(tries));
        }
        self.client.can_resume()
    }

    /// One try to come back.
    async fn come_back(&mut self) -> bool {
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
        self.returns = (tries + 1, Instant::now() + FIRST_RETURN * 2_u32.pow(tries + 1));
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

    /// Writes what is to be written. A frame leaves the queue in the very moment in which the link takes it, so that a
    /// dropped future neither loses one nor sends one twice.
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
