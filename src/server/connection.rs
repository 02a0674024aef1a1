//! The task of a socket, whatever its transport: frames in, frames out, its own clock for pings and the login.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::{debug, info};

use crate::server::{Closing, ConnectionPermit, Outbound, Patience, Server, SocketHandle, TimeSlice, send_queue};
use protocol::encoder::Encoder;
use rtm::value::Value;
use runtime::net::Taken;
use tables::profile::Transport;

use crate::server::connection_state::{Accepted, Client};
use protocol::ClientFrame;
use protocol::decoder::Decoded;

/// Pings that wait for their pongs; more are not answered.
const MAX_PONGS: usize = 32;
/// A socket that lost its client's race closes by itself, maybe before the winner's login was read.
const LOSER_CLOSE_DELAY: Duration = Duration::from_millis(50);
/// Codes of a close by the client: done, page closed, no code. A lost network has no close frame.
const CLOSED_BY_CLIENT: [u16; 3] = [1000, 1001, 1005];
/// A client has this long to take the last frames and to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a front knows of a connection when it has been accepted.
#[derive(Clone)]
pub struct Connection {
    /// Where and when it came in.
    pub accepted: Accepted,
    /// What it has taken of what was written to it.
    pub taken: Taken,
    /// Its place.
    pub ticket: Arc<ConnectionPermit>,
}

/// A transport: texts out, frames in.
pub trait Pipe: Send {
    /// What comes next. Dropping the future loses nothing.
    fn read(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Writes a text, maybe to a buffer; false when the connection is gone.
    fn feed(&mut self, text: Utf8Bytes) -> impl Future<Output = bool> + Send;

    /// Empties the buffer; false when the connection is gone.
    fn flush(&mut self) -> impl Future<Output = bool> + Send;

    /// Writes a ping of the transport's own, where it has one; false when the connection is gone.
    fn ping(&mut self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    /// Closes with a reason and waits for the other end.
    fn close(self, end: End) -> impl Future<Output = ()> + Send;

    /// The client has logged in.
    fn logged_in(&mut self) {}

    /// The language of this connection alone, when the transport keeps something for each.
    fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        None
    }
}

/// What comes in.
pub enum Incoming {
    /// A frame, and what it was read from.
    Text(ClientFrame, Utf8Bytes),
    /// Frames, and maybe an answer of the transport's own, with what they were read from.
    Decoded(Decoded, Utf8Bytes),
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
    const OVER: Self = Self {
        code: 1001,
        reason: "the session is over",
    };
    const NO_ROOM: Self = Self {
        code: 1013,
        reason: "no room",
    };
}

/// Serves a connection until it is closed.
pub async fn run_socket(server: Arc<Server>, transport: Transport, pipe: impl Pipe, connection: Connection) {
    server.metrics.sockets.inc();
    let limits = &server.config.limits;
    let patience = Patience {
        stall: limits.write_stall,
        bytes: limits.outbound_bytes,
    };
    let out = Outbound::new(patience, server.memory.clone());
    let handle = |encoder| SocketHandle {
        out: out.clone(),
        encoder,
    };
    let now = Instant::now();
    if let Some(client) = Client::new(
        server.clone(),
        transport,
        pipe.encoder(),
        handle,
        connection.accepted.clone(),
    ) {
        let socket = Socket {
            pipe,
            out,
            connection,
            client,
            pongs: VecDeque::new(),
            login_deadline: now + server.config.session.login_timeout,
            refused: false,
            heard: now,
            pinged: now,
            turn: TimeSlice::begin(),
        };
        socket.run(&server).await;
    }
    server.metrics.sockets.dec();
}

struct Socket<P> {
    pipe: P,
    out: Arc<Outbound>,
    connection: Connection,
    client: Client,
    pongs: VecDeque<(Instant, Value)>,
    login_deadline: Instant,
    /// The login is refused, and the client has to close the socket.
    refused: bool,
    /// When it was last heard of.
    heard: Instant,
    /// When it was last sent a ping of the transport's own.
    pinged: Instant,
    turn: TimeSlice,
}

/// What happens to a socket.
enum Wakeup {
    Out(send_queue::Next),
    Read(Incoming),
    /// A time has come.
    Due,
    NoRoom,
    Shutdown,
}

/// What a socket does next.
enum Next {
    Go,
    /// Close, with what the client's build understands; the session is told.
    Close(End),
    /// Close: the client was told already.
    Finished,
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
        // Before the last words: the session is not to wait for a client that takes none.
        self.client.leave().await;
        self.out.close(Closing::Over);
        let (end, told) = match end {
            Next::Close(end) => (end, false),
            Next::Finished => (End::NORMAL, true),
            Next::Go | Next::Gone => return,
        };
        debug!(
            socket = self.client.id().0,
            code = end.code,
            reason = end.reason,
            "closing"
        );
        // A client that does not answer is not waited for.
        let _ = timeout(CLOSE_TIMEOUT, self.close(end, told)).await;
    }

    async fn happens(&mut self, server: &Server) -> Wakeup {
        if self.pongs.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            return Wakeup::Due;
        }
        let due = self.due();
        let Self { pipe, out, client, .. } = self;
        let ticket = &self.connection.ticket;
        let before_login = !client.has_logged_in();
        // Pinned here: it is large, and would be copied on its way.
        let happens = pin!(async {
            tokio::select! {
                biased;
                next = out.next() => Wakeup::Out(next),
                // A client is read no faster than its session takes what it says.
                incoming = async { client.room().await; pipe.read().await } => Wakeup::Read(incoming),
                () = at(due) => Wakeup::Due,
                () = ticket.away.cancelled(), if before_login => Wakeup::NoRoom,
                () = server.shutdown.cancelled() => Wakeup::Shutdown,
            }
        });
        self.turn.next(happens).await
    }

    /// What is due first.
    fn due(&self) -> Option<Instant> {
        let pong = self.pongs.front().map(|(at, _)| *at);
        let login = (self.refused || !self.client.has_logged_in()).then_some(self.login_deadline);
        [pong, login, self.silent_at(), self.ping_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When it has said nothing for too long.
    fn silent_at(&self) -> Option<Instant> {
        self.client.profile().idle.map(|idle| self.heard + idle)
    }

    /// When it is to be asked whether it is there.
    fn ping_at(&self) -> Option<Instant> {
        let ping = self.client.profile().ping;
        ping.map(|ping| self.heard.max(self.pinged) + ping)
    }

    async fn turn(&mut self, server: &Server) -> Next {
        match self.happens(server).await {
            Wakeup::Out(next) => self.write(server, next).await,
            Wakeup::Read(incoming) => self.take(server, incoming).await,
            Wakeup::Due => self.take_due(server).await,
            Wakeup::NoRoom => Self::refuse(server, End::NO_ROOM),
            Wakeup::Shutdown => Next::Close(End::RESTART),
        }
    }

    async fn take_due(&mut self, server: &Server) -> Next {
        let now = Instant::now();
        if let Some((_, value)) = self.pongs.pop_front_if(|(at, _)| *at <= now) {
            return self.write_texts(server, self.client.encoder().pong(&value)).await;
        }
        if self.refused && self.login_deadline <= now {
            return Next::Finished;
        }
        if !self.client.has_logged_in() && self.login_deadline <= now {
            return Self::refuse(server, End::NO_LOGIN);
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            return Self::refuse(server, End::IDLE);
        }
        if self.ping_at().is_some_and(|at| at <= now) {
            self.pinged = now;
            return match self.watched(server, async |pipe| pipe.ping().await).await {
                Next::Go => self.flush(server).await,
                next => next,
            };
        }
        Next::Go
    }

    fn refuse(server: &Server, end: End) -> Next {
        server.metrics.bad_frame(end.reason);
        Next::Close(end)
    }

    /// Writes what is there, as far as the turn goes, in one go.
    async fn write(&mut self, server: &Server, first: send_queue::Next) -> Next {
        let mut next = Some(first);
        while let Some(out) = next {
            match out {
                send_queue::Next::Frame(text) => match self.feed(server, text).await {
                    Next::Go => {}
                    next => return next,
                },
                send_queue::Next::Close(Closing::Refused) if self.client.refused() => {
                    self.refused = true;
                    self.out.reopen();
                }
                send_queue::Next::Close(closing) => return self.closed(server, closing),
            }
            next = if self.turn.is_over() { None } else { self.out.try_next() };
        }
        self.flush(server).await
    }

    async fn write_texts(&mut self, server: &Server, texts: Vec<String>) -> Next {
        for text in texts {
            match self.feed(server, text.into()).await {
                Next::Go => {}
                next => return next,
            }
        }
        self.flush(server).await
    }

    async fn feed(&mut self, server: &Server, text: Utf8Bytes) -> Next {
        self.watched(server, async |pipe| pipe.feed(text).await).await
    }

    async fn flush(&mut self, server: &Server) -> Next {
        self.watched(server, async |pipe| pipe.flush().await).await
    }

    /// Writes; a connection that takes nothing is watched meanwhile for all that the socket's turn looks at.
    async fn watched(&mut self, server: &Server, write: impl AsyncFnOnce(&mut P) -> bool) -> Next {
        let go = |done| if done { Next::Go } else { Next::Gone };
        let closing = {
            let mut writing = pin!(write(&mut self.pipe));
            let first = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
            if let Poll::Ready(done) = first {
                return go(done);
            }
            tokio::select! {
                biased;
                done = &mut writing => return go(done),
                closing = self.out.blocked(|| self.connection.taken.get()) => closing,
                () = server.shutdown.cancelled() => {
                    // The session does not wait for what is maybe never taken.
                    self.client.leave().await;
                    return timeout(CLOSE_TIMEOUT, writing).await.map_or(Next::Gone, go);
                }
            }
        };
        self.closed(server, closing)
    }

    fn closed(&self, server: &Server, closing: Closing) -> Next {
        match closing {
            Closing::Finished | Closing::Refused => Next::Finished,
            Closing::Over => Next::Close(End::OVER),
            Closing::Slow => {
                server.metrics.dropped("frames of a slow client");
                info!(
                    session = self.client.session(),
                    hint = "[limits] write_stall and outbound_bytes bound what waits for one client",
                    "a client does not take what it is sent, and is closed"
                );
                Next::Close(End::TOO_SLOW)
            }
        }
    }

    /// The last words. Clients that reconnect by themselves are just closed; others have to be told (signaling-wire 3.1).
    async fn close(mut self, end: End, told: bool) {
        if self.client.has_logged_in() && !told {
            let encoder = self.client.encoder();
            let farewell = self.client.profile().farewell.iter();
            let frames: Vec<String> = farewell.flat_map(|name| encoder.control(name)).collect();
            for frame in frames {
                if !self.pipe.feed(frame.into()).await {
                    return;
                }
            }
        }
        self.pipe.close(end).await;
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
            Incoming::Decoded(Decoded { answer, frames, .. }, text) => {
                self.client.begins(text, answer.as_deref());
                for frame in frames {
                    self.take_frame(frame).await;
                }
                self.client.ends().await;
                self.write_texts(server, answer.into_iter().collect()).await
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
                    let settled = async {
                        sleep(LOSER_CLOSE_DELAY).await;
                        let _ = timeout(limit, server.logins.settled(self.client.peer())).await;
                    };
                    tokio::select! {
                        () = settled => {}
                        () = server.shutdown.cancelled() => {}
                    }
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
            self.connection.ticket.logs_in();
        }
    }
}

/// Sleeps until then, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
