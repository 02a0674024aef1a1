//! Probes and metrics.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::json;

use crate::admin::query::Query;
use crate::admin::readiness::{NotReady, not_ready};
use crate::admin::reply::{Reply, json, reply, text};
use crate::admin::{Clients, OTHER};
use crate::server::Server;
use rtm::AppId;

/// Answers while the process runs.
pub fn live() -> Reply {
    text(StatusCode::OK, "ok\n")
}

/// Answers whether new clients may connect, with the reasons against it.
pub fn ready(server: &Server, query: &Query) -> Reply {
    let reasons = match query.text("app").map(AppId::new) {
        None => not_ready(server, None),
        Some(Ok(app)) => not_ready(server, Some(&app)),
        Some(Err(_)) => vec![NotReady::UnknownApp],
    };
    let status = match &reasons[..] {
        [] => StatusCode::OK,
        reasons if reasons.contains(&NotReady::UnknownApp) => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

/// Returns the state of the sidecar for the console. It is 200 also while the sidecar is not ready.
pub fn status(server: &Server) -> Reply {
    let reasons = not_ready(server, None);
    let redis = server.redis.as_ref().map(|redis| {
        let health = redis.health();
        json!({ "users": health.users(), "lag_seconds": health.lag_seconds() })
    });
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"), "commit": env!("SIGBRIDGE_COMMIT"), "ready": reasons.is_empty(),
        "reasons": reasons, "sessions": server.metrics.sessions.get(), "sockets": server.metrics.sockets.get(),
        "redis": redis,
    });
    json(StatusCode::OK, &status)
}

/// Returns the metrics.
pub fn metrics(server: &Server) -> Reply {
    show_clients(server);
    reply(
        StatusCode::OK,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        server.metrics.text(),
    )
}

/// Counts the sessions of each kind of client. It reads the directory, so sessions pay nothing for it.
fn show_clients(server: &Server) {
    let mut clients: BTreeMap<Clients, i64> = BTreeMap::new();
    let (config, set) = (server.config(), server.sets.current());
    let mut add = |app: &str, profile: &str, state, sessions| {
        let (app, profile) = (app.to_owned(), profile.to_owned());
        *clients.entry(Clients { app, profile, state }).or_default() += sessions;
    };
    // Kinds without a session are 0.
    for app in config.app_ids().chain([OTHER]) {
        for profile in &set.tables.profiles {
            add(app, &profile.name, "connected", 0);
            add(app, &profile.name, "grace", 0);
        }
    }
    for view in server.sessions.views() {
        let known = config.app_ids().find(|app| *app == view.app.as_str());
        let state = if view.numbers().connections > 0 {
            "connected"
        } else {
            "grace"
        };
        view.with_client(|client| add(known.unwrap_or(OTHER), &client.profile, state, 1));
    }
    server.metrics.show_clients(clients);
}
