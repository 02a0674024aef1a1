//! The task of a socket, whatever its transport: frames in, frames out, its own clock for pings and the login.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::mapping::profile::Transport;
use crate::shell::{Out, Server, SocketHandle, Speech};
use crate::value::Value;

use super::client::{Accepted, Client};
use super::frame::ClientFrame;
use super::hearing::Heard;

/// Pings that wait for their pongs; more are not answered.
const MAX_PONGS: usize = 32;
/// A socket that lost its client's race closes by itself, maybe before the winner's login was read.
const LOSER_CLOSE_DELAY: Duration = Duration::from_millis(50);
/// Codes of a close by the client: done, page closed, no code. A lost network has no close frame.
const CLOSED_BY_CLIENT: [u16; 3] = [1000, 1001, 1005];
/// A client has this long to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A transport: texts out, frames in.
pub trait Pipe: Send {
    /// What comes next. Dropping the future loses nothing.
    fn read(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Writes a text, maybe to a buffer; false when the connection is gone.
    fn feed(&mut self, text: Utf8Bytes) -> impl Future<Output = bool> + Send;

    /// Empties the buffer; false when the connection is gone.
    fn flush(&mut self) -> impl Future<Output = bool> + Send;

    /// Closes with a reason and waits for the other end.
    fn close(self, end: End) -> impl Future<Output = ()> + Send;

    /// The client has logged in.
    fn logged_in(&mut self) {}

    /// The language of this connection alone, when the transport keeps something for each.
    fn speech(&self) -> Option<Arc<dyn Speech>> {
        None
    }
}

/// What comes in.
pub enum Incoming {
    /// A frame, and what it was read from.
    Text(ClientFrame, Utf8Bytes),
    /// Frames, and maybe an answer of the transport's own, with what they were read from.
    Heard(Heard, Utf8Bytes),
    /// Something that the client may not send: it is counted, and the connection is closed.
    Bad(End),
    /// Something of the transport's own.
    Nothing,
    /// The client closes, with a code where the transport has one; the next read answers that.
    Closing(Option<u16>),
    /// The connection is gone.
    Gone,
}

/// Why the sidecar closes a connection.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// A WebSocket close code; other transports have none.
    pub code: u16,
    /// In words, as it is counted.
    pub reason: &'static str,
}

impl End {
    const NORMAL: Self = Self { code: 1000, reason: "" };
    const RESTART: Self = Self {
        code: 1001,
        reason: "restart",
    };
    const NO_LOGIN: Self = Self {
        code: 1008,
        reason: "no login",
    };
    const IDLE: Self = Self {
        code: 1001,
        reason: "silent for too long",
    };
    const TOO_SLOW: Self = Self {
        code: 1008,
        reason: "too slow",
    };
}

/// Serves a connection until it is closed.
pub async fn run_socket(server: Arc<Server>, transport: Transport, pipe: impl Pipe, accepted: Accepted) {
    server.metrics.sockets.inc();
    let (out, outbound) = mpsc::channel(server.config.limits.outbound_frames);
    let kill = CancellationToken::new();
    let handle = |speech| SocketHandle {
        out,
        kill: kill.clone(),
        speech,
    };
    let login_deadline = Instant::now() + server.config.session.login_timeout;
    if let Some(client) = Client::new(server.clone(), transport, pipe.speech(), handle, accepted) {
        let socket = Socket {
            pipe,
            outbound,
            kill,
            client,
            pongs: VecDeque::new(),
            login_deadline,
            refused: false,
            heard: Instant::now(),
        };
        socket.run(&server).await;
    }
    server.metrics.sockets.dec();
}

struct Socket<P> {
    pipe: P,
    outbound: mpsc::Receiver<Out>,
    kill: CancellationToken,
    client: Client,
    pongs: VecDeque<(Instant, Value)>,
    login_deadline: Instant,
    /// The login is refused, and the client has to close the socket.
    refused: bool,
    /// When it was last heard of.
    heard: Instant,
}

/// What a socket does next.
enum Next {
    Go,
    /// Close; the session is told.
    Close(End),
    /// The socket is closed already.
    Gone,
}

impl<P: Pipe> Socket<P> {
    async fn run(mut self, server: &Server) {
        let end = loop {
            let next = self.turn(server).await;
            if !matches!(next, Next::Go) {
                break next;
            }
        };
        self.client.leave().await;
        if let Next::Close(end) = end {
            debug!(
                socket = self.client.id().0,
                code = end.code,
                reason = end.reason,
                "closing"
            );
            // A client that does not answer is not waited for.
            let _ = timeout(CLOSE_TIMEOUT, self.pipe.close(end)).await;
        }
    }

    async fn turn(&mut self, server: &Server) -> Next {
        let pong_at = self.pongs.front().map(|(at, _)| *at);
        let pong = async {
            match pong_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let refused = self.refused;
        let waiting_for_login = !self.client.has_logged_in();
        let silent_until = self.client.profile().idle.map(|idle| self.heard + idle);
        let idle = async move {
            match silent_until {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => Next::Close(End::TOO_SLOW),
            Some(out) = self.outbound.recv() => self.write(out).await,
            () = pong => {
                let value = self.pongs.pop_front().map(|(_, value)| value).unwrap_or_default();
                self.write_texts(self.client.speech().pong(&value)).await
            }
            incoming = self.pipe.read() => self.take(server, incoming).await,
            () = sleep_until(self.login_deadline), if refused => Next::Close(End::NORMAL),
            () = sleep_until(self.login_deadline), if waiting_for_login => {
                server.metrics.bad_frame(End::NO_LOGIN.reason);
                Next::Close(End::NO_LOGIN)
            }
            () = idle => {
                server.metrics.bad_frame(End::IDLE.reason);
                Next::Close(End::IDLE)
            }
            () = server.shutdown.cancelled() => self.drain().await,
        }
    }

    /// Writes what is there in one go.
    async fn write(&mut self, first: Out) -> Next {
        let mut next = Some(first);
        while let Some(out) = next {
            match out {
                Out::Frame(text) => {
                    if let Next::Gone = self.feed(text).await {
                        return Next::Gone;
                    }
                }
                Out::Refused if self.client.refused() => self.refused = true,
                Out::Close | Out::Refused => return Next::Close(End::NORMAL),
            }
            next = self.outbound.try_recv().ok();
        }
        self.flush().await
    }

    async fn write_texts(&mut self, texts: Vec<String>) -> Next {
        for text in texts {
            if let Next::Gone = self.feed(text.into()).await {
                return Next::Gone;
            }
        }
        self.flush().await
    }

    async fn feed(&mut self, text: Utf8Bytes) -> Next {
        tokio::select! {
            done = self.pipe.feed(text) => if done { Next::Go } else { Next::Gone },
            () = self.kill.cancelled() => Next::Gone,
        }
    }

    async fn flush(&mut self) -> Next {
        tokio::select! {
            done = self.pipe.flush() => if done { Next::Go } else { Next::Gone },
            () = self.kill.cancelled() => Next::Gone,
        }
    }

    async fn take(&mut self, server: &Server, incoming: Incoming) -> Next {
        self.heard = Instant::now();
        match incoming {
            Incoming::Text(frame, text) => {
                self.client.begins(text, None);
                self.take_frame(frame).await;
                self.client.ends().await;
                Next::Go
            }
            Incoming::Heard(Heard { answer, frames, .. }, text) => {
                self.client.begins(text, answer.as_deref());
                for frame in frames {
                    self.take_frame(frame).await;
                }
                self.client.ends().await;
                self.write_texts(answer.into_iter().collect()).await
            }
            Incoming::Bad(end) => {
                server.metrics.bad_frame(end.reason);
                Next::Close(end)
            }
            Incoming::Nothing => Next::Go,
            Incoming::Closing(code) => {
                if code.is_some_and(|code| CLOSED_BY_CLIENT.contains(&code)) {
                    self.client.closed_by_client();
                }
                let limit = self.client.profile().loser_close;
                if !self.client.has_logged_in() && !limit.is_zero() {
                    sleep(LOSER_CLOSE_DELAY).await;
                    let _ = timeout(limit, server.logins.settled(self.client.peer())).await;
                }
                // The answer goes out with the next read.
                let _ = timeout(CLOSE_TIMEOUT, self.pipe.read()).await;
                Next::Gone
            }
            Incoming::Gone => Next::Gone,
        }
    }

    async fn take_frame(&mut self, frame: ClientFrame) {
        let had_logged_in = self.client.has_logged_in();
        if let Some(pong) = self.client.frame(frame).await
            && self.pongs.len() < MAX_PONGS
        {
            let at = Instant::now() + self.client.profile().pong_delay;
            self.pongs.push_back((at, pong));
        }
        if self.client.has_logged_in() && !had_logged_in {
            self.pipe.logged_in();
        }
    }

    /// Clients that reconnect by themselves are just closed; the others have to be told (signaling-wire 3.1).
    async fn drain(&mut self) -> Next {
        if self.client.has_logged_in() {
            let speech = self.client.speech();
            let frames = self.client.profile().drain.iter().flat_map(|name| speech.control(name));
            self.write_texts(frames.collect()).await;
        }
        Next::Close(End::RESTART)
    }
}
