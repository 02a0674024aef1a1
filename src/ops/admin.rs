//! The admin address: `GET /metrics` (OpenMetrics), `GET /healthz` (200 while the process accepts clients),
//! `GET /coverage` (which calls and events are used).

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::shell::Server;

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
            let (status, kind, body) = match (request.method(), request.uri().path()) {
                (&Method::POST, path) => switch(&handler, path),
                (_, "/coverage") => coverage(&handler, request.headers()),
                (_, path) => answer(&handler, path),
            };
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert("content-type", hyper::header::HeaderValue::from_static(kind));
            std::future::ready(Ok::<_, Infallible>(response))
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

/// Switches of a running server.
fn switch(server: &Server, path: &str) -> (StatusCode, &'static str, String) {
    let (status, body) = match path {
        "/record/start" if server.recorder.is_on() => (StatusCode::OK, "recording already\n".into()),
        "/record/start" => match server.record() {
            Ok(true) => (StatusCode::OK, "recording sessions that begin from now on\n".into()),
            Ok(false) => (StatusCode::CONFLICT, "set [record] folder\n".into()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot record: {error}\n")),
        },
        "/record/stop" => match server.recorder.stop() {
            true => (StatusCode::OK, "no more sessions are recorded\n".into()),
            false => (StatusCode::OK, "nothing was recorded\n".into()),
        },
        _ => (StatusCode::NOT_FOUND, "try /record/start or /record/stop\n".into()),
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
