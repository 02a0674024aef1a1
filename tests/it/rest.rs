//! Forced channel messages by RTM's RESTful API, to a stand-in that is built from its documentation.

use std::time::Duration;

use crate::support::{Client, QUIET, Receiver, Reply, ScriptedResponse, config, counter, eventually, serve};
use serde_json::json;
use sigbridge::config::{Config, Rest};
use sigbridge::startup::Running;

const SENT: &str = r#"{"result":"success","request_id":"10116762670167749259","code":"message_sent"}"#;

/// A config that sends to the stand-in.
fn sending(api: &Receiver) -> Config {
    let mut config = config();
    config.rest = Some(Rest {
        url: format!("http://{}/dev/v2/project", api.addr)
            .parse()
            .expect("an address"),
        timeout: Duration::from_millis(500),
        ..Rest::new("key".into(), "secret".into())
    });
    config
}

/// Sends from outside, as `messageChannelSendForce` does.
async fn force(client: &mut Client, text: &str) -> Reply {
    let args = json!({ "name": "room", "msg": text, "force": true });
    client.call("channel_sendmsg", args).await
}

fn requests(running: &Running, result: &str) -> u64 {
    counter(
        running,
        &format!("sigbridge_rest_requests_total{{result=\"{result}\"}}"),
    )
}

#[tokio::test]
async fn forced_messages_go_as_documented() {
    let api = Receiver::start(SENT).await;
    let running = serve(sending(&api)).await;
    let mut alice = Client::login(running.http, "a%ice?").await;
    let reply = force(&mut alice, "hi \"all\"").await;
    assert_eq!(reply.json["result"], "ok", "{reply:?}");
    let seen = api.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (&*seen[0].method, &*seen[0].path),
        ("POST", "/dev/v2/project/app/rtm/users/a%25ice%3F/channel_messages")
    );
    assert_eq!(seen[0].header("authorization"), "Basic a2V5OnNlY3JldA==");
    assert_eq!(seen[0].header("content-type"), "application/json;charset=utf-8");
    assert_eq!(
        seen[0].json(),
        json!({ "channel_name": "room", "enable_historical_messaging": false, "payload": "hi \"all\"" })
    );
    assert_eq!(requests(&running, "sent"), 1);
}

#[tokio::test]
async fn members_send_without_it() {
    let api = Receiver::start(SENT).await;
    let running = serve(sending(&api)).await;
    let mut alice = Client::login(running.http, "alice").await;
    let reply = alice.call("channel_join", json!({ "name": "room" })).await;
    assert_eq!(reply.json["result"], "ok", "{reply:?}");
    let reply = force(&mut alice, "hi").await;
    assert_eq!(reply.json["result"], "ok", "{reply:?}");
    assert_eq!(api.seen().len(), 0);
}

/// The client's events for an answer of the API, and the number of requests.
async fn check(sent: ScriptedResponse, err: &str, requested: usize, counted: &str) {
    let api = Receiver::start(SENT).await;
    let shown = format!("{sent:?}");
    api.send_line([sent]);
    let running = serve(sending(&api)).await;
    let mut alice = Client::login(running.http, "alice").await;
    let reply = force(&mut alice, "hi").await;
    assert_eq!(reply.err, err, "{shown}: {reply:?}");
    assert_eq!(
        (api.seen().len(), requests(&running, counted)),
        (requested, 1),
        "{shown}"
    );
}

#[tokio::test]
async fn a_message_that_may_have_been_sent_is_not_repeated() {
    check(ScriptedResponse::status(408), "timeout", 1, "timeout").await;
    check(ScriptedResponse::status(500), "failed", 1, "failed").await;
    check(ScriptedResponse::status(400), "failed", 1, "failed").await;
    check(ScriptedResponse::status(401), "failed", 1, "unauthorized").await;
    let late = ScriptedResponse {
        after: Duration::from_secs(2),
        ..ScriptedResponse::json(200, SENT)
    };
    check(late, "timeout", 1, "timeout").await;
    let hang_up = ScriptedResponse {
        hang_up: true,
        ..ScriptedResponse::status(200)
    };
    check(hang_up, "timeout", 1, "timeout").await;
}

#[tokio::test]
async fn answers_of_other_years_are_understood() {
    check(
        ScriptedResponse::json(200, r#"{"result":"success","request_id":"1","code":"message sent"}"#),
        "",
        1,
        "sent",
    )
    .await;
    check(ScriptedResponse::json(200, r#"{"request_id":"1"}"#), "", 1, "sent").await;
}

#[tokio::test]
async fn too_often_waits() {
    // A second later it is sent.
    check(ScriptedResponse::status(429), "", 2, "too often").await;
}

#[tokio::test]
async fn without_a_connection_it_is_tried_again() {
    let api = Receiver::start(SENT).await;
    let mut config = sending(&api);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = closed.local_addr().expect("its address");
    drop(closed);
    let rest = config.rest.as_mut().expect("it is set");
    rest.url = format!("http://{addr}/").parse().expect("an address");
    rest.timeout = Duration::from_secs(5);
    let running = serve(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    let reply = force(&mut alice, "hi").await;
    assert_eq!((&*reply.err, requests(&running, "failed")), ("failed", 1), "{reply:?}");
}

#[tokio::test]
async fn rate_and_requests_under_way_are_bounded() {
    let api = Receiver::start(SENT).await;
    api.shut(true);
    let mut config = sending(&api);
    let rest = config.rest.as_mut().expect("it is set");
    rest.in_flight = 1;
    rest.timeout = Duration::from_secs(5);
    let running = serve(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let args = || json!({ "name": "room", "msg": "hi", "force": true });
    let first = alice.send_call("channel_sendmsg", args()).await;
    let second = bob.send_call("channel_sendmsg", args()).await;
    eventually("the second is refused", || requests(&running, "too often") == 1).await;
    // Others are served meanwhile.
    assert_eq!(bob.within(QUIET).await, None);
    assert_eq!(bob.poll(0).await, (0, vec![]));
    api.shut(false);
    assert_eq!(alice.reply(first).await.err, "");
    assert_eq!(bob.reply(second).await.err, "", "a second later");
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn an_untrusted_certificate_gets_no_key() {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).expect("a key");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let tls = ServerConfig::builder_with_provider(tokio_rustls::rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the library's own versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate and its key");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let handshakes = tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(std::sync::Arc::new(tls));
        let mut failed = 0;
        while failed < 3 {
            let (stream, _) = listener.accept().await.expect("a connection");
            assert!(acceptor.accept(stream).await.is_err(), "it must not be trusted");
            failed += 1;
        }
    });
    let api = Receiver::start(SENT).await;
    let mut config = sending(&api);
    let rest = config.rest.as_mut().expect("it is set");
    rest.url = format!("https://localhost:{port}/").parse().expect("an address");
    rest.timeout = Duration::from_secs(5);
    let running = serve(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    assert_eq!(force(&mut alice, "hi").await.err, "failed");
    handshakes.await.expect("TLS was begun each time");
}
