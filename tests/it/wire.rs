//! The Web wire over real sockets: frames as clients get them, in their order.

use std::time::Duration;

use crate::support::{Client, Got, QUIET, config, emit, notified, serve, text};
use serde_json::{Value, json};
use tokio::time::Instant;

#[tokio::test]
async fn the_answer_to_a_login() {
    let running = serve(config()).await;
    let mut client = Client::connect(running.http).await;
    client.send_login("alice", "").await;
    let Got::Frame(frame) = client.next().await else {
        panic!("a frame")
    };
    assert_eq!((&frame[0], &frame[1][0]), (&json!("login_ret"), &json!("")));
    let answer: Value = serde_json::from_str(frame[1][1].as_str().expect("a text")).expect("JSON");
    let keys: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    // No key that would turn on a mode which builds get wrong.
    assert_eq!(keys, ["line", "result", "uid"]);
    assert_eq!(answer["result"], "ok");
    assert!(
        answer["uid"].as_u64().is_some_and(|uid| (1..1 << 31).contains(&uid)),
        "{answer}"
    );
    let line = answer["line"].as_str().expect("a text");
    assert!(
        !line.is_empty() && line.bytes().all(|b| b.is_ascii_graphic()),
        "native clients split at spaces: {line}"
    );
}

#[tokio::test]
async fn replies_carry_the_clients_number() {
    let running = serve(config()).await;
    let mut client = Client::login(running.http, "alice").await;
    let line = client.line.clone();
    for id in [0, 1, 1, 7, 3, -1, i64::from(u32::MAX)] {
        client
            .send(json!(["call2", ["voip_invite_ack", id, {"line": line}]]))
            .await;
        assert_eq!(
            client.next().await,
            Got::Frame(json!(["call2-ret", [id, "", "{\"result\":\"ok\"}"]]))
        );
    }
}

#[tokio::test]
async fn pongs_are_late_and_carry_the_value() {
    let running = serve(config()).await;
    let mut client = Client::connect(running.http).await;
    for value in [json!(1), json!(0), json!("x"), json!(null), json!({"n": [1]})] {
        let start = Instant::now();
        client.send(json!(["ping", value])).await;
        assert_eq!(client.next().await, Got::Frame(json!(["pong", value])));
        // Java and native clients take one of the same millisecond for none.
        assert!(start.elapsed() >= Duration::from_millis(5), "{:?}", start.elapsed());
    }
    for n in 1..=5 {
        client.send(json!(["ping", n])).await;
    }
    for n in 1..=5 {
        assert_eq!(client.next().await, Got::Frame(json!(["pong", n])), "in order");
    }
}

#[tokio::test]
async fn messages_wait_for_the_first_poll_and_then_come_at_once() {
    let running = serve(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    for text in ["1", "2"] {
        emit(&mut alice, "bob", text).await;
    }
    assert_eq!(
        bob.within(QUIET).await,
        None,
        "nothing is announced before the first poll"
    );
    let (acknowledged, lines) = bob.poll(7).await;
    assert_eq!(acknowledged, 7, "versions go on from the client's");
    let got: Vec<(u64, &str)> = lines.iter().map(|(version, line)| (*version, text(line))).collect();
    assert_eq!(got, [(8, "1"), (9, "2")]);
    assert!(
        lines[0].1.starts_with("msg-v2 alice bob v1:E:3600 instant "),
        "{lines:?}"
    );
    for (version, sent) in [(10, "3"), (11, "a b  c"), (12, "")] {
        emit(&mut alice, "bob", sent).await;
        let (kind, got, line) = notified(&bob.frame("notify").await);
        assert_eq!((&*kind, got, text(&line)), ("recvmsg", version, sent));
    }
    assert_eq!(bob.poll(12).await, (12, vec![]));
}

#[tokio::test]
async fn acknowledged_lines_are_removed_and_others_stay() {
    let running = serve(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    for n in 1..=4 {
        emit(&mut alice, "bob", &n.to_string()).await;
    }
    let versions = |(acknowledged, lines): (u64, Vec<(u64, String)>)| {
        (
            acknowledged,
            lines.into_iter().map(|(version, _)| version).collect::<Vec<_>>(),
        )
    };
    for _ in 0..2 {
        assert_eq!(
            versions(bob.poll(0).await),
            (0, vec![1, 2, 3, 4]),
            "not acknowledged, so again"
        );
    }
    assert_eq!(versions(bob.poll(3).await), (3, vec![4]));
    assert_eq!(versions(bob.poll(1).await), (3, vec![4]), "never back");
    assert_eq!(
        versions(bob.poll(9).await),
        (9, vec![]),
        "of another login: it takes nothing"
    );
    assert_eq!(versions(bob.poll(3).await), (3, vec![4]));
    assert_eq!(versions(bob.poll(4).await), (4, vec![]));
    let reply = bob.call("user_getmsg2", json!({"clear_msgs": [], "max": 30})).await;
    assert_eq!(
        reply.json,
        json!({"result": "ok", "ver_clear": 0, "msgs": []}),
        "a mode that is not offered"
    );
}

#[tokio::test]
async fn channel_lines_are_counted_for_each_member() {
    let running = serve(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let joined = alice.call("channel_join", json!({"name": "room"})).await;
    assert_eq!(joined.json["list"][0][0], "alice");
    assert_eq!(joined.json["attrs"], json!({}));
    let list = bob.call("channel_join", json!({"name": "room"})).await.json["list"].clone();
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    bob.call("channel_sendmsg", json!({"name": "room", "msg": "hi"})).await;
    let mut cid = None;
    let expected = [("channel_user_join", Value::Null), ("channel_msg", json!("hi"))];
    for (at, (kind, msg)) in expected.into_iter().enumerate() {
        let notify = alice.frame("notify").await;
        assert_eq!(
            (&notify[0], &notify[2]),
            (&json!("channel2"), &json!(at + 1)),
            "{notify}"
        );
        assert_eq!(cid.get_or_insert(notify[1].clone()), &notify[1], "the same channel");
        let line = notify[3].as_str().expect("a line");
        let fields: Vec<&str> = line.splitn(7, ' ').collect();
        assert_eq!(
            (fields[0], fields[1], fields[2], fields[4]),
            ("msg-v2", "bob", "room", kind)
        );
        let content: Value = serde_json::from_str(fields[6]).expect("JSON");
        assert_eq!(
            (&content["channel"], &content["account"]),
            (&json!("room"), &json!("bob"))
        );
        assert!(content["uid"].is_u64(), "{content}");
        assert_eq!(content["msg"], msg);
    }
    let echo = bob.frame("notify").await;
    assert_eq!(
        (&echo[0], &echo[2]),
        (&json!("channel2"), &json!(1)),
        "bob's own count, and the sender's own message"
    );
}
