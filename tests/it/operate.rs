//! The admin address as an operator uses it: list, close, log level; and the commands for them.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    Client, Got, PATIENCE, Program, admin, emit, empty_folder, eventually, free_address, http, serve_with_config,
    to_file, with_admin,
};
use sigbridge::admin::{ROUTES, Route};
use sigbridge::config::Accounts;
use sigbridge::server::{ClientView, SessionView};
use sigbridge::startup::Running;
use trace::Policy;

async fn get(addr: SocketAddr, path: &str) -> Value {
    let answer = http(addr, &format!("GET {path}"), &[], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

/// The accounts of a list, sorted.
async fn accounts(addr: SocketAddr, query: &str) -> Vec<String> {
    let page = get(addr, &format!("/sessions{query}")).await;
    let sessions = page["sessions"].as_array().expect("a list").iter();
    let mut names: Vec<String> = sessions
        .map(|session| session["account"].as_str().expect("a text").to_owned())
        .collect();
    names.sort();
    names
}

/// Every path is behind the guard: the token, and the check of the page's site.
#[tokio::test]
async fn every_path_is_guarded() {
    let mut config = with_admin();
    config.admin.token = Some("0123456789abcdef".into());
    let running = serve_with_config(config).await;
    for Route {
        method, path, purpose, ..
    } in ROUTES
    {
        let request = format!("{method} {}", path.replace("{id}", "7"));
        assert!(!purpose.is_empty());
        for header in ["origin: https://evil.example", "sec-fetch-site: cross-site"] {
            let answer = http(admin(&running), &request, &[header], "").await;
            assert_eq!(answer.status, 403, "{request} {header}");
        }
        let open = sigbridge::admin::OPEN.contains(path);
        let answer = http(admin(&running), &request, &[], "").await;
        assert_eq!(answer.status == 401, !open, "{request}: {}", answer.status);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{request}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'self'; frame-ancestors 'none'"),
            "{request}: {policy}"
        );
    }
}

#[test]
fn every_path_is_documented() {
    let page = include_str!("../../docs/admin.md");
    for Route { method, path, .. } in ROUTES {
        assert!(
            page.contains(&format!("`{method} {path}`")),
            "docs/admin.md lacks {method} {path}"
        );
    }
}

#[tokio::test]
async fn sessions_are_listed_by_filter_and_page() {
    let running = serve_with_config(with_admin()).await;
    let addr = admin(&running);
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let carol = Client::login(running.http, "carol").await;
    alice.call("channel_join", json!({"name": "room-1"})).await;
    bob.poll(0).await;
    emit(&mut alice, "bob", "hi").await;
    bob.frame("notify").await;
    drop(carol);
    eventually("carol's connection is closed", || {
        running
            .server
            .sessions
            .views()
            .iter()
            .any(|view| view.numbers().connections == 0)
    })
    .await;
    let page = get(addr, "/sessions?account=alice").await;
    assert_eq!((&page["total"], &page["matched"]), (&json!(3), &json!(1)));
    let mut session = page["sessions"][0].clone();
    let fields = session.as_object_mut().expect("an object");
    let id = fields["id"].as_str().expect("a text").to_owned();
    assert!(fields["since_ms"].as_u64().is_some_and(|at| at > 0));
    for varies in ["id", "since_ms", "login_ms"] {
        fields.remove(varies);
    }
    assert_eq!(
        session,
        json!({
            "account": "alice", "app": "app", "profile": "web", "build": "JavaScript SDK 1.1.0 to 1.3.0",
            "peer": "127.0.0.1", "channel": "room-1", "connections": 1, "mailbox_lines": 0, "inexact": 0,
            "calls": 3, "events": 0, "recorded": false, "watched": false,
        })
    );
    assert_eq!(get(addr, &format!("/sessions/{id}")).await["account"], "alice");
    assert_eq!(
        get(addr, "/sessions?account=bob").await["sessions"][0]["mailbox_lines"],
        1
    );
    for (query, expected) in [
        ("", &["alice", "bob", "carol"][..]),
        ("?channel=room%2D1", &["alice"]),
        ("?channel=room-1&profile=web", &["alice"]),
        ("?text=CAR", &["carol"]),
        ("?connected=false", &["carol"]),
        ("?connected=true", &["alice", "bob"]),
        ("?build=javascript", &["alice", "bob", "carol"]),
        ("?peer=127.0.0.1", &["alice", "bob", "carol"]),
        ("?peer=127.0.0.2", &[]),
        ("?app=other", &[]),
        ("?inexact=1", &[]),
        ("?limit=0", &[]),
    ] {
        assert_eq!(accounts(addr, query).await, expected, "{query}");
    }
    let mut pages = Vec::new();
    for offset in 0..3 {
        pages.extend(accounts(addr, &format!("?limit=1&offset={offset}")).await);
    }
    pages.sort();
    assert_eq!(pages, ["alice", "bob", "carol"]);
    for (path, status) in [
        ("/sessions?limit=many", 400),
        ("/sessions?acount=alice", 400),
        ("/sessions?connected=maybe", 400),
        ("/sessions/7", 404),
        ("/sessions/alice", 404),
        ("/sessions/", 404),
    ] {
        assert_eq!(
            http(addr, &format!("GET {path}"), &[], "").await.status,
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn accounts_are_shown_as_the_log_shows_them() {
    let mut config = with_admin();
    config.log.accounts = Accounts::Hash;
    let running = serve_with_config(config).await;
    let _alice = Client::login(running.http, "alice").await;
    let shown = accounts(admin(&running), "?account=alice").await;
    assert_eq!(shown.len(), 1, "the account itself is found");
    assert!(shown[0].len() == 12 && shown[0] != "alice", "{shown:?}");
    assert_eq!(
        accounts(admin(&running), &format!("?account={}", shown[0])).await,
        shown
    );
}

/// A client gets the last frames of its profile, and its messages wait for the next login.
#[tokio::test]
async fn a_closed_session_sends_its_farewell() {
    let running = serve_with_config(with_admin()).await;
    let addr = admin(&running);
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    alice.poll(0).await;
    emit(&mut bob, "alice", "hi").await;
    alice.frame("notify").await;
    let page = get(addr, "/sessions?account=alice").await;
    let id = page["sessions"][0]["id"].as_str().expect("a text").to_owned();
    let close = format!("POST /sessions/{id}/close");
    let refused = http(addr, &close, &["origin: https://evil.example"], "").await;
    assert_eq!(refused.status, 403);
    let answer = http(addr, &close, &[], "").await;
    assert_eq!(
        (answer.status, &*answer.body),
        (200, &*format!("{{\"closed\":\"{id}\"}}\n"))
    );
    assert_eq!(alice.next().await, Got::Frame(json!(["close", ""])));
    assert!(matches!(alice.next().await, Got::Closed(_)));
    eventually("the session is over", || running.server.sessions.views().len() == 1).await;
    assert_eq!(http(addr, &close, &[], "").await.status, 404);
    let mut again = Client::login(running.http, "alice").await;
    assert_eq!(again.poll(0).await.1.len(), 1, "the unread message");
    assert_eq!(bob.poll(0).await, (0, vec![]), "others are not affected");
}

#[tokio::test]
async fn refused_logins_are_counted_by_reason() {
    let running = serve_with_config(with_admin()).await;
    let mut refused = Client::connect(running.http).await;
    assert_eq!(refused.log_in("al ice").await.err, "wrong account");
    let logins = get(admin(&running), "/logins").await;
    assert_eq!(logins["refused"], json!({"wrong account": 1}));
    assert_eq!(logins["latest"][0]["account"], "al ice");
    assert_eq!(logins["latest"][0]["peer"], "127.0.0.1");
}

#[tokio::test]
async fn the_log_of_another_program_is_left_alone() {
    let running = serve_with_config(with_admin()).await;
    assert_eq!(http(admin(&running), "PUT /log-level", &[], "debug").await.status, 409);
}

/// The list neither waits for sessions nor holds them up: it copies references, and reads them outside of the runtime.
#[tokio::test]
async fn ten_thousand_sessions_are_listed_at_once() {
    let running = serve_with_config(with_admin()).await;
    let server = &running.server;
    let app = rtm::AppId::new("app").expect("an app id");
    let inbox = sigbridge::server::inbox(&server.pressure, &server.runs);
    for id in 0..10_000 {
        let account = format!("user-{id}");
        let client = ClientView {
            profile: "web".into(),
            version: None,
            peer: [203, 0, 113, 7].into(),
            login: server.clock.now(),
            channel: Some("room".into()),
        };
        let named = (app.clone(), account.as_str().into(), Some(account.as_str().into()));
        let view = SessionView::new(id, named, server.clock.now(), client);
        server.sessions.add(view, inbox.downgrade());
    }
    let begun = tokio::time::Instant::now();
    let page = get(admin(&running), "/sessions?limit=10000").await;
    assert_eq!(page["sessions"].as_array().map(Vec::len), Some(10_000));
    let found = get(admin(&running), "/sessions?text=user-77&limit=3").await;
    assert_eq!((&found["total"], &found["matched"]), (&json!(10_000), &json!(111)));
    // An unoptimised build, and the reading of JSON, take most of it.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Opens the live view of an account's session on a connection that is not read.
async fn follow(running: &Running, account: &str) -> tokio::net::TcpStream {
    let addr = admin(running);
    let page = get(addr, &format!("/sessions?account={account}")).await;
    let id = page["sessions"][0]["id"].as_str().expect("a text").to_owned();
    let mut stream = tokio::net::TcpStream::connect(addr).await.expect("it listens");
    let request = format!("GET /sessions/{id}/live HTTP/1.1\r\nhost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    eventually("the session is watched", || {
        running.server.sessions.views().iter().any(|view| view.is_watched())
    })
    .await;
    stream
}

/// Reads until a text.
async fn read_until(stream: &mut tokio::net::TcpStream, text: &str) -> String {
    let mut read = String::new();
    let mut chunk = [0; 65_536];
    while !read.contains(text) {
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await;
        let length = length
            .unwrap_or_else(|_| panic!("no {text} in {read}"))
            .expect("no error");
        assert!(length > 0, "no {text} in {read}");
        read += &String::from_utf8_lossy(&chunk[..length]);
    }
    read
}

#[tokio::test]
async fn a_viewer_sees_frames_rows_and_calls() {
    let running = serve_with_config(with_admin()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    bob.poll(0).await;
    let mut viewer = follow(&running, "alice").await;
    emit(&mut alice, "bob", "a secret").await;
    let seen = read_until(&mut viewer, "\"kind\":\"reply\"").await;
    for part in [
        "\"kind\":\"begin\"",
        "\"kind\":\"frame-in\",\"place\":\"mappings/peer.toml:",
        "\"row\":\"peer.send\"",
        "\"kind\":\"call\"",
        "sendMessageToPeer",
        "\"kind\":\"frame-out\"",
    ] {
        assert!(seen.contains(part), "{part}:\n{seen}");
    }
    assert!(
        !seen.contains("a secret") && !seen.contains("bob"),
        "[record] replaces names and messages:\n{seen}"
    );
    drop(viewer);
    // The end of the connection is noticed at the next record.
    for _ in 0..3 {
        emit(&mut alice, "bob", "more").await;
    }
    eventually("the viewer is removed", || {
        running.server.sessions.views().iter().all(|view| !view.is_watched())
    })
    .await;
    emit(&mut alice, "bob", "as before").await;
    assert_eq!(bob.poll(0).await.1.len(), 5);
}

#[tokio::test]
async fn a_slow_viewer_loses_the_stream_and_nobody_else() {
    let mut config = with_admin();
    config.limits.messages_per_second = 1_000_000;
    config.embedded.rate_scale = 1_000_000;
    config.record.bodies = Policy::Keep;
    let running = serve_with_config(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    let bob = Client::login(running.http, "bob").await;
    let mut viewer = follow(&running, "alice").await;
    let lost = "sigbridge_dropped_total{what=\"console events of a slow viewer\",intentional=\"true\"} 1\n";
    let text = "x".repeat(8000);
    let mut sent = 0;
    while !running.server.metrics.text().contains(lost) {
        for _ in 0..50 {
            emit(&mut alice, "bob", &text).await;
        }
        sent += 50;
        assert!(sent < 5000, "what waits is bounded");
        // The stream notices it when it is read again.
        if sent >= 2000 {
            let end = read_until(&mut viewer, "event: end").await;
            assert!(end.contains("too slow"));
        }
    }
    drop(bob);
    let page = get(admin(&running), "/sessions?account=alice").await;
    assert_eq!(page["sessions"][0]["calls"], sent + 1, "the session has not waited");
}

fn command(folder: &std::path::Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .args(["--config", "sigbridge.toml"])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_list_close_and_set_the_log() {
    let folder = empty_folder("operate");
    std::fs::write(folder.join("token"), "0123456789abcdef").expect("a file");
    let addr = free_address();
    let config = format!("[admin]\nlisten = \"{addr}\"\ntoken_file = \"token\"\n");
    let (mut program, front) = Program::serve(&folder, (&config, &["--log-json"]), to_file(&folder, "log")).await;
    let mut alice = Client::login(front, "alice").await;
    let run = async |args: &[&str]| {
        let (folder, args) = (
            folder.clone(),
            args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(),
        );
        let run = move || command(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.expect("it runs")
    };
    let (code, shown, notes) = run(&["sessions"]).await;
    assert_eq!((code, &*notes), (Some(0), "note: 1 of 1 matching sessions, 1 in all\n"));
    let mut lines = shown.lines();
    let head = "account  app  profile  build                          peer       channel  mailbox  inexact  age";
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("id ") && line.ends_with(head)),
        "{shown}"
    );
    let line = lines.next().expect("a session");
    assert!(
        line.contains("alice    app  web      JavaScript SDK 1.1.0 to 1.3.0  127.0.0.1  -"),
        "{shown}"
    );
    let id = line.split(' ').next().expect("an id").to_owned();
    let (_, details, _) = run(&["sessions", &id]).await;
    assert!(details.contains("\"account\": \"alice\""), "{details}");
    assert_eq!(run(&["sessions", "--account", "bob"]).await.1.lines().count(), 1);
    assert_eq!(run(&["log-level"]).await.1, "info\n");
    assert_eq!(run(&["log-level", "sigbridge=debug"]).await.1, "sigbridge=debug\n");
    let (code, _, error) = run(&["log-level", "sigbridge=loud"]).await;
    let wrong = "error: expected a level, or TARGET=LEVEL separated by commas\n";
    assert_eq!((code, &*error), (Some(1), wrong));
    assert_eq!(run(&["close", &id]).await.1, format!("closed {id}\n"));
    assert_eq!(alice.next().await, Got::Frame(json!(["close", ""])));
    let (code, _, error) = run(&["close", "7"]).await;
    assert_eq!(
        (code, &*error),
        (Some(1), "error: no such session; GET /sessions lists them\n")
    );
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    assert!(log.contains("\"level\":\"DEBUG\""), "debug lines after the change");
    for text in [
        "log filter changed",
        "session closed by an operator",
        "\"how\":\"closed by an operator\"",
    ] {
        assert!(log.contains(text), "{text}:\n{log}");
    }
    assert!(!log.contains("0123456789abcdef"));
}
