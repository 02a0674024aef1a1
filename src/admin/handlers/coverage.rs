//! Calls and events in use.

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap};

use crate::admin::reply::{Reply, pretty_json, reply};
use crate::server::Server;

/// Returns the coverage report as Markdown, or as JSON if the client accepts it.
pub fn coverage(server: &Server, headers: &HeaderMap) -> Reply {
    let (set, coverage) = server.sets.coverage();
    let report = coverage.report(&set.tables);
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        return pretty_json(StatusCode::OK, &report);
    }
    reply(StatusCode::OK, "text/markdown; charset=utf-8", report.to_string())
}
