//! The task of a Web socket: frames in, frames out, its own clock for pings and the login.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper_tungstenite::HyperWebsocketStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message as Frame, error::CapacityError};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::front::client::{Accepted, Client};
use crate::mapping::profile::Transport;
use crate::shell::{Out, Server, SocketHandle};
use crate::value::Value;

use super::decode::decode;

/// Pings that wait for their pongs; more are not answered.
const MAX_PONGS: usize = 32;
/// A socket that lost its client's race closes by itself, maybe before the winner's login was read.
const LOSER_CLOSE_DELAY: Duration = Duration::from_millis(50);
/// A client has this long to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves a socket until it is closed.
pub async fn run_socket(server: Arc<Server>, websocket: HyperWebsocketStream, accepted: Accepted) {
    server.metrics.sockets.inc();
    let (out, outbound) = mpsc::channel(server.config.limits.outbound_frames);
    let kill = CancellationToken::new();
    let handle = |speech| SocketHandle {
        out,
        kill: kill.clone(),
        speech,
    };
    let login_deadline = Instant::now() + server.config.session.login_timeout;
    if let Some(client) = Client::new(server.clone(), Transport::WebSocket, handle, accepted) {
        let socket = Socket {
            websocket,
            outbound,
            kill,
            client,
            pongs: VecDeque::new(),
            login_deadline,
        };
        socket.run(&server).await;
    }
    server.metrics.sockets.dec();
}

struct Socket {
    websocket: HyperWebsocketStream,
    outbound: mpsc::Receiver<Out>,
    kill: CancellationToken,
    client: Client,
    pongs: VecDeque<(Instant, Value)>,
    login_deadline: Instant,
}

/// What a socket does next.
enum Next {
    Go,
    /// Close with this code; the session is told.
    Close(CloseCode, &'static str),
    /// The socket is closed already.
    Gone,
}

impl Socket {
    async fn run(mut self, server: &Server) {
        let end = loop {
            let next = self.turn(server).await;
            if !matches!(next, Next::Go) {
                break next;
            }
        };
        self.client.leave().await;
        if let Next::Close(code, reason) = end {
            debug!(socket = self.client.id().0, %code, reason, "closing");
            let frame = CloseFrame {
                code,
                reason: reason.into(),
            };
            // A client that does not answer is not waited for.
            let _ = timeout(CLOSE_TIMEOUT, async {
                self.websocket.close(Some(frame)).await.ok();
                while let Some(Ok(_)) = self.websocket.next().await {}
            })
            .await;
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
        let waiting_for_login = !self.client.has_logged_in();
        tokio::select! {
            biased;
            () = self.kill.cancelled() => Next::Close(CloseCode::Policy, "too slow"),
            Some(out) = self.outbound.recv() => self.write(out).await,
            () = pong => {
                let value = self.pongs.pop_front().map(|(_, value)| value).unwrap_or_default();
                self.write_texts(self.client.speech().pong(&value)).await
            }
            frame = self.websocket.next() => self.read(server, frame).await,
            () = sleep_until(self.login_deadline), if waiting_for_login => {
                server.metrics.bad_frame("no login");
                Next::Close(CloseCode::Policy, "no login")
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
                    if let next @ (Next::Close(..) | Next::Gone) = self.feed(Frame::Text(text)).await {
                        return next;
                    }
                }
                Out::Close => return Next::Close(CloseCode::Normal, ""),
            }
            next = self.outbound.try_recv().ok();
        }
        self.flush().await
    }

    async fn write_texts(&mut self, texts: Vec<String>) -> Next {
        for text in texts {
            if let next @ (Next::Close(..) | Next::Gone) = self.feed(Frame::text(text)).await {
                return next;
            }
        }
        self.flush().await
    }

    async fn feed(&mut self, frame: Frame) -> Next {
        tokio::select! {
            result = self.websocket.feed(frame) => if result.is_ok() { Next::Go } else { Next::Gone },
            () = self.kill.cancelled() => Next::Gone,
        }
    }

    async fn flush(&mut self) -> Next {
        tokio::select! {
            result = self.websocket.flush() => if result.is_ok() { Next::Go } else { Next::Gone },
            () = self.kill.cancelled() => Next::Gone,
        }
    }

    async fn read(&mut self, server: &Server, frame: Option<Result<Frame, Error>>) -> Next {
        let bad = |reason: &'static str, code| {
            server.metrics.bad_frame(reason);
            Next::Close(code, reason)
        };
        match frame {
            Some(Ok(Frame::Text(text))) => match decode(text.as_str()) {
                Ok(frame) => {
                    if let Some(pong) = self.client.frame(frame).await
                        && self.pongs.len() < MAX_PONGS
                    {
                        let at = Instant::now() + self.client.profile().pong_delay;
                        self.pongs.push_back((at, pong));
                    }
                    Next::Go
                }
                Err(_) => bad("not a frame", CloseCode::Invalid),
            },
            Some(Ok(Frame::Binary(_))) => bad("binary", CloseCode::Unsupported),
            Some(Ok(Frame::Close(_))) => {
                let limit = self.client.profile().loser_close;
                if !self.client.has_logged_in() && !limit.is_zero() {
                    sleep(LOSER_CLOSE_DELAY).await;
                    let _ = timeout(limit, server.logins.settled(self.client.peer())).await;
                }
                // The answer goes out with the next read.
                let _ = timeout(CLOSE_TIMEOUT, self.websocket.next()).await;
                Next::Gone
            }
            Some(Ok(_)) => Next::Go,
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => bad("frame too large", CloseCode::Size),
            Some(Err(Error::Utf8(_))) => bad("not UTF-8", CloseCode::Invalid),
            Some(Err(_)) | None => Next::Gone,
        }
    }

    /// Clients that reconnect by themselves are just closed; the others have to be told (signaling-wire 3.1).
    async fn drain(&mut self) -> Next {
        if self.client.has_logged_in() {
            let speech = self.client.speech();
            let frames = self.client.profile().drain.iter().flat_map(|name| speech.control(name));
            self.write_texts(frames.collect()).await;
        }
        Next::Close(CloseCode::Away, "restart")
    }
}
