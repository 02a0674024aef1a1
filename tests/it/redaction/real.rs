//! A real server that redacts while it records.

use serde_json::json;
use trace::{Policy, read};

use super::{holds_none, played};
use crate::support::{Client, config, emit, finished, folder, record, serve};

#[tokio::test]
async fn a_server_records_no_secrets() {
    for policy in [Policy::Placeholder, Policy::Hash] {
        let text = recorded(policy).await;
        let secrets = [
            "alejandra",
            "bobolink",
            "boardroom",
            "sugarplum",
            "marzipan",
            "quince",
            "4455667788",
            "websocket-secret-token",
        ];
        holds_none("a real trace", &text, &secrets);
        assert!(
            text.contains("<account:") && text.contains("<channel:") && text.contains("<line:"),
            "{text}"
        );
        played("a real trace", &read(text.as_bytes()).expect("a trace"));
    }
}

async fn recorded(policy: Policy) -> String {
    let folder = folder(&format!("redacted-{policy}"));
    let running = serve(config()).await;
    record(&running, &folder, policy).await;
    let mut alice = Client::connect(running.http).await;
    alice.send_login("alejandra", "websocket-secret-token").await;
    alice.login_ret().await;
    let mut bob = Client::login(running.http, "bobolink").await;
    alice.poll(0).await;
    bob.poll(0).await;
    emit(&mut alice, "bobolink", "sugarplum, alejandra").await;
    bob.frame("notify").await;
    bob.poll(1).await;
    alice.call("channel_join", json!({"name": "boardroom"})).await;
    bob.call("channel_join", json!({"name": "boardroom"})).await;
    alice
        .call(
            "channel_sendmsg",
            json!({"name": "boardroom", "msg": "\"quince\" \u{1f600}"}),
        )
        .await;
    alice
        .call(
            "channel_set_attr",
            json!({"channel": "boardroom", "name": "topic", "value": 4_455_667_788_i64}),
        )
        .await;
    bob.call("nonsense", json!({"of": "marzipan"})).await;
    let extra = "{\"_require_peer_online\": 1, \"who\": \"marzipan\"}";
    let args = json!({"channelName": "boardroom", "peer": "alejandra", "extra": extra});
    bob.call("voip_invite", args).await;
    alice.frame("notify").await;
    let args = json!({"channelName": "boardroom", "peer": "bobolink", "extra": "quince"});
    alice.call("voip_invite_accept", args.clone()).await;
    alice.call("voip_invite_bye", args).await;
    drop(alice);
    let mut alice = Client::login(running.http, "alejandra").await;
    alice.poll(0).await;
    alice.call("user_logout", json!({})).await;
    drop(bob);
    let paths = finished(running, &folder).await;
    let text = paths.iter().map(|path| std::fs::read_to_string(path).expect("a text"));
    text.collect()
}
