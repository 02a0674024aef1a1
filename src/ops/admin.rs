//! The admin address: `GET /metrics` (OpenMetrics), `GET /healthz` (200 while the process accepts clients).

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
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
            let (status, kind, body) = answer(&handler, request.uri().path());
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
        _ => (StatusCode::NOT_FOUND, "text/plain", "try /metrics or /healthz\n".into()),
    }
}
