//! HTTP requests at the port of legacy clients.

use crate::support::{config, http, serve};
use serde_json::json;
use sigbridge::config::{Config, HostPort};

const ORIGIN: &[&str] = &["origin: https://app.example"];

/// What `GET /getaddr` lists for clients with these headers.
async fn check_getaddr(config: Config, headers: &[&str], entry: &str) {
    let running = serve(config).await;
    let answer = http(running.http, "GET /getaddr?vid=app", headers, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "an old answer would outlive a move"
    );
    let entry = entry.replace("$port", &running.http.port().to_string());
    // Old builds take the first and the second, and try the next when one fails.
    let list = format!("[{}]", [&*entry; 6].join(","));
    let expected = format!(r#"{{"web":{list},"web2":{list},"#);
    assert!(
        answer.body.starts_with(&expected),
        "{headers:?}: {} is not {expected}",
        answer.body
    );
}

#[tokio::test]
async fn lookups_are_answered_by_client_kind() {
    let with_host = || {
        let mut config = config();
        config.discovery.advertise_host = Some(HostPort {
            host: "bridge.example.com".into(),
            port: 8443,
        });
        config
    };
    check_getaddr(config(), &[], r#"["127.0.0.1",$port]"#).await;
    check_getaddr(config(), ORIGIN, r#"["127.0.0.1",$port]"#).await;
    check_getaddr(with_host(), &[], r#"["127.0.0.1",$port]"#).await;
    check_getaddr(with_host(), ORIGIN, r#"["//bridge%2Eexample%2Ecom:8443/?",0]"#).await;
}

/// The status and body of any other request; every answer may be read by pages of any origin.
async fn check(request_line: &str, headers: &[&str], body: &str, expected: (u16, &str)) {
    let running = serve(config()).await;
    let answer = http(running.http, request_line, headers, body).await;
    assert_eq!((answer.status, &*answer.body), expected, "{request_line}");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("*"),
        "{request_line}"
    );
}

#[tokio::test]
async fn login_reports_are_swallowed_and_the_rest_is_not_found() {
    let not_found = (404, "this is sigbridge: GET /getaddr, or a WebSocket on any path\n");
    check("POST /", ORIGIN, r#"{"event":"login","key":"1:secret"}"#, (200, "")).await;
    check("POST /getaddr", ORIGIN, "{}", (200, "")).await;
    let preflight = [ORIGIN[0], "access-control-request-method: POST"];
    check("OPTIONS /", &preflight, "", (200, "")).await;
    check("GET /", &[], "", not_found).await;
    check("GET /getaddr/more", &[], "", not_found).await;
    check("DELETE /getaddr", &[], "", not_found).await;
}

#[tokio::test]
async fn the_operator_has_an_address_of_their_own() {
    let mut config = config();
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    let running = serve(config).await;
    let admin = running.admin.expect("it is configured");
    let mut client = crate::support::Client::login(running.http, "alice").await;
    client.call("nonsense", json!({})).await;
    client.call("channel_leave", json!({"name": "nowhere"})).await;
    let answer = http(admin, "GET /metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("sigbridge_sessions 1\n"), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    assert_eq!(http(admin, "GET /healthz", &[], "").await.body, "ok\n");
    assert_eq!(http(admin, "GET /nowhere", &[], "").await.status, 404);
    assert_eq!(
        http(running.http, "GET /", &[], "").await.status,
        404,
        "the console is the operator's"
    );
    let used = http(admin, "GET /coverage", &[], "").await;
    let rows = [
        "| 1 | login | login.login |",
        "| 1 | channelLeave | channel.leave |",
        "- `(any)`, 1×",
    ];
    assert!(rows.iter().all(|row| used.body.contains(row)), "{}", used.body);
    let used = http(admin, "GET /coverage", &["accept: application/json"], "").await;
    assert!(
        used.body
            .starts_with("{\n  \"summary\": {\n    \"sessions\": 1,\n    \"calls\": 3,"),
        "{}",
        used.body
    );
    assert_eq!(
        http(running.http, "GET /metrics", &[], "").await.status,
        404,
        "clients do not see it"
    );
}
