//! Probes and metrics.

use hyper::StatusCode;
use serde_json::json;

use crate::admin::readiness::not_ready;
use crate::admin::reply::{Reply, json, reply, text};
use crate::server::Server;

/// Answers while the process runs.
pub fn live() -> Reply {
    text(StatusCode::OK, "ok\n")
}

/// Answers whether new clients may connect, with the reasons against it.
pub fn ready(server: &Server) -> Reply {
    let reasons = not_ready(server);
    let status = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

/// Returns the metrics.
pub fn metrics(server: &Server) -> Reply {
    reply(
        StatusCode::OK,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        server.metrics.text(),
    )
}
