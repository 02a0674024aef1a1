//! The admin address: `GET /metrics` (OpenMetrics), `GET /healthz` (200 while the process accepts clients),
//! `GET /coverage` (which calls and events are used), `POST /doctor` (the way to RTM, step by step).

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use crate::ident::AppId;
use crate::shell::Server;
use crate::shell::doctor::examine;

/// Serves the admin address until the shutdown.
pub async fn serve_admin(server: Arc<Server>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            () = server.shutdown.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let handler = server.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let server = handler.clone();
            async move { Ok::<_, Infallible>(respond(&server, &request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let shutdown = server.shutdown.clone();
        server.tasks.spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
}

async fn respond(server: &Arc<Server>, request: &Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::POST, "/doctor") => doctor(server, request.uri().query()).await,
        (&Method::POST, path) => switch(server, path).await,
        (_, "/coverage") => coverage(server, request.headers()),
        (_, path) => answer(server, path),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static(kind));
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
        "/healthz" if server.shutdown.is_cancelled() => {
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n".into())
        }
        "/healthz" => (StatusCode::OK, "text/plain", "ok\n".into()),
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "try /metrics, /healthz or /coverage\n".into(),
        ),
    }
}
