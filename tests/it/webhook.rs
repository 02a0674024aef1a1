//! Webhooks of a server: events, order, signatures, retries, and no effect on clients.

use std::time::Duration;

use crate::support::{
    Client, PATIENCE, Receiver, Request1, ScriptedResponse, config, counter, emit, eventually, serve,
};
use serde_json::{Value, json};
use sigbridge::config::{Config, UpstreamKind};
use sigbridge::startup::Running;
use sigbridge::webhook::signature::{HEADER, HEADER_V2, SuppliedSignatures, verify};
use sigbridge::webhook::{EventClass, TraceEvent};

/// A config with one receiver.
fn with_receiver(receiver: &Receiver) -> Config {
    let mut config = config();
    config.webhook.urls = vec![
        format!("http://{}/hook?a=b", receiver.addr)
            .parse()
            .expect("an address"),
    ];
    config.webhook.secret = "secret".into();
    config.webhook.backoff = Duration::from_millis(20);
    config
}

fn notices(running: &Running, result: &str) -> u64 {
    counter(
        running,
        &format!("sigbridge_webhook_notices_total{{result=\"{result}\"}}"),
    )
}

/// The number and the payload of a notice, without its session and its moment.
fn emitted(request: &Request1) -> (u64, Value) {
    let mut body = request.json();
    let payload = body["payload"].as_object_mut().expect("a payload");
    assert!(payload.remove("ms").is_some_and(|ms| ms.is_u64()));
    payload.remove("session");
    (body["eventType"].as_u64().expect("a number"), body["payload"].take())
}

#[tokio::test]
async fn session_events_are_delivered_in_order_and_signed() {
    let receiver = Receiver::start("").await;
    let running = serve(with_receiver(&receiver)).await;
    let mut alice = Client::login(running.http, "alice").await;
    for channel in ["room", "hall"] {
        let reply = alice.call("channel_join", json!({ "name": channel })).await;
        assert_eq!(reply.json["result"], "ok", "{reply:?}");
    }
    emit(&mut alice, "alice", "a secret text").await;
    let reply = alice.call("user_logout", json!({})).await;
    assert_eq!(reply.json["result"], "ok", "{reply:?}");
    let seen = receiver.wait_for(6).await;
    let user = |more: Value| {
        let mut payload = json!({ "appId": "app", "account": "alice" });
        let more = more.as_object().expect("an object").clone();
        payload.as_object_mut().expect("an object").extend(more);
        payload
    };
    let channel = |name: &str| user(json!({ "channel": name }));
    assert_eq!(
        seen.iter().map(emitted).collect::<Vec<_>>(),
        [
            (9101, user(json!({}))),
            (9201, channel("room")),
            (9202, channel("room")),
            (9201, channel("hall")),
            (9202, channel("hall")),
            (9102, user(json!({}))),
        ]
    );
    for request in &seen {
        assert_eq!((&*request.method, &*request.path), ("POST", "/hook?a=b"));
        assert_eq!(request.header("content-type"), "application/json");
        let (v1, v2) = (Some(request.header(HEADER)), Some(request.header(HEADER_V2)));
        for given in [SuppliedSignatures { v1, v2: None }, SuppliedSignatures { v1: None, v2 }] {
            assert!(verify(&"secret".into(), &request.body, given), "{request:?}");
        }
        assert_eq!(request.json()["productId"], 9001);
        assert!(!String::from_utf8_lossy(&request.body).contains("secret text"));
    }
    eventually("all are delivered", || notices(&running, "delivered") == 6).await;
}

#[tokio::test]
async fn kicks_and_lost_clients_are_notified() {
    let receiver = Receiver::start("").await;
    let mut config = with_receiver(&receiver);
    config.session.twin_window = Duration::ZERO;
    config.session.grace = Duration::from_millis(30);
    let running = serve(config).await;
    let first = Client::login(running.http, "alice").await;
    let second = Client::login(running.http, "alice").await;
    receiver.wait_for(3).await;
    drop((first, second));
    let seen = receiver.wait_for(4).await;
    let mut events: Vec<_> = seen.iter().map(emitted).collect();
    // The second login and the end of the first session are two sessions' matter.
    events[1..3].sort_by_key(|(number, _)| *number);
    let user = json!({ "appId": "app", "account": "alice" });
    let ended = |reason: &str| json!({ "appId": "app", "account": "alice", "reason": reason });
    assert_eq!(
        events,
        [
            (9101, user.clone()),
            (9101, user),
            (9103, ended("remote login")),
            (9104, ended("away")),
        ]
    );
}

#[tokio::test]
async fn an_undeliverable_message_is_notified() {
    let receiver = Receiver::start("").await;
    let mut config = with_receiver(&receiver);
    config.webhook.events = vec![EventClass::Message];
    let running = serve(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    // Its time is over at once.
    let args = json!({ "line": alice.line, "peer": "bob", "flag": "v1:E:0", "t": "instant", "content": "hi" });
    let reply = alice.call("user_sendmsg", args).await;
    assert_eq!(reply.json["result"], "ok", "{reply:?}");
    let seen = receiver.wait_for(1).await;
    let expected = json!({ "appId": "app", "account": "alice", "about": "bob", "reason": "PEER-OFFLINE" });
    assert_eq!(seen.iter().map(emitted).collect::<Vec<_>>(), [(9301, expected)]);
}

#[tokio::test]
async fn a_notice_is_sent_again_until_it_is_taken() {
    let receiver = Receiver::start("").await;
    let hang_up = ScriptedResponse {
        hang_up: true,
        ..ScriptedResponse::status(200)
    };
    receiver.send_line([ScriptedResponse::status(500), hang_up, ScriptedResponse::status(404)]);
    let running = serve(with_receiver(&receiver)).await;
    let _alice = Client::login(running.http, "alice").await;
    let _bob = Client::login(running.http, "bob").await;
    let seen = receiver.wait_for(5).await;
    let ids: Vec<_> = seen.iter().map(|request| request.json()["noticeId"].clone()).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "the same notice: {ids:?}");
    assert_ne!(ids[4], ids[0]);
    assert_eq!(emitted(&seen[4]).1["account"], "bob", "the next one waits");
    eventually("both are delivered", || notices(&running, "delivered") == 2).await;
    assert_eq!((notices(&running, "retried"), notices(&running, "failed")), (3, 0));
}

#[tokio::test]
async fn rejected_notifications_are_given_up_and_counted() {
    let receiver = Receiver::start("").await;
    receiver.send_line(vec![ScriptedResponse::status(503); 4]);
    let running = serve(with_receiver(&receiver)).await;
    let _alice = Client::login(running.http, "alice").await;
    let _bob = Client::login(running.http, "bob").await;
    receiver.wait_for(5).await;
    eventually("the second is delivered", || notices(&running, "delivered") == 1).await;
    assert_eq!((notices(&running, "retried"), notices(&running, "failed")), (3, 1));
}

#[tokio::test]
async fn a_slow_receiver_delays_no_session_and_drops_are_counted() {
    let receiver = Receiver::start("").await;
    receiver.shut(true);
    let mut config = with_receiver(&receiver);
    config.webhook.queue = 2;
    let running = serve(config).await;
    let began = tokio::time::Instant::now();
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(Client::login(running.http, &format!("user{n}")).await);
    }
    for client in &mut clients {
        assert_eq!(client.poll(0).await, (0, vec![]));
    }
    assert!(began.elapsed() < PATIENCE / 2, "no client waits for the receiver");
    // One is on its way, two wait.
    eventually("all others are counted", || notices(&running, "overflow") == 7).await;
    receiver.shut(false);
    let seen = receiver.wait_for(3).await;
    let accounts: Vec<_> = seen
        .iter()
        .map(|request| emitted(request).1["account"].clone())
        .collect();
    assert_eq!(accounts, ["user0", "user1", "user2"]);
    eventually("three are delivered", || notices(&running, "delivered") == 3).await;
}

#[tokio::test]
async fn shutdown_is_notified() {
    let receiver = Receiver::start("").await;
    let running = serve(with_receiver(&receiver)).await;
    let _alice = Client::login(running.http, "alice").await;
    receiver.wait_for(1).await;
    running.server.stop(PATIENCE).await;
    let seen = receiver.seen();
    assert_eq!(emitted(&seen[1]).0, 9104, "sent before the end");
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn upstream_changes_are_notified() {
    let receiver = Receiver::start("").await;
    let running = serve(with_receiver(&receiver)).await;
    let upstream = || "agent".into();
    running.server.webhooks.emit(TraceEvent::UpstreamDown {
        upstream: upstream(),
        reason: "link lost".into(),
    });
    running
        .server
        .webhooks
        .emit(TraceEvent::UpstreamUp { upstream: upstream() });
    let seen = receiver.wait_for(2).await;
    assert_eq!(
        seen.iter().map(|request| emitted(request).0).collect::<Vec<_>>(),
        [9402, 9401]
    );
}

/// An agent that sends its hello only.
async fn agent(addr: std::net::SocketAddr, id: &str) -> impl Sized {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;

    let stream = tokio::net::TcpStream::connect(addr)
        .await
        .expect("the address of agents");
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{addr}/agent"), stream)
        .await
        .expect("it accepts a WebSocket");
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "agent.hello", "params": {
        "protocol": 1, "agent": id, "sdk": "none", "version": "0", "platform": "flutter", "limits": "web",
    } });
    socket.send(Message::text(hello.to_string())).await.expect("it listens");
    let answer = socket.next().await.expect("an answer").expect("a live socket");
    let answer: Value = serde_json::from_str(answer.to_text().expect("text")).expect("JSON");
    assert_eq!(answer["result"]["protocol"], 1, "{answer}");
    socket
}

#[tokio::test]
async fn agent_connects_and_losses_are_notified() {
    let receiver = Receiver::start("").await;
    let mut config = with_receiver(&receiver);
    config.webhook.events = vec![EventClass::Upstream];
    config.upstream.kind = UpstreamKind::Agent;
    config.upstream.agent.listen.set_port(0);
    let running = serve(config).await;
    let addr = running.agents.expect("an address of agents");
    let first = agent(addr, "first").await;
    receiver.wait_for(1).await;
    drop(first);
    receiver.wait_for(2).await;
    let _second = agent(addr, "second").await;
    let seen = receiver.wait_for(4).await;
    let upstream = json!({ "upstream": "agent" });
    assert_eq!(
        seen.iter().map(emitted).collect::<Vec<_>>(),
        [
            (9401, upstream.clone()),
            (9402, json!({ "upstream": "agent", "reason": "link lost" })),
            (9403, json!({ "upstream": "agent", "firstMissing": 1, "sessions": 0 })),
            (9401, upstream),
        ]
    );
}
