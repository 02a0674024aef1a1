//! Refused logins.

use hyper::StatusCode;
use serde_json::json;

use crate::admin::reply::{Reply, json};
use crate::server::Server;

/// Returns the refusals by reason, and the latest ones.
pub fn logins(server: &Server) -> Reply {
    let (counts, latest) = server.log.refusals.get();
    let latest: Vec<_> = latest
        .iter()
        .map(|refusal| {
            json!({
                "at_ms": refusal.at.as_millis(), "reason": refusal.reason, "account": refusal.account,
                "app": refusal.app, "profile": refusal.profile, "peer": refusal.peer,
            })
        })
        .collect();
    json(StatusCode::OK, &json!({ "refused": counts, "latest": latest }))
}
