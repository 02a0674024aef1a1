//! HTTP addresses: `GET /getaddr`, and WebSocket on any path, both plain and by TLS.

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
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::server::connection::{Connection, run_socket};
use crate::server::connection_state::Accepted;
use crate::server::lookup::{getaddr, getaddr_1_4};
use crate::server::tls;
use crate::server::tls::Tls;
use crate::server::transport::SharedTransport;
use crate::server::websocket::{Api, Sdk, WebSocketTransport};
use crate::server::{ConnectionPermit, Server};
use protocol::api;
use protocol::web::MAX_FRAME_BYTES;
use rtm::value::Text;
use runtime::net::{Acceptor, Metered, Taken};
use tables::profile::Transport;

/// Size of a socket buffer in bytes: idle clients are many, and their frames are small.
const BUFFER_BYTES: usize = 4 * 1024;
/// Time limit for the TLS handshake, and again for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Counter label of a page with a forbidden origin.
const FOREIGN_PAGE: &str = "origin not allowed";

/// Shared data of the HTTP addresses of a server.
pub struct ListenerContext {
    server: Arc<Server>,
    tls: Arc<Tls>,
    /// Port in the answer of `GET /getaddr`, the same for every address.
    port: u16,
}

impl ListenerContext {
    /// Creates the shared data. `port` is that of `[listen] http`; without a certificate all connections are plain text.
    pub fn new(server: Arc<Server>, tls: Arc<Tls>, port: u16) -> Arc<Self> {
        Arc::new(Self { server, tls, port })
    }
}

/// Accepts clients at one address until clients are closed.
pub async fn serve_http(front: Arc<ListenerContext>, listener: TcpListener) {
    let server = &front.server;
    let mut acceptor = Acceptor::new(listener, "http", server.shortages.clone());
    while let Some((stream, peer)) = acceptor.next(server.drain.closing_token()).await {
        let Some(permit) = server.enter(peer.ip()) else {
            continue;
        };
        let accepted = Accepted {
            peer: peer.ip(),
            at: server.clock.now(),
            origin: None,
        };
        server.tasks.spawn(connection(front.clone(), stream, accepted, permit));
    }
}

async fn connection(front: Arc<ListenerContext>, stream: TcpStream, accepted: Accepted, permit: Arc<ConnectionPermit>) {
    let away = permit.away.clone();
    let served = async {
        let deadline = Instant::now() + HEAD_TIMEOUT;
        let mut first = [0];
        let peeked = timeout_at(deadline, stream.peek(&mut first)).await;
        let taken = Taken::default();
        let stream = Metered::new(stream, taken.clone());
        let connection = Connection {
            accepted,
            taken,
            permit,
        };
        match peeked {
            Ok(Ok(1)) if first == [tls::HANDSHAKE] => {
                if let Some(stream) = handshake(&front, stream, deadline).await {
                    requests(&front, stream, connection).await;
                }
            }
            Ok(Ok(1)) => requests(&front, stream, connection).await,
            _ => debug!("connection closed before the first byte"),
        }
    };
    // A WebSocket continues after this: it watches both signals itself.
    tokio::select! {
        () = served => {}
        () = away.cancelled() => {}
        () = front.server.drain.closing() => {}
    }
}

async fn handshake(
    front: &ListenerContext,
    stream: Metered<TcpStream>,
    deadline: Instant,
) -> Option<TlsStream<Metered<TcpStream>>> {
    let metrics = &front.server.metrics;
    let Some(acceptor) = front.tls.acceptor() else {
        debug!("TLS connection without a certificate in [tls]");
        metrics.tls_failed("no certificate");
        return None;
    };
    match timeout_at(deadline, acceptor.accept(stream)).await {
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

async fn requests<S>(front: &ListenerContext, stream: S, from: Connection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (server, port) = (&front.server, front.port);
    let handler = server.clone();
    let service = service_fn(move |request| {
        let response = respond(&handler, request, port, from.clone());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(2 * BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        debug!(%error, "connection");
    }
}

fn respond(
    server: &Arc<Server>,
    mut request: Request<Incoming>,
    port: u16,
    mut from: Connection,
) -> Response<Full<Bytes>> {
    if hyper_tungstenite::is_upgrade_request(&request) {
        // The stream of the library is only passed through: its buffers are not used.
        let config = WebSocketConfig::default().read_buffer_size(0).write_buffer_size(0);
        let is_api = request.uri().path() == api::PATH;
        from.accepted.origin = request.headers().get(ORIGIN).map(origin);
        if !server.config().listen.allows(from.accepted.origin.as_deref(), is_api) {
            server.metrics.bad_frame(FOREIGN_PAGE);
            return plain(StatusCode::FORBIDDEN, "pages of this origin may not connect\n");
        }
        return match hyper_tungstenite::upgrade(&mut request, Some(config)) {
            Ok((response, websocket)) => {
                let server = server.clone();
                server.clone().tasks.spawn(async move {
                    let Ok(websocket) = websocket.await else { return };
                    let io = websocket.into_inner();
                    let (kind, transport): (_, SharedTransport) = if is_api {
                        let transport = WebSocketTransport::new(io, MAX_FRAME_BYTES, Api);
                        (Transport::Api, Arc::new(Mutex::new(transport)))
                    } else {
                        let transport = WebSocketTransport::new(io, MAX_FRAME_BYTES, Sdk);
                        (Transport::WebSocket, Arc::new(Mutex::new(transport)))
                    };
                    run_socket(server, kind, transport, from).await;
                });
                response.map(|_| Full::default())
            }
            Err(error) => plain(
                StatusCode::BAD_REQUEST,
                &format!("not a WebSocket handshake: {error}\n"),
            ),
        };
    }
    let config = server.config();
    let discovery = &config.discovery;
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
        // Clients look up at every login; a cached answer would be wrong after a move.
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    match *request.method() {
        // Login reports contain the token: they are answered, but not read or logged (signaling-wire 1.5).
        Method::POST | Method::OPTIONS => cross_origin(StatusCode::OK, Bytes::new()),
        _ => plain(
            StatusCode::NOT_FOUND,
            "this is sigbridge: GET /getaddr, or a WebSocket on any path\n",
        ),
    }
}

/// Returns the origin of a page; a value that is not text matches no origin.
fn origin(value: &HeaderValue) -> Text {
    value.to_str().unwrap_or("null").into()
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = cross_origin(status, Bytes::copy_from_slice(text.as_bytes()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Builds an answer that pages of any origin may read (signaling-wire 1.1).
fn cross_origin(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("access-control-allow-headers", HeaderValue::from_static("*"));
    response
}
