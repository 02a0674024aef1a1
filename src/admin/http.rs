//! The admin address. It rejects requests of other sites. With `[admin] token_file`, all paths except the first two
//! require its token.
//!
//! | path | answer |
//! |---|---|
//! | `GET /livez` (and `/healthz`) | 200 while the process runs |
//! | `GET /readyz`, `GET /readyz?app=ID` | 200 if new clients may connect, else 503; the reasons as JSON |
//! | `GET /metrics` | counters in OpenMetrics format |
//! | `GET /nodes` | the sidecars that share a Redis, as JSON |
//! | `GET /coverage` | calls and events in use |
//! | `POST /doctor` | diagnosis of the connectivity to RTM |
//! | `POST /drain` | begins the drain, after which the process ends |
//! | `POST /reload` | reads config, tables, certificates and secrets again |
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
use crate::admin::readiness::{NotReady, not_ready};
use crate::diagnostics::examine;
use crate::server::Server;
use rtm::AppId;
use runtime::net::Acceptor;

/// Maximum of concurrent connections.
const MAX_CONNECTIONS: usize = 64;
/// Time limit for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the admin address until shutdown, after the drain.
pub async fn serve_admin(server: Arc<Server>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut acceptor = Acceptor::new(listener, "admin", server.shortages.clone());
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
    let admitted = admit(&server.config().admin, local, request.uri(), request.headers());
    let (status, kind, body) = match (admitted, request.method(), request.uri().path()) {
        (Err((status, text)), ..) => (status, "text/plain", text.to_owned()),
        (_, &Method::POST, "/doctor") => doctor(server, request.uri().query()).await,
        (_, &Method::POST, "/drain") => drain(server),
        (_, &Method::POST, "/reload") => reload(server).await,
        (_, &Method::POST, path) => switch(server, path).await,
        (_, _, "/nodes") => nodes(server).await,
        (_, _, "/readyz") => ready(server, request.uri().query()),
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

/// Returns the app that a query names.
fn named_app(query: Option<&str>) -> Option<String> {
    let named = query.and_then(|query| query.strip_prefix("app="));
    named.map(|app| percent_decode_str(app).decode_utf8_lossy().into_owned())
}

/// Reports the readiness, in all or for the app of the query.
fn ready(server: &Server, query: Option<&str>) -> (StatusCode, &'static str, String) {
    let reasons = match named_app(query).map(AppId::new) {
        None => not_ready(server, None),
        Some(Ok(app)) => not_ready(server, Some(&app)),
        Some(Err(_)) => vec![NotReady::UnknownApp],
    };
    let status = match &reasons[..] {
        [] => StatusCode::OK,
        reasons if reasons.contains(&NotReady::UnknownApp) => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({ "ready": reasons.is_empty(), "reasons": reasons });
    (status, "application/json", format!("{body}\n"))
}

/// Begins the drain. The process ends after it.
fn drain(server: &Server) -> (StatusCode, &'static str, String) {
    server.drain.begin();
    let text = format!("draining {} connections\n", server.drain.connections());
    (StatusCode::ACCEPTED, "text/plain", text)
}

/// Reloads the config and the tables, and waits for the result.
async fn reload(server: &Server) -> (StatusCode, &'static str, String) {
    let (status, body) = match server.reloads.request().await {
        Some(Ok(changed)) => (StatusCode::OK, changed),
        Some(Err(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
        None => (StatusCode::CONFLICT, "a reload is in progress\n".into()),
    };
    (status, "text/plain; charset=utf-8", body)
}

/// Runs the diagnostics for the app of the query or of the config.
async fn doctor(server: &Arc<Server>, query: Option<&str>) -> (StatusCode, &'static str, String) {
    let app = match named_app(query) {
        Some(named) => AppId::new(named).ok(),
        None => server.config().only_app(),
    };
    let Some(app) = app else {
        let text = "several apps are configured; use POST /doctor?app=ID\n".to_owned();
        return (StatusCode::BAD_REQUEST, "text/plain", text);
    };
    match serde_json::to_string_pretty(&examine(server, &app).await) {
        Ok(json) => (StatusCode::OK, "application/json", json + "\n"),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", format!("{error}\n")),
    }
}

/// Lists the sidecars that share a Redis with this one, by app.
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

/// Handles the POST requests that change the server's state.
async fn switch(server: &Server, path: &str) -> (StatusCode, &'static str, String) {
    let (status, body) = match path {
        "/record/start" if server.recorder.is_on() => (StatusCode::OK, "recording is already on\n".into()),
        "/record/start" => match server.record().await {
            Ok(true) => (StatusCode::OK, "recording new sessions\n".into()),
            Ok(false) => (StatusCode::CONFLICT, "set [record] folder\n".into()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot record: {error}\n")),
        },
        "/record/stop" => match server.recorder.stop() {
            true => (StatusCode::OK, "recording stopped\n".into()),
            false => (StatusCode::OK, "recording was not on\n".into()),
        },
        _ => (
            StatusCode::NOT_FOUND,
            "unknown path; POST paths: /drain, /reload, /record/start, /record/stop, /doctor\n".into(),
        ),
    };
    (status, "text/plain", body)
}

/// Returns the coverage report as Markdown, or as JSON if the client accepts it.
fn coverage(server: &Server, headers: &HeaderMap) -> (StatusCode, &'static str, String) {
    let (set, coverage) = server.sets.coverage();
    let report = coverage.report(&set.tables);
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
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "unknown path; GET paths: /metrics, /livez, /readyz, /nodes, /coverage\n".into(),
        ),
    }
}
