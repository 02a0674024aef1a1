//! The HTTP addresses: `GET /getaddr`, and WebSocket on any path; each of them plain and by TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_tungstenite::tungstenite::protocol::WebSocketConfig;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::api::{self, ApiReader};
use super::client::Accepted;
use super::discovery::{getaddr, getaddr_1_4};
use super::socket::run_socket;
use super::tls::{self, Tls};
use super::web::MAX_FRAME_BYTES;
use super::web::pipe::{Sdk, WebPipe};
use crate::mapping::profile::Transport;
use crate::shell::Server;

/// Buffers of a socket, bytes: idle clients are many, and their frames are small.
const BUFFER_BYTES: usize = 4 * 1024;
/// A client has this long to begin and to finish the handshake of TLS, and then for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the HTTP addresses of a server share.
pub struct Front {
    server: Arc<Server>,
    tls: Option<Arc<Tls>>,
    /// The port that `GET /getaddr` tells, at whichever address it is asked.
    port: u16,
}

impl Front {
    /// `port` is that of `[listen] http`; without `tls` all is plain text.
    pub fn new(server: Arc<Server>, tls: Option<Arc<Tls>>, port: u16) -> Arc<Self> {
        Arc::new(Self { server, tls, port })
    }
}

/// Accepts clients at one address until the shutdown.
pub async fn serve_http(front: Arc<Front>, listener: TcpListener) {
    let server = &front.server;
    loop {
        let accepted = tokio::select! {
            () = server.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: others must close first.
                debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = server.permits.clone().try_acquire_owned() else {
            server.metrics.dropped("sockets over the limit");
            continue;
        };
        server.tasks.spawn(connection(front.clone(), stream, permit));
    }
}

async fn connection(front: Arc<Front>, stream: TcpStream, permit: OwnedSemaphorePermit) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let accepted = Accepted {
        peer: peer.ip(),
        at: front.server.clock.now(),
    };
    let deadline = Instant::now() + HEAD_TIMEOUT;
    let mut first = [0];
    let peeked = tokio::select! {
        peeked = timeout_at(deadline, stream.peek(&mut first)) => peeked,
        () = front.server.shutdown.cancelled() => return,
    };
    match peeked {
        Ok(Ok(1)) if first == [tls::HANDSHAKE] => {
            if let Some(stream) = handshake(&front, stream, deadline).await {
                requests(&front, stream, accepted, permit).await;
            }
        }
        Ok(Ok(1)) => requests(&front, stream, accepted, permit).await,
        _ => debug!("closed without a byte"),
    }
}

async fn handshake(front: &Front, stream: TcpStream, deadline: Instant) -> Option<TlsStream<TcpStream>> {
    let metrics = &front.server.metrics;
    let Some(tls) = &front.tls else {
        debug!("a client speaks TLS, and [tls] has no certificate");
        metrics.tls_failed("no certificate");
        return None;
    };
    let accepted = tokio::select! {
        accepted = timeout_at(deadline, tls.acceptor().accept(stream)) => accepted,
        () = front.server.shutdown.cancelled() => return None,
    };
    match accepted {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            let reason = tls::failure(&error);
            debug!(%error, reason, "TLS handshake");
            metrics.tls_failed(reason);
            None
        }
        Err(_) => {
            debug!("TLS handshake: too slow");
            metrics.tls_failed("too slow");
            None
        }
    }
}

async fn requests<S>(front: &Front, stream: S, accepted: Accepted, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (server, port) = (&front.server, front.port);
    let permit = Arc::new(permit);
    let handler = server.clone();
    let service = service_fn(move |request| {
        let response = respond(&handler, request, port, accepted, permit.clone());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(2 * BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        result = connection => if let Err(error) = result {
            debug!(%error, "connection");
        },
        () = server.shutdown.cancelled() => {}
    }
}

fn respond(
    server: &Arc<Server>,
    mut request: Request<Incoming>,
    port: u16,
    accepted: Accepted,
    permit: Arc<OwnedSemaphorePermit>,
) -> Response<Full<Bytes>> {
    if hyper_tungstenite::is_upgrade_request(&request) {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(16 * MAX_FRAME_BYTES)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let is_api = request.uri().path() == api::PATH;
        return match hyper_tungstenite::upgrade(&mut request, Some(config)) {
            Ok((response, websocket)) => {
                let server = server.clone();
                server.clone().tasks.spawn(async move {
                    if let Ok(websocket) = websocket.await {
                        if is_api {
                            let pipe = WebPipe::new(websocket, ApiReader::new(server.clone()));
                            run_socket(server, Transport::Api, pipe, accepted).await;
                        } else {
                            run_socket(server, Transport::WebSocket, WebPipe::new(websocket, Sdk), accepted).await;
                        }
                    }
                    drop(permit);
                });
                response.map(|_| Full::default())
            }
            Err(error) => plain(
                StatusCode::BAD_REQUEST,
                &format!("not a WebSocket handshake: {error}\n"),
            ),
        };
    }
    let discovery = &server.config.discovery;
    let answer = match request.uri().path() {
        "/getaddr" => Some(getaddr(request.headers().contains_key(ORIGIN), discovery, port)),
        "/1.4/getaddr" => Some(getaddr_1_4(discovery, port)),
        _ => None,
    };
    if let Some(body) = answer.filter(|_| request.method() == Method::GET) {
        let mut response = cross_origin(StatusCode::OK, Bytes::from(body));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Clients look up at every login; a cached answer would outlive a move.
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    match *request.method() {
        // Login reports carry the token: they are answered, and neither read nor logged (signaling-wire 1.5).
        Method::POST | Method::OPTIONS => cross_origin(StatusCode::OK, Bytes::new()),
        _ => plain(
            StatusCode::NOT_FOUND,
            "this is sigbridge: GET /getaddr, or a WebSocket on any path\n",
        ),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = cross_origin(status, Bytes::copy_from_slice(text.as_bytes()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Pages of any origin may read the answer (signaling-wire 1.1).
fn cross_origin(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("access-control-allow-headers", HeaderValue::from_static("*"));
    response
}
