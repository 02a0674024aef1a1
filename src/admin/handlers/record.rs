//! Switch of the recording.

use hyper::StatusCode;

use crate::admin::query::Query;
use crate::admin::reply::{Reply, text};
use crate::server::{RecordFilter, Server};

/// Starts the recording of new sessions: all, or those of an account or an app. A recording that is on changes its
/// selection.
pub async fn start(server: &Server, query: &Query) -> Reply {
    if let Err(wrong) = query.only(&["account", "app"]) {
        return wrong.into();
    }
    let text_of = |name: &str| query.text(name).map(str::to_owned);
    *server.record_filter.lock() = RecordFilter {
        account: text_of("account"),
        app: text_of("app"),
    };
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
