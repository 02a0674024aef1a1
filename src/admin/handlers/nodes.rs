//! Sidecars that share a Redis.

use hyper::StatusCode;
use serde_json::json;

use crate::admin::reply::{Reply, json, text};
use crate::server::Server;

/// Lists the sidecars that share a Redis with this one, by app.
pub async fn nodes(server: &Server) -> Reply {
    let Some(redis) = &server.redis else {
        return text(StatusCode::NOT_FOUND, "no app has its RTM on Redis\n");
    };
    let mut apps = serde_json::Map::new();
    for app in redis.apps() {
        match redis.nodes(&app).await {
            Ok(nodes) => {
                let nodes = nodes
                    .iter()
                    .map(|node| json!({ "node": node.name, "lease_ms": node.lease }));
                apps.insert(app.as_str().to_owned(), nodes.collect());
            }
            Err(failure) => return text(StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n")),
        }
    }
    json(StatusCode::OK, &json!({ "apps": apps }))
}
