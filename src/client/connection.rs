//! A legacy client with its socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::shell::Clock;
use crate::time::Time;
use crate::value::{Text, Value};

use super::frames::MAX_FRAME_BYTES;
use super::io::{CallError, Output, Reply};
use super::machine::LegacyClient;

/// How long a connection, a login and an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most outputs that wait while an answer is awaited; then the oldest events go.
const MAX_WAITING: usize = 4096;

/// Why there is no connection, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The server cannot be reached, or speaks no WebSocket.
    #[error("could not connect: {0}")]
    Connect(Box<SocketError>),
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
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
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
    /// # Errors
    /// [`ConnectionError`].
    pub async fn login(url: &str, client: LegacyClient) -> Result<Self, ConnectionError> {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = 4096;
        config.write_buffer_size = 0;
        config.max_message_size = Some(MAX_FRAME_BYTES);
        config.max_frame_size = Some(MAX_FRAME_BYTES);
        let connecting = connect_async_with_config(url, Some(config), true);
        let connected = tokio::time::timeout(PATIENCE, connecting).await;
        let (socket, _) = connected
            .map_err(|_| ConnectionError::Timeout)?
            .map_err(|error| ConnectionError::Connect(Box::new(error)))?;
        let mut connection = Self {
            socket,
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
            Ok(()) => Ok(connection),
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
            if self.write().await.is_err() {
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
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&Output) -> Option<T>) -> Result<T, ConnectionError> {
        let mut seen = 0;
        loop {
            self.write().await.map_err(|_| ConnectionError::Closed)?;
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

    /// Waits for a frame or for the clock; false when the socket is gone.
    async fn read(&mut self) -> bool {
        let tick = self.client.next_tick().map(|at| self.instant(at));
        let frame = tokio::select! {
            frame = self.socket.next() => frame,
            () = async { tokio::time::sleep_until(tick.unwrap_or_else(Instant::now)).await }, if tick.is_some() => {
                let outputs = self.client.tick(self.now());
                self.take(outputs);
                return true;
            }
        };
        match frame {
            Some(Ok(Message::Text(text))) => {
                let outputs = self.client.frame(&text, self.now());
                self.take(outputs);
                true
            }
            // Pings are answered by the next write.
            Some(Ok(Message::Close(_)) | Err(_)) | None => false,
            Some(Ok(_)) => {
                self.unflushed = true;
                true
            }
        }
    }

    /// Writes what is to be written. A frame leaves the queue in the very moment in which the socket takes it, so that
    /// a dropped future neither loses one nor sends one twice.
    async fn write(&mut self) -> Result<(), SocketError> {
        while !self.outgoing.is_empty() {
            poll_fn(|cx| Pin::new(&mut self.socket).poll_ready(cx)).await?;
            if let Some(frame) = self.outgoing.pop_front() {
                Pin::new(&mut self.socket).start_send(Message::text(frame))?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            self.socket.flush().await?;
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
