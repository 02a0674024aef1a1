//! Diagnosis of the connectivity to RTM.

use std::sync::Arc;

use hyper::StatusCode;

use crate::admin::query::Query;
use crate::admin::reply::{Reply, pretty_json, text};
use crate::diagnostics::examine;
use crate::server::Server;
use rtm::AppId;

/// Runs the diagnostics for the app of the query or of the config.
pub async fn doctor(server: &Arc<Server>, query: &Query) -> Reply {
    let app = match query.text("app") {
        Some(named) => AppId::new(named).ok(),
        None => server.config().only_app(),
    };
    match app {
        Some(app) => pretty_json(StatusCode::OK, &examine(server, &app).await),
        None => text(
            StatusCode::BAD_REQUEST,
            "several apps are configured; use POST /doctor?app=ID\n",
        ),
    }
}
