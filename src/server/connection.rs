//! Task of a socket, for every transport: frames in, frames out, timers for pings and the login.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info};

use crate::server::limit::Limit;
use crate::server::send_queue::Written;
use crate::server::transport::{End, Incoming, SharedTransport};
use crate::server::waits::{StopSignal, Timer};
use crate::server::{Closing, ConnectionPermit, Outbound, Server, SlowClientLimits, SocketHandle, TimeSlice};
use rtm::value::Value;
use runtime::net::Taken;
use tables::profile::{Profile, Transport};

use crate::server::connection_state::{Accepted, Client};
use crate::server::run_queue::enter;
use protocol::ClientFrame;
use protocol::decoder::Decoded;

/// Limit of pings that wait for their pongs; further pings are not answered.
const MAX_PONGS: usize = 32;
/// Delay before a losing racing socket is closed, because the winner's login may not be read yet.
const LOSER_CLOSE_DELAY: Duration = Duration::from_millis(50);
/// Close codes of a client's own close: done, page closed, no code. A lost network sends no close frame.
const CLOSED_BY_CLIENT: [u16; 3] = [1000, 1001, 1005];
/// Time limit for the last frames and the answer to a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Data of an accepted connection.
#[derive(Clone)]
pub struct Connection {
    /// Address and time of the connection.
    pub accepted: Accepted,
    /// Count of the bytes that the connection has taken.
    pub taken: Taken,
    /// Permit that the connection holds.
    pub permit: Arc<ConnectionPermit>,
}

/// Serves a connection until it is closed.
///
/// The future of each connection is small: long-lived values are built before it, and its rare waits are in
/// boxes.
pub fn run_socket(
    server: Arc<Server>,
    kind: Transport,
    transport: SharedTransport,
    connection: Connection,
) -> impl Future<Output = ()> + Send {
    server.metrics.sockets.inc();
    let open = server.drain.enter();
    let mut socket = Socket::new(&server, kind, transport, connection);
    async move {
        let _open = open;
        if let Some(socket) = &mut socket {
            socket.run(&server).await;
        }
        server.metrics.sockets.dec();
    }
}

struct Socket {
    transport: SharedTransport,
    out: Arc<Outbound>,
    connection: Connection,
    client: Client,
    pongs: VecDeque<(Instant, Value)>,
    login_deadline: Instant,
    /// Set when the login is refused and the client has to close the socket.
    refused: bool,
    /// Time of the last input.
    last_input: Instant,
    /// Time of the last ping of the transport's own.
    pinged_at: Instant,
    /// Time of the close by the drain.
    close_at: Option<Instant>,
    /// Set after a change that may bring forward a timer, other than the passage of time.
    times_changed: bool,
    turn: TimeSlice,
}

/// Timer and signals that a socket waits for.
struct Waits<'w, 's> {
    timer: Timer<'w>,
    /// The drain closes clients.
    closing: StopSignal<'w, 's>,
    shutdown: StopSignal<'w, 's>,
}

impl<'w, 's> Waits<'w, 's> {
    /// Returns the timer, and the signal that closes a socket. `drains` is true if its time of the drain is known.
    fn of_socket(&mut self, drains: bool) -> (&mut Timer<'w>, &mut StopSignal<'w, 's>) {
        let stop = if drains { &mut self.shutdown } else { &mut self.closing };
        (&mut self.timer, stop)
    }
}

/// Event of a socket.
enum Wakeup {
    Out,
    /// Input, and what follows from it.
    Taken(Next),
    /// A timer may be due.
    Due,
    NoRoom,
    /// The drain closes clients, or the process stops.
    Stop,
}

/// Next step of a socket.
enum Next {
    Go,
    /// Close with the client build's own frames and notify the session.
    Close(End),
    /// Answer the close by the client.
    AnswerClose,
    /// Close without further frames: the client has its last frame already.
    Finished,
    /// The socket is closed already.
    Closed,
}

impl Socket {
    /// Creates a socket before its first frame. Returns `None` if the tables have no profile for the transport.
    fn new(server: &Arc<Server>, kind: Transport, transport: SharedTransport, connection: Connection) -> Option<Self> {
        let config = server.config();
        let patience = SlowClientLimits {
            stall: config.limits.write_stall,
            bytes: config.limits.outbound_bytes,
        };
        let out = Outbound::new(patience, server.memory.clone(), server.metrics.times.outbound.clone());
        let handle = |encoder| SocketHandle {
            out: out.clone(),
            encoder,
        };
        let now = Instant::now();
        let client = Client::new(server.clone(), kind, handle, connection.accepted.clone())?;
        out.serve(&transport);
        Some(Self {
            transport,
            out,
            connection,
            client,
            pongs: VecDeque::new(),
            login_deadline: now + config.session.login_timeout,
            refused: false,
            last_input: now,
            pinged_at: now,
            close_at: None,
            times_changed: true,
            turn: TimeSlice::begin(),
        })
    }

    async fn run(&mut self, server: &Server) {
        let closing_token = server.drain.closing_token();
        let timer = pin!(sleep_until(self.login_deadline));
        let (closing, shutdown) = (pin!(closing_token.cancelled()), pin!(server.shutdown.cancelled()));
        let mut waits = Waits {
            timer: Timer::new(timer),
            closing: StopSignal::new(closing_token, closing),
            shutdown: StopSignal::new(&server.shutdown, shutdown),
        };
        let end = loop {
            let next = self.turn(server, &mut waits).await;
            if !matches!(next, Next::Go) {
                break next;
            }
        };
        // Before the last frames: the session must not wait for a client that takes none.
        self.leave();
        self.out.close(Closing::Over);
        let (end, emitted) = match end {
            Next::Close(end) => (end, false),
            Next::Finished => (End::NORMAL, true),
            Next::Go | Next::AnswerClose | Next::Closed => return,
        };
        debug!(
            socket = self.client.id().0,
            code = end.code,
            reason = end.reason,
            "closing"
        );
        // The close does not wait longer for a client that does not answer.
        let _ = timeout(CLOSE_TIMEOUT, Box::pin(self.close(end, emitted))).await;
    }

    fn leave(&mut self) {
        let _run = enter();
        self.client.leave();
    }

    async fn happens(&mut self, server: &Server, waits: &mut Waits<'_, '_>) -> Wakeup {
        if self.pongs.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            return Wakeup::Due;
        }
        if std::mem::take(&mut self.times_changed) {
            waits.timer.arm(self.due());
        }
        if !self.client.has_logged_in() || !self.client.has_room() {
            // These waits are rare, and their future is large.
            let wakeup = Box::pin(self.happens_seldom(server, waits)).await;
            self.times_changed = true;
            return wakeup;
        }
        let (timer, stop) = waits.of_socket(self.close_at.is_some());
        let mut turn = self.turn;
        let wakeup = turn
            .next(poll_fn(|context| {
                if self.out.poll_work(context).is_ready() {
                    return Poll::Ready(Wakeup::Out);
                }
                let read = self.transport.lock().poll_read(context);
                if let Poll::Ready(incoming) = read {
                    // Taken here because it is large and would be copied otherwise.
                    return Poll::Ready(Wakeup::Taken(self.take(server, incoming)));
                }
                if timer.poll(context).is_ready() {
                    return Poll::Ready(Wakeup::Due);
                }
                stop.poll(context).map(|()| Wakeup::Stop)
            }))
            .await;
        self.turn = turn;
        wakeup
    }

    /// Waits before the login, or while the session's inbox is full.
    async fn happens_seldom(&mut self, server: &Server, waits: &mut Waits<'_, '_>) -> Wakeup {
        let (timer, stop) = waits.of_socket(self.close_at.is_some());
        let Self {
            transport, out, client, ..
        } = self;
        let permit = &self.connection.permit;
        let before_login = !client.has_logged_in();
        let happens = async {
            tokio::select! {
                biased;
                () = out.work() => Ok(Wakeup::Out),
                // A client is read no faster than its session takes the messages.
                incoming = async { client.room().await; read(transport).await } => Err(incoming),
                () = poll_fn(|context| timer.poll(context)) => Ok(Wakeup::Due),
                () = permit.away.cancelled(), if before_login => Ok(Wakeup::NoRoom),
                () = poll_fn(|context| stop.poll(context)) => Ok(Wakeup::Stop),
            }
        };
        match self.turn.next(happens).await {
            Ok(wakeup) => wakeup,
            Err(incoming) => Wakeup::Taken(self.take(server, incoming)),
        }
    }

    /// Returns the time of the earliest timer.
    fn due(&self) -> Option<Instant> {
        let pong = self.pongs.front().map(|(at, _)| *at);
        let login = (self.refused || !self.client.has_logged_in()).then_some(self.login_deadline);
        [pong, login, self.silent_at(), self.ping_at(), self.close_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns the time of the idle timeout.
    fn silent_at(&self) -> Option<Instant> {
        self.client.profile().idle.map(|idle| self.last_input + idle)
    }

    /// Returns the time of the next ping of the transport's own.
    fn ping_at(&self) -> Option<Instant> {
        let ping = self.client.profile().ping;
        ping.map(|ping| self.last_input.max(self.pinged_at) + ping)
    }

    async fn turn(&mut self, server: &Server, waits: &mut Waits<'_, '_>) -> Next {
        match self.happens(server, waits).await {
            Wakeup::Out => self.write(server).await,
            Wakeup::Taken(Next::AnswerClose) => {
                Box::pin(self.answer_close(server)).await;
                Next::Closed
            }
            Wakeup::Taken(next) => next,
            Wakeup::Due => self.take_due(server).await,
            Wakeup::NoRoom => Self::refuse(server, End::NO_ROOM),
            Wakeup::Stop if server.shutdown.is_cancelled() => Next::Close(End::RESTART),
            Wakeup::Stop => {
                self.close_at = Some(server.drain.close_at());
                self.times_changed = true;
                Next::Go
            }
        }
    }

    async fn take_due(&mut self, server: &Server) -> Next {
        let now = Instant::now();
        self.times_changed = true;
        if let Some((_, value)) = self.pongs.pop_front_if(|(at, _)| *at <= now) {
            if self.pongs.is_empty() {
                self.pongs = VecDeque::new();
            }
            self.push(self.client.encoder().pong(&value));
            return self.write(server).await;
        }
        if self.close_at.is_some_and(|at| at <= now) {
            return Next::Close(End::RESTART);
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
            self.pinged_at = now;
            self.transport.lock().start_ping();
            return self.write(server).await;
        }
        Next::Go
    }

    fn refuse(server: &Server, end: End) -> Next {
        server.metrics.bad_frame(end.reason);
        Next::Close(end)
    }

    fn push(&self, texts: Vec<String>) {
        for text in texts {
            self.out.push(text);
        }
    }

    /// Writes the queued frames. If the connection is blocked, also watches for a slow client and the shutdown.
    async fn write(&mut self, server: &Server) -> Next {
        let first = poll_fn(|context| Poll::Ready(self.poll_write(context))).await;
        let written = match first {
            Poll::Ready(written) => written,
            Poll::Pending => Box::pin(self.write_blocked(server)).await,
        };
        match written {
            Written::All => Next::Go,
            Written::Lost => Next::Closed,
            Written::Close(Closing::Refused) if self.client.refused() => {
                self.refused = true;
                self.times_changed = true;
                self.out.reopen();
                Next::Go
            }
            Written::Close(closing) => self.closed(server, closing),
        }
    }

    fn poll_write(&self, context: &mut Context<'_>) -> Poll<Written> {
        self.out.poll_write(&mut *self.transport.lock(), context)
    }

    /// Waits until a blocked connection has taken its frames, or is closed.
    async fn write_blocked(&mut self, server: &Server) -> Written {
        let shutdown = {
            let blocked = self.out.blocked(|| self.connection.taken.get());
            tokio::select! {
                biased;
                written = poll_fn(|context| self.poll_write(context)) => Some(written),
                closing = blocked => Some(Written::Close(closing)),
                () = server.shutdown.cancelled() => None,
            }
        };
        if let Some(written) = shutdown {
            return written;
        }
        // The session does not wait for frames that the client may never take.
        self.leave();
        let writing = poll_fn(|context| self.poll_write(context));
        timeout(CLOSE_TIMEOUT, writing).await.unwrap_or(Written::Lost)
    }

    fn closed(&self, server: &Server, closing: Closing) -> Next {
        match closing {
            Closing::Finished | Closing::Refused => Next::Finished,
            Closing::Over => Next::Close(End::OVER),
            Closing::Slow => {
                server.metrics.limit_reached(Limit::OutboundBytes);
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

    /// Sends the last frames and closes. Clients that do not reconnect by themselves get a frame first (signaling-wire
    /// 3.1).
    async fn close(&mut self, end: End, emitted: bool) {
        if self.client.has_logged_in() && !emitted {
            let encoder = self.client.encoder();
            let farewell = self.client.profile().farewell.iter();
            let frames: Vec<String> = farewell.flat_map(|name| encoder.control(name)).collect();
            for frame in frames {
                if !poll_fn(|context| self.transport.lock().poll_ready(context)).await {
                    return;
                }
                self.transport.lock().start_send(&frame);
            }
        }
        self.transport.lock().start_close(end);
        poll_fn(|context| self.transport.lock().poll_closed(context)).await;
    }

    fn take(&mut self, server: &Server, incoming: Incoming) -> Next {
        self.last_input = Instant::now();
        match incoming {
            Incoming::Text(frame, text) => {
                self.times_changed |= self.client.follow_tables();
                let _run = enter();
                self.client.begins(text, None);
                self.take_frame(frame);
                self.client.ends();
                Next::Go
            }
            Incoming::Requests(text) => {
                {
                    self.times_changed |= self.client.follow_tables();
                    let _run = enter();
                    let Decoded { answer, frames, .. } = self.client.decode(text.as_str());
                    self.client.begins(text, answer.as_deref());
                    self.push(answer.into_iter().collect());
                    for frame in frames {
                        self.take_frame(frame);
                    }
                    self.client.ends();
                }
                Next::Go
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
                Next::AnswerClose
            }
            Incoming::Lost => Next::Closed,
        }
    }

    /// Answers a close by the client, a losing racing socket after the login of its twin.
    async fn answer_close(&self, server: &Server) {
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
        // The next read sends the answer.
        let _ = timeout(CLOSE_TIMEOUT, read(&self.transport)).await;
    }

    fn take_frame(&mut self, frame: ClientFrame) {
        let had_logged_in = self.client.has_logged_in();
        let profile: *const Profile = self.client.profile();
        if let Some(pong) = self.client.frame(frame)
            && self.pongs.len() < MAX_PONGS
        {
            let at = Instant::now() + self.client.profile().pong_delay;
            self.pongs.push_back((at, pong));
            self.times_changed = true;
        }
        self.times_changed |= !std::ptr::eq(profile, self.client.profile());
        if self.client.has_logged_in() && !had_logged_in {
            self.transport.lock().logged_in();
            self.connection.permit.logs_in();
        }
    }
}

async fn read(transport: &SharedTransport) -> Incoming {
    poll_fn(|context| transport.lock().poll_read(context)).await
}
