//! The admin address. Requests from other sites are refused; with `[admin] token_file`, all paths but the first two need
//! its token.
//!
//! | path | answers |
//! |---|---|
//! | `GET /livez` (and `/healthz`) | 200 while the process runs |
//! | `GET /readyz` | 200 while new clients are welcome, else 503; the reasons as JSON |
//! | `GET /metrics` | the counters, as OpenMetrics |
//! | `GET /nodes` | the sidecars that share a Redis, as JSON |
//! | `GET /coverage` | which calls and events are used |
//! | `POST /doctor` | the way to RTM, step by step |
//! | `POST /record/start`, `/record/stop` | switches recording |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::admin::guard::admit;
use crate::admin::readiness::not_ready;
use crate::diagnostics::examine;
use crate::server::Server;
use rtm::AppId;
use runtime::net::Acceptor;

/// Connections at once: some scrapers and a few people.
const MAX_CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the admin address until it is closed, which is after the drain.
pub async fn serve_admin(server: Arc<Server>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut acceptor = Acceptor::new(listener, "admin", server.strain.clone());
    while let Some((stream, _)) = acceptor.next(&server.admin.closed).await {
        let Ok(permit) = room.clone().try_acquire_owned() else {
            server.metrics.dropped("admin connections over the limit");
            continue;
        };
        let serving = server.clone();
        server.admin.tasks.spawn(async move {
            connection(serving, stream).await;
            drop(permit);
        });
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    let Ok(local) = stream.local_addr() else { return };
    let closed = server.admin.closed.clone();
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(respond(&server, local, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        () = closed.cancelled() => {}
    }
}

async fn respond(
    server: &Arc<Server>,
    local: SocketAddr,
    request: &Request<hyper::body::Incoming>,
) -> Response<Full<Bytes>> {
    let admitted = admit(&server.config.admin, local, request.uri(), request.headers());
    let (status, kind, body) = match (admitted, request.method(), request.uri().path()) {
        (Err((status, text)), ..) => (status, "text/plain", text.to_owned()),
        (_, &Method::POST, "/doctor") => doctor(server, request.uri().query()).await,
        (_, &Method::POST, path) => switch(server, path).await,
        (_, _, "/nodes") => nodes(server).await,
        (_, _, "/coverage") => coverage(server, request.headers()),
        (_, _, path) => answer(server, path),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The way to RTM of an app, which the query names where the config does not.
async fn doctor(server: &Arc<Server>, query: Option<&str>) -> (StatusCode, &'static str, String) {
    let named = query.and_then(|query| query.strip_prefix("app="));
    let named = named.map(|app| percent_decode_str(app).decode_utf8_lossy().into_owned());
    let app = match named {
        Some(named) => AppId::new(named).ok(),
        None => server.config.only_app(),
    };
    let Some(app) = app else {
        let text = "which app? POST /doctor?app=ID\n".to_owned();
        return (StatusCode::BAD_REQUEST, "text/plain", text);
    };
    match serde_json::to_string_pretty(&examine(server, &app).await) {
        Ok(json) => (StatusCode::OK, "application/json", json + "\n"),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", format!("{error}\n")),
    }
}

/// The sidecars that share a Redis with this one, by app.
async fn nodes(server: &Server) -> (StatusCode, &'static str, String) {
    let Some(redis) = &server.redis else {
        return (
            StatusCode::NOT_FOUND,
            "text/plain",
            "no app has its RTM on Redis\n".into(),
        );
    };
    let mut apps = serde_json::Map::new();
    for app in redis.apps() {
        match redis.nodes(&app).await {
            Ok(nodes) => {
                let nodes = nodes
                    .iter()
                    .map(|node| json!({ "node": node.name, "lease_ms": node.lease }));
                apps.insert(app.as_str().to_owned(), nodes.collect());
            }
            Err(trouble) => return (StatusCode::SERVICE_UNAVAILABLE, "text/plain", format!("{trouble}\n")),
        }
    }
    let body = json!({ "apps": apps });
    (StatusCode::OK, "application/json", format!("{body}\n"))
}

/// Switches of a running server.
async fn switch(server: &Server, path: &str) -> (StatusCode, &'static str, String) {
    let (status, body) = match path {
        "/record/start" if server.recorder.is_on() => (StatusCode::OK, "recording already\n".into()),
        "/record/start" => match server.record().await {
            Ok(true) => (StatusCode::OK, "recording sessions that begin from now on\n".into()),
            Ok(false) => (StatusCode::CONFLICT, "set [record] folder\n".into()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot record: {error}\n")),
        },
        "/record/stop" => match server.recorder.stop() {
            true => (StatusCode::OK, "no more sessions are recorded\n".into()),
            false => (StatusCode::OK, "nothing was recorded\n".into()),
        },
        _ => (
            StatusCode::NOT_FOUND,
            "try /record/start, /record/stop or /doctor\n".into(),
        ),
    };
    (status, "text/plain", body)
}

/// Which calls and events are used, as Markdown, or as JSON for those who accept that.
fn coverage(server: &Server, headers: &HeaderMap) -> (StatusCode, &'static str, String) {
    let report = server.usage.coverage().report(&server.tables);
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("application/json")) {
        return (StatusCode::OK, "text/markdown; charset=utf-8", report.to_string());
    }
    match serde_json::to_string_pretty(&report) {
        Ok(json) => (StatusCode::OK, "application/json", json + "\n"),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", format!("{error}\n")),
    }
}

fn answer(server: &Server, path: &str) -> (StatusCode, &'static str, String) {
    match path {
        "/metrics" => (
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            server.metrics.text(),
        ),
        "/livez" | "/healthz" => (StatusCode::OK, "text/plain", "ok\n".into()),
        "/readyz" => {
            let reasons = not_ready(server);
            let status = match reasons.is_empty() {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            let body = json!({ "ready": reasons.is_empty(), "reasons": reasons });
            (status, "application/json", format!("{body}\n"))
        }
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "try /metrics, /livez, /readyz, /nodes or /coverage\n".into(),
        ),
    }
}
