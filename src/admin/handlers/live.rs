//! Live view of a session.

use std::sync::Arc;

use hyper::StatusCode;

use crate::admin::handlers::sessions::find;
use crate::admin::live::{NoView, view};
use crate::admin::reply::{Reply, stream, text};
use crate::server::Server;

/// Streams the events of a session, as server-sent events.
pub fn live(server: &Arc<Server>, id: &str) -> Reply {
    let (session, inbox) = match find(server, id) {
        Ok(found) => found,
        Err(wrong) => return wrong.into(),
    };
    match view(server, &session, inbox) {
        Ok(body) => stream(StatusCode::OK, "text/event-stream", body),
        Err(NoView::Full) => text(StatusCode::SERVICE_UNAVAILABLE, "too many viewers; close another one\n"),
        Err(NoView::Over) => text(StatusCode::NOT_FOUND, "the session is over\n"),
        Err(NoView::NoKey) => text(StatusCode::INTERNAL_SERVER_ERROR, "the system has no randomness\n"),
    }
}
