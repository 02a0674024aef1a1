//! Switch of the recording.

use hyper::StatusCode;

use crate::admin::reply::{Reply, text};
use crate::server::Server;

/// Starts the recording of new sessions.
pub async fn start(server: &Server) -> Reply {
    if server.recorder.is_on() {
        return text(StatusCode::OK, "recording is already on\n");
    }
    match server.record().await {
        Ok(true) => text(StatusCode::OK, "recording new sessions\n"),
        Ok(false) => text(StatusCode::CONFLICT, "set [record] folder\n"),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot record: {error}\n")),
    }
}

/// Stops the recording of new sessions.
pub fn stop(server: &Server) -> Reply {
    let was_on = server.recorder.stop();
    text(
        StatusCode::OK,
        if was_on {
            "recording stopped\n"
        } else {
            "recording was not on\n"
        },
    )
}
