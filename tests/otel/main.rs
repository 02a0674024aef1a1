//! Traces of a server, as a local collector receives them.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use identity::{Account, AppId, token};
use secrecy::SecretString;
use serde_json::{Value, json};
use sigbridge::config::Config;
use support::{Client, PATIENCE, Receiver, ScriptedResponse, config, counter, emit, eventually, serve_with_config};
use tokio::time::Instant;

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const ACCOUNT: &str = "ACCOUNTSECRET";
const PEER: &str = "PEERSECRET";
const BODY: &str = "BODYSECRET";
const ATTRIBUTE: &str = "ATTRSECRET";
const DROPPED: &str = "sigbridge_dropped_total{what=\"trace spans\",intentional=\"false\"}";

fn with_collector(collector: &Receiver) -> Config {
    let mut config = config();
    let endpoint = format!("http://{}/v1/traces", collector.addr);
    config.otel.endpoint = Some(endpoint.parse().expect("an address"));
    config
}

/// Span of a request, with its attributes by name.
#[derive(Clone, Debug)]
struct Span {
    span: Value,
    attributes: BTreeMap<String, Value>,
}

impl Span {
    fn text(&self, name: &str) -> &str {
        self.span[name].as_str().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> &str {
        let value = self.attributes.get(name);
        value
            .and_then(|value| value["stringValue"].as_str())
            .unwrap_or_default()
    }

    fn nanos(&self, name: &str) -> u64 {
        self.text(name).parse().expect("a number")
    }

    fn is_below(&self, parent: &Self) -> bool {
        self.text("parentSpanId") == parent.text("spanId") && self.text("traceId") == parent.text("traceId")
    }
}

fn spans(collector: &Receiver) -> Vec<Span> {
    let mut spans = Vec::new();
    for request in collector.seen() {
        assert_eq!((&*request.method, &*request.path), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), "application/json");
        let body = request.json();
        let all = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        for span in all.as_array().expect("spans") {
            let pairs = span["attributes"].as_array().expect("attributes").iter();
            let pairs = pairs.map(|pair| (pair["key"].as_str().expect("a name").to_owned(), pair["value"].clone()));
            spans.push(Span {
                span: span.clone(),
                attributes: pairs.collect(),
            });
        }
    }
    spans
}

fn named<'s>(spans: &'s [Span], name: &str, is_it: impl Fn(&Span) -> bool) -> &'s Span {
    let found = spans.iter().find(|span| span.text("name") == name && is_it(span));
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

fn login_frame(token: &str) -> Value {
    json!(["login", {"vid": APP, "account": ACCOUNT, "uid": 0, "token": token, "device": "websdk", "ip": ""}])
}

#[tokio::test]
async fn each_call_is_a_span_with_its_rtm_calls_and_without_secrets() {
    let collector = Receiver::start("{}").await;
    let mut config = with_collector(&collector);
    let app = AppId::new(APP).expect("an id");
    let certificate: SecretString = CERTIFICATE.into();
    (config.auth.app_id, config.auth.certificate) = (Some(app.clone()), Some(certificate.clone()));
    let running = serve_with_config(config).await;
    let token = token::mint(
        &Account::new(ACCOUNT).expect("a name"),
        &app,
        &certificate,
        u32::MAX.into(),
    );
    let mut refused = Client::connect(running.http).await;
    let forged = token.replace(":1:", ":2:") + "0";
    refused.send(login_frame(&forged)).await;
    assert_ne!(refused.login_ret().await.err, "");
    let mut client = Client::connect(running.http).await;
    client.send(login_frame(&token)).await;
    assert_eq!(client.login_ret().await.err, "");
    emit(&mut client, PEER, BODY).await;
    let joined = client.call("channel_join", json!({"name": "room"})).await;
    assert_eq!(joined.json["result"], "ok", "{joined:?}");
    client
        .call("user_set_attr", json!({"name": "k", "value": ATTRIBUTE}))
        .await;
    let refused = client
        .call("channel_sendmsg", json!({"name": "other", "msg": BODY}))
        .await;
    assert_ne!(
        (&*refused.err, &refused.json["result"]),
        ("", &json!("ok")),
        "{refused:?}"
    );
    let line = client.line.clone();
    running.server.stop(PATIENCE).await;
    let spans = spans(&collector);

    let session = |span: &Span| span.attribute("sigbridge.session").to_owned();
    let login = named(&spans, "login", |span| span.attribute("sigbridge.outcome") == "ok");
    let number = session(login);
    assert!(number.parse::<u64>().is_ok(), "{login:?}");
    assert_eq!(login.attribute("sigbridge.login"), "new");
    assert_eq!(
        (&login.span["kind"], login.attribute("sigbridge.app")),
        (&json!(2), APP)
    );
    assert!(login.attribute("sigbridge.profile").starts_with("web"), "{login:?}");
    named(&spans, "login", |span| {
        span.is_below(login) && span.attribute("rtm.result") == "ok"
    });
    let forged_login = named(&spans, "login", |span| span.span["status"]["code"] == 2);
    assert!(
        forged_login.attribute("sigbridge.outcome").starts_with("TokenError"),
        "{forged_login:?}"
    );

    for (row, call) in [("peer.send", "sendMessageToPeer"), ("channel.join", "join")] {
        let parent = named(&spans, row, |_| true);
        assert_eq!((parent.text("parentSpanId"), session(parent)), ("", number.clone()));
        assert_eq!(
            (&parent.span["kind"], parent.attribute("sigbridge.outcome")),
            (&json!(2), "ok")
        );
        let child = named(&spans, call, |span| span.is_below(parent));
        assert_eq!((&child.span["kind"], child.attribute("rtm.call")), (&json!(3), call));
        assert_ne!(child.attribute("rtm.result"), "");
        let times = [
            parent.nanos("startTimeUnixNano"),
            child.nanos("startTimeUnixNano"),
            child.nanos("endTimeUnixNano"),
            parent.nanos("endTimeUnixNano"),
        ];
        assert!(times.is_sorted(), "{times:?}");
    }
    let failed = named(&spans, "channel-msg.send", |_| true);
    assert_eq!(failed.span["status"]["code"], 2, "{failed:?}");
    assert_eq!(failed.span["status"]["message"], failed.attribute("sigbridge.outcome"));

    let mut ids: Vec<&str> = spans.iter().map(|span| span.text("spanId")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "each has an id of its own");
    for request in collector.seen() {
        let text = format!("{:?}\n{}", request.headers, String::from_utf8_lossy(&request.body));
        for secret in [
            &*token,
            &forged,
            &line,
            CERTIFICATE,
            ACCOUNT,
            PEER,
            BODY,
            ATTRIBUTE,
            "room",
        ] {
            assert!(!text.contains(secret), "a trace shows {secret}: {text}");
        }
    }
    assert_eq!(counter(&running, DROPPED), 0);
}

#[tokio::test]
async fn limitations_are_attributes() {
    let collector = Receiver::start("{}").await;
    let running = serve_with_config(with_collector(&collector)).await;
    let mut alice = Client::login(running.http, "alice").await;
    // Its time is over at once.
    let args = json!({ "line": alice.line, "peer": "bob", "flag": "v1:E:0", "t": "instant", "content": "hi" });
    alice.call("user_sendmsg", args).await;
    running.server.stop(PATIENCE).await;
    let spans = spans(&collector);
    let sent = named(&spans, "peer.send", |_| true);
    let codes = &sent.attributes["sigbridge.limitations"]["arrayValue"]["values"];
    assert_eq!(*codes, json!([{ "stringValue": "PEER-OFFLINE" }]), "{sent:?}");
}

#[tokio::test]
async fn a_refusal_by_the_collector_is_counted_and_later_spans_arrive() {
    let collector = Receiver::start("{}").await;
    collector.send_line([ScriptedResponse::status(400)]);
    let running = serve_with_config(with_collector(&collector)).await;
    let _alice = Client::login(running.http, "alice").await;
    eventually("the spans are counted", || counter(&running, DROPPED) >= 2).await;
    let dropped = counter(&running, DROPPED);
    let _bob = Client::login(running.http, "bob").await;
    collector.wait_for(2).await;
    running.server.stop(PATIENCE).await;
    assert_eq!(counter(&running, DROPPED), dropped);
}

#[tokio::test]
async fn a_full_queue_drops_spans_and_delays_no_client() {
    let collector = Receiver::start("{}").await;
    collector.shut(true);
    let mut config = with_collector(&collector);
    config.otel.queue = 4;
    let running = serve_with_config(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    for _ in 0..20 {
        emit(&mut alice, "alice", "hi").await;
    }
    let begun = Instant::now();
    running.server.stop(Duration::from_millis(100)).await;
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    // The login, its RTM call, and two spans of each message; the queue and a request hold some at the end, and lose them.
    assert!(counter(&running, DROPPED) >= 20, "{}", counter(&running, DROPPED));
}
