//! Log filter of the running process.

use hyper::StatusCode;
use serde_json::json;

use crate::admin::reply::{Reply, json, text};
use crate::log::{SetFilter, filter_text, set_filter};
use crate::server::Server;

/// Returns the current filter.
pub fn get() -> Reply {
    match filter_text() {
        Some(filter) => json(StatusCode::OK, &json!({ "filter": filter })),
        None => not_ours(),
    }
}

/// Replaces the filter until the end of the process. The body has the form of `RUST_LOG`.
pub fn put(server: &Server, body: &str) -> Reply {
    match set_filter(body.trim(), server.config().log.unsafe_dependencies) {
        SetFilter::Done { filter, limited } => json(StatusCode::OK, &json!({ "filter": filter, "limited": limited })),
        SetFilter::Misread => text(
            StatusCode::BAD_REQUEST,
            "expected a level, or TARGET=LEVEL separated by commas\n",
        ),
        SetFilter::NotOurs => not_ours(),
    }
}

fn not_ours() -> Reply {
    text(
        StatusCode::CONFLICT,
        "another program has started the log of this process\n",
    )
}
