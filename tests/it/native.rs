//! Native clients over real TCP: every documented call, logins, returns by line, the end of a session.
//!
//! Tests that need time (grace, ringing, late resumes) are scenarios with a virtual clock.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{
    Client, Got, PATIENCE, QUIET, RawNative, Stage, config, counter, eventually, serve, serve_with_config,
};
use identity::{Account, token};
use rtm::AppId;
use secrecy::SecretString;
use serde_json::json;
use sigbridge::config::Config;
use sigbridge::startup::Running;
use tables::Tables;
use tables::wire::Via;

/// Config without rate limits.
fn unlimited() -> Config {
    let mut config = config();
    config.embedded.rate_scale = 0;
    config.limits.messages_per_second = 0;
    config.limits.channel_messages_per_second = 0;
    config
}

#[tokio::test]
async fn every_documented_call() {
    let script = include_str!("native/calls.txt");
    let mut called = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for zlib in [true, false] {
        let mut stage = Stage::new(serve(unlimited()).await, zlib);
        stage.play("calls.txt", script).await;
        called = stage.called;
        seen = stage.seen;
    }
    let tables = Tables::built_in().expect("the built-in tables");
    let wire = tables.wire("native").expect("the native wire");
    // The clients fetch their mailboxes by themselves.
    called.insert("user_getmsg".into());
    let functions = wire.functions.iter().map(|function| &*function.name);
    let missing: Vec<&str> = functions.filter(|name| !called.contains(*name)).collect();
    assert_eq!(missing, [""; 0], "functions that the script does not call");
    let forms = wire.events.iter().enumerate();
    let expected = forms.filter(|(_, form)| form.as_ref().is_some_and(|form| form.via != Via::Client));
    let expected = expected.map(|(sig, _)| &*tables.signatures[sig].name);
    let missing: Vec<&str> = expected.filter(|name| !seen.contains(*name)).collect();
    assert_eq!(missing, [""; 0], "events that the script does not see");
}

fn tcp(running: &Running) -> std::net::SocketAddr {
    running.tcp.expect("a port for native clients")
}

#[tokio::test]
async fn a_refused_login_has_its_reason_in_three_words() {
    let mut config = unlimited();
    config.auth.app_id = Some(AppId::new("app").expect("an app id"));
    config.auth.certificate = Some(SecretString::from("secret"));
    let running = serve(config).await;
    let token = |expires: u64, certificate: &str| {
        let (account, app) = (Account::new("dora").unwrap(), AppId::new("app").unwrap());
        token::mint(&account, &app, &SecretString::from(certificate), expires)
    };
    let soon = running.server.clock.now().as_secs() + 60;
    for (account, token, reason) in [
        ("dora", "", "TokenErrorFormat"),
        ("dora", "_no_need_token", "TokenErrorNotAllowed"),
        ("dora", &*token(1, "secret"), "TokenErrorExpired"),
        ("dora", &*token(soon, "other"), "TokenErrorDigest"),
        ("a b", &*token(soon, "secret"), "wrong\\u0020account"),
    ] {
        let mut client = RawNative::connect(tcp(&running)).await;
        let answer = client.log_in(account, token).await;
        let expected = format!(r#"login_res failed {{"result":"failed","reason":"{reason}"}}"#);
        assert_eq!(answer, expected, "{account}");
        assert_eq!(client.next().await, None, "{reason}");
    }
    let mut client = RawNative::connect(tcp(&running)).await;
    let answer = client.log_in("dora", &token(soon, "secret")).await;
    assert_eq!(answer.split(' ').count(), 4, "{answer}");
}

#[tokio::test]
async fn either_kind_of_packet_at_any_time() {
    let running = serve(unlimited()).await;
    let mut client = RawNative::connect(tcp(&running)).await;
    for zlib in [false, true, true, false] {
        client.zlib = zlib;
        client.send_line("line_ping:007").await;
        assert_eq!(client.next().await.as_deref(), Some("line_pong:007"), "{zlib}");
    }
    client.zlib = true;
    client.log_in("dora", "").await;
    let large = "x".repeat(8_000);
    for (zlib, content) in [(true, "short"), (false, "short"), (true, &*large), (false, &large)] {
        client.zlib = zlib;
        let reply = client
            .call("user_sendmsg", json!({"peer": "dora", "content": content}))
            .await;
        assert_eq!(reply, json!({"result": "ok"}));
        let emitted = client.next().await.unwrap_or_default();
        assert!(
            emitted.starts_with("notify recvmsg [") && emitted.contains(content),
            "{emitted:.80}"
        );
    }
}

#[tokio::test]
async fn a_pong_is_later_than_its_ping() {
    let running = serve(unlimited()).await;
    let mut client = RawNative::login(tcp(&running), "dora").await;
    for n in 0..5 {
        let before = tokio::time::Instant::now();
        client.send_line(&format!("line_ping:{n}")).await;
        assert_eq!(client.next().await, Some(format!("line_pong:{n}")));
        assert!(before.elapsed() >= Duration::from_millis(10), "{:?}", before.elapsed());
    }
}

#[tokio::test]
async fn waiting_lines_are_announced_after_the_login() {
    // Behind a link the last messages may still be on their way when she logs in.
    let running = serve_with_config(unlimited()).await;
    let mut bob = RawNative::login(tcp(&running), "bob").await;
    let first = RawNative::login(tcp(&running), "dora").await;
    drop(first);
    eventually("the loss is noticed", || running.server.metrics.sockets.get() == 1).await;
    for n in 1..=35 {
        bob.call("user_sendmsg", json!({"peer": "dora", "content": n})).await;
    }
    let mut dora = RawNative::login(tcp(&running), "dora").await;
    assert_eq!(dora.next().await.as_deref(), Some("notify msg 35"));
    for (clear, count) in [(0, 30), (30, 5), (35, 0), (35, 0)] {
        let reply = dora.call("user_getmsg", json!({"ver_clear": clear, "max": 30})).await;
        assert_eq!(reply["ver_clear"], clear);
        assert_eq!(reply["msgs"].as_array().map(Vec::len), Some(count), "{clear}");
    }
    assert_eq!(dora.within(QUIET).await, None, "nothing more is announced");
}

#[tokio::test]
async fn a_line_takes_its_session_to_another_socket() {
    let running = serve(unlimited()).await;
    let mut bob = RawNative::login(tcp(&running), "bob").await;
    let mut old = RawNative::login(tcp(&running), "dora").await;
    let joined = old.call("channel_join", json!({"name": "room"})).await;
    bob.call("channel_join", json!({"name": "room"})).await;
    let emitted = old.next().await.expect("that Bob has joined");
    assert!(emitted.starts_with("notify channel2 1 msg-v2 bob room "), "{emitted}");
    // The server has not noticed that the old socket is of no use any more.
    let mut words = "line_login2";
    for _ in 0..3 {
        let mut new = RawNative::connect(tcp(&running)).await;
        new.line = old.line.clone();
        new.send_line(&format!("{words} {} 2 0", old.line)).await;
        assert_eq!(new.next().await.as_deref(), Some("line_login_res ok"));
        assert_eq!(old.next().await, None, "no kick");
        bob.call("channel_sendmsg", json!({"name": "room", "msg": words})).await;
        let sub = json!({"cid": joined["cid"].to_string(), "cname": "room", "msgid": 1, "vid": "app"});
        new.send_line(&format!("channel_sub {sub}")).await;
        let emitted = new.next().await.expect("what it has missed");
        assert!(
            emitted.starts_with("notify channel2 2 ") && emitted.contains("line_login2"),
            "{emitted}"
        );
        while let Some(Some(_)) = new.within(QUIET).await {}
        (old, words) = (new, "line_login3");
    }
    assert_eq!(old.call("user_setfg", json!({})).await, json!({"result": "ok"}));
    let logins = |result: &str| {
        counter(
            &running,
            &format!("sigbridge_logins_total{{result=\"{result}\",reason=\"\"}}"),
        )
    };
    assert_eq!((logins("new"), logins("line"), logins("replace")), (2, 3, 0));
}

#[tokio::test]
async fn an_unknown_session_line_is_not_a_kick() {
    let running = serve(unlimited()).await;
    let mut dora = RawNative::login(tcp(&running), "dora").await;
    let web = Client::login(running.http, "wanda").await;
    let mut forged = dora.line.clone();
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    for line in [
        &*forged,
        &*web.line,
        "x",
        "0123456789abcdef-0123456789abcdef0123456789abcdef01234567",
    ] {
        let mut client = RawNative::connect(tcp(&running)).await;
        client.send_line(&format!("line_login2 {line} 2 0")).await;
        let answer = client.next().await;
        assert_eq!(answer.as_deref(), Some("line_login_res outofsync"), "{line}");
        assert_eq!(client.next().await, None, "{line}");
    }
    dora.call("user_logout", json!({})).await;
    assert_eq!(dora.next().await, None);
    let mut late = RawNative::connect(tcp(&running)).await;
    late.send_line(&format!("line_login2 {} 2 0", dora.line)).await;
    assert_eq!(late.next().await.as_deref(), Some("line_login_res outofsync"));
}

#[tokio::test]
async fn the_newest_login_wins_whatever_its_family() {
    let running = serve(unlimited()).await;
    let mut first = RawNative::login(tcp(&running), "dora").await;
    let mut second = RawNative::login(tcp(&running), "dora").await;
    assert_eq!(first.next().await.as_deref(), Some("notify kick"));
    assert_eq!(first.next().await, None);
    let mut web = Client::login(running.http, "dora").await;
    assert_eq!(second.next().await.as_deref(), Some("notify kick"));
    assert_eq!(second.next().await, None);
    let mut third = RawNative::login(tcp(&running), "dora").await;
    assert_eq!(web.next().await, Got::Frame(json!(["kick", ""])));
    assert_eq!(web.next().await, Got::Frame(json!(["close", ""])));
    for lost in [first, second] {
        let mut late = RawNative::connect(tcp(&running)).await;
        late.send_line(&format!("line_login2 {} 2 0", lost.line)).await;
        assert_eq!(late.next().await.as_deref(), Some("line_login_res kick"));
    }
    assert_eq!(third.call("user_setfg", json!({})).await, json!({"result": "ok"}));
}

#[tokio::test]
async fn clients_are_notified_of_a_restart() {
    let running = serve(unlimited()).await;
    let mut dora = RawNative::login(tcp(&running), "dora").await;
    let mut unknown = RawNative::connect(tcp(&running)).await;
    unknown.send_line("line_ping:1").await;
    assert_eq!(unknown.next().await.as_deref(), Some("line_pong:1"));
    let server = running.server.clone();
    let stopping = tokio::spawn(async move { server.stop(PATIENCE).await });
    assert_eq!(dora.next().await.as_deref(), Some("notify outofsync"));
    assert_eq!(dora.next().await, None);
    assert_eq!(unknown.next().await, None);
    drop((dora, unknown));
    stopping.await.expect("it stops");
    assert!(running.server.registry.is_empty());
}
