//! Two sidecars on one Redis, and their state for an operator.

use serde_json::{Value, json};

use crate::support::{
    Client, config, counter, database, eventually, is_installed, on_redis, reached, serve_with_config,
};

#[tokio::test]
async fn members_of_another_sidecar_are_listed_to_users_outside_of_the_channel() {
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
    let mut alice = Client::login(servers[0].http, "alice").await;
    let mut bob = Client::login(servers[1].http, "bob").await;
    for (members, first) in [(0, Value::Null), (1, json!("alice"))] {
        if members == 1 {
            alice.call("channel_join", json!({"name": "room"})).await;
        }
        let list = bob.call("channel_query_userlist", json!({"name": "room"})).await;
        assert_eq!(list.err, "", "{list:?}");
        assert_eq!((&list.json["num"], &list.json["list"][0][0]), (&json!(members), &first));
        let args = json!({"name": "room", "account": "alice"});
        let is_in = bob.call("channel_query_user_isin", args).await;
        assert_eq!((is_in.err.as_str(), &is_in.json["isin"]), ("", &json!(members)));
    }
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
    let expected: Value = json!([{"reason": "redis_missing", "failure": "unreachable"}]);
    assert_eq!(reasons, expected);
}
