//! The admin address: access, state of the server, lifetime.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{
    Client, PATIENCE, admin, agent, behind_a_link, embedded, eventually, http, http_over, linked, serve_with_config,
    with_admin,
};

const TOKEN: &str = "0123456789abcdef";

async fn ready(addr: SocketAddr) -> (u16, Value) {
    let answer = http(addr, "GET /readyz", &[], "").await;
    let body = serde_json::from_str(&answer.body).expect("JSON");
    (answer.status, body)
}

fn not_ready(reasons: Value) -> (u16, Value) {
    (503, json!({"ready": false, "reasons": reasons}))
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let running = serve_with_config(with_admin()).await;
    let addr = admin(&running);
    for (request, headers) in [
        ("POST /record/stop", &["origin: https://evil.example"][..]),
        ("POST /doctor", &["sec-fetch-site: cross-site"]),
        ("GET /metrics", &["origin: null"]),
        ("GET /livez", &["origin: http://evil.example"]),
    ] {
        assert_eq!(
            http(addr, request, headers, "").await.status,
            403,
            "{request} {headers:?}"
        );
    }
    for path in ["/metrics", "/coverage", "/healthz", "/readyz"] {
        let stream = TcpStream::connect(addr).await.expect("it listens");
        let host = format!("evil.example:{}", addr.port());
        let answer = http_over(stream, &host, &format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(answer.body, "unknown Host; add it to [admin] allowed_hosts\n");
    }
    let own = format!("origin: http://{addr}");
    assert_eq!(http(addr, "POST /record/stop", &[&own], "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_requested() {
    let mut config = with_admin();
    config.admin.token = Some(TOKEN.into());
    let running = serve_with_config(config).await;
    let addr = admin(&running);
    for request in ["GET /metrics", "POST /doctor", "POST /record/start", "GET /nowhere"] {
        let answer = http(addr, request, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("bearer")),
            "{request}"
        );
    }
    let bearer = format!("authorization: Bearer {TOKEN}");
    assert_eq!(http(addr, "GET /metrics", &[&bearer], "").await.status, 200);
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(http(addr, &format!("GET {path}"), &[], "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_missing_agent_is_reported() {
    let mut config = behind_a_link(with_admin());
    config.auth.app_id = rtm::AppId::new("app").ok();
    let rtm = embedded(&config);
    let running = serve_with_config(config).await;
    let addr = admin(&running);
    let missing = json!([{"reason": "agent_missing", "apps": ["app"]}]);
    assert_eq!(ready(addr).await, not_ready(missing));
    assert_eq!(http(addr, "GET /livez", &[], "").await.status, 200);
    agent("flutter", rtm, running.agents.expect("an agent upstream"));
    linked(&running).await;
    assert_eq!(ready(addr).await, (200, json!({"ready": true, "reasons": []})));
}

#[tokio::test]
async fn it_is_the_last_to_close() {
    let running = serve_with_config(with_admin()).await;
    let addr = admin(&running);
    assert_eq!(ready(addr).await.0, 200);
    let _alice = Client::login(running.http, "alice").await;
    // Something takes its time to end.
    let slow = Arc::new(Notify::new());
    let slowly = slow.clone();
    running.server.tasks.spawn(async move { slowly.notified().await });
    let server = running.server.clone();
    let stopping = tokio::spawn(async move { server.stop(PATIENCE).await });
    eventually("the server stops", || running.server.shutdown.is_cancelled()).await;
    assert_eq!(ready(addr).await, not_ready(json!([{"reason": "draining"}])));
    assert_eq!(http(addr, "GET /healthz", &[], "").await.body, "ok\n");
    // An idle connection does not delay the end.
    let _silent = TcpStream::connect(addr).await.expect("it listens");
    slow.notify_one();
    tokio::time::timeout(Duration::from_secs(5), stopping)
        .await
        .expect("it ends")
        .expect("no panic");
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn its_connections_are_bounded() {
    let running = serve_with_config(with_admin()).await;
    let addr = admin(&running);
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(addr).await.expect("it listens"));
    }
    let over = "{what=\"admin connections over the limit\",intentional=\"true\"} 1\n";
    let _one_more = TcpStream::connect(addr).await.expect("the system accepts it");
    eventually("it is closed", || running.server.metrics.text().contains(over)).await;
    drop(held);
    eventually("there is room again", || running.server.admin.tasks.len() == 1).await;
    assert_eq!(http(addr, "GET /livez", &[], "").await.status, 200);
}
