//! Clients of the documented API that log in again.

use super::*;

#[tokio::test]
async fn a_resumed_session_gets_stored_messages_and_its_channel() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    alice.call("channelJoin", json!(["room"])).await;
    bob.call("channelJoin", json!(["room"])).await;
    drop(alice);
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
    bob.call("messageInstantSend", json!(["alice", 0, "kept", ""])).await;
    bob.call("messageChannelSend", json!(["room", "missed", ""])).await;
    let mut alice = ApiClient::connect(running.http).await;
    alice.start("login2", json!(["app", "alice"])).await;
    let welcome = format!(r#"onLoginSuccess {{"uid":{ALICE},"fd":0}}"#);
    let kept = r#"onMessageInstantReceive {"account":"bob","uid":0,"msg":"kept"}"#;
    alice.expect(&["#1 null", &welcome, kept]).await;
    bob.call("messageChannelSend", json!(["room", "too early", ""])).await;
    assert_eq!(
        alice.within(QUIET).await,
        None,
        "nothing of a channel that it has not joined again"
    );
    assert_eq!(alice.call("channelJoin", json!(["room"])).await, "null");
    assert!(alice.event("onChannelUserList").await.contains("bob"));
    bob.call("messageChannelSend", json!(["room", "received", ""])).await;
    assert!(
        alice
            .event("onMessageChannelReceive")
            .await
            .ends_with(r#""msg":"received"}"#)
    );
    assert_eq!(
        counter(&running, r#"sigbridge_logins_total{result="resume",reason=""}"#),
        1
    );
}

#[tokio::test]
async fn a_resumed_session_gets_the_events_of_its_calls() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    alice.call("channelInviteUser2", json!(["room", "bob", ""])).await;
    bob.event("onInviteReceived").await;
    alice.event("onInviteReceivedByPeer").await;
    drop(alice);
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
    bob.call("channelInviteAccept", json!(["room", "alice", 0, "yes"]))
        .await;
    bob.call("messageInstantSend", json!(["alice", 0, "kept", ""])).await;
    bob.call("channelInviteUser2", json!(["hall", "alice", "come"])).await;
    bob.event("onInviteReceivedByPeer").await;
    let mut alice = ApiClient::connect(running.http).await;
    alice.start("login2", json!(["app", "alice"])).await;
    let welcome = format!(r#"onLoginSuccess {{"uid":{ALICE},"fd":0}}"#);
    let accepted =
        format!(r#"onInviteAcceptedByPeer {{"channelID":"room","account":"bob","uid":{BOB},"extra":"yes"}}"#);
    let kept = r#"onMessageInstantReceive {"account":"bob","uid":0,"msg":"kept"}"#;
    let called = format!(r#"onInviteReceived {{"channelID":"hall","account":"bob","uid":{BOB},"extra":"come"}}"#);
    alice.expect(&["#1 null", &welcome, &accepted, kept, &called]).await;
    // Both calls continue.
    alice.call("channelInviteEnd", json!(["room", "bob", 0, "bye"])).await;
    assert!(bob.event("onInviteEndByPeer").await.ends_with(r#""extra":"bye"}"#));
    alice.call("channelInviteAccept", json!(["hall", "bob", 0, "ok"])).await;
    assert!(bob.event("onInviteAcceptedByPeer").await.ends_with(r#""extra":"ok"}"#));
}

#[tokio::test]
async fn messages_that_outlive_the_session_arrive_at_the_next_login() {
    let mut config = config();
    config.session.grace = Duration::from_millis(300);
    let running = serve(config).await;
    let (mut alice, mut bob) = pair(&running).await;
    alice.call("channelInviteUser2", json!(["room", "bob", ""])).await;
    bob.event("onInviteReceived").await;
    drop(alice);
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
    // Events of a call are for the session only.
    bob.call("channelInviteAccept", json!(["room", "alice", 0, "yes"]))
        .await;
    bob.call("messageInstantSend", json!(["alice", 0, "kept", ""])).await;
    eventually("its session is over", || running.server.registry.len() == 1).await;
    let mut alice = ApiClient::connect(running.http).await;
    alice.start("login2", json!(["app", "alice"])).await;
    let welcome = format!(r#"onLoginSuccess {{"uid":{ALICE},"fd":0}}"#);
    let kept = r#"onMessageInstantReceive {"account":"bob","uid":0,"msg":"kept"}"#;
    alice.expect(&["#1 null", &welcome, kept]).await;
    assert_eq!(
        counter(&running, r#"sigbridge_logins_total{result="new",reason=""}"#),
        3
    );
}
