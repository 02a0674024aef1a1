//! Two sidecars on one Redis: people of all families at either, and what an operator is shown.

use serde_json::Value;

use crate::support::{config, counter, database, eventually, is_installed, on_redis, reached, serve_with_config};

#[tokio::test]
async fn a_user_of_one_sidecar_reaches_a_user_of_the_other() {
    if !is_installed() {
        return;
    }
    let url = database();
    let mut servers = Vec::new();
    for _ in 0..2 {
        let running = serve_with_config(on_redis(config(), &url)).await;
        reached(&running).await;
        servers.push(running);
    }
    let one = servers[0].server.redis.clone().expect("a Redis upstream");
    assert!(one.health().failure().is_none());
    assert_eq!(counter(&servers[0], "sigbridge_redis_up"), 1);
}

#[tokio::test]
async fn without_redis_a_sidecar_waits_and_is_not_ready() {
    let running = serve_with_config(on_redis(config(), "redis+unix:///nowhere/redis.sock")).await;
    let server = running.server.clone();
    eventually("the reason is known", || {
        let redis = server.redis.clone().expect("a Redis upstream");
        redis
            .health()
            .failure()
            .is_some_and(|trouble| trouble.to_string().contains("cannot be reached"))
    })
    .await;
    let reasons = serde_json::to_value(sigbridge::admin::not_ready(&server, None)).expect("JSON");
    let expected: Value = serde_json::json!([{"reason": "redis_missing", "failure": "unreachable"}]);
    assert_eq!(reasons, expected);
}
