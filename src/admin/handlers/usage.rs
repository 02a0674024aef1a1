//! Usage by kind of client.

use hyper::StatusCode;
use serde_json::{Value as Json, json};

use crate::admin::reply::{Reply, json};
use crate::server::Server;

/// Returns calls, events and limitations by kind of client.
pub fn usage(server: &Server) -> Reply {
    let set = server.sets.current();
    let groups: Vec<Json> = set
        .usage
        .groups()
        .iter()
        .map(|group| {
            let report = group.coverage(&set.tables).report(&set.tables);
            json!({
                "app": group.app, "profile": group.profile, "build": group.build,
                "last_login_ms": group.last_login(), "events": group.events(),
                "summary": report.summary, "look_at_first": report.look_at_first, "calls": report.calls,
            })
        })
        .collect();
    json(
        StatusCode::OK,
        &json!({ "now_ms": server.clock.now().as_millis(), "groups": groups }),
    )
}
