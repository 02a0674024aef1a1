//! Drain and reload.

use hyper::StatusCode;

use crate::admin::reply::{Reply, text};
use crate::server::Server;

/// Begins the drain. The process ends after it.
pub fn drain(server: &Server) -> Reply {
    server.drain.begin();
    let connections = server.drain.connections();
    text(StatusCode::ACCEPTED, format!("draining {connections} connections\n"))
}

/// Reloads the config and the tables, and waits for the result.
pub async fn reload(server: &Server) -> Reply {
    match server.reloads.request().await {
        Some(Ok(changed)) => text(StatusCode::OK, changed),
        Some(Err(errors)) => text(StatusCode::UNPROCESSABLE_ENTITY, errors),
        None => text(StatusCode::CONFLICT, "a reload is in progress\n"),
    }
}
