//! The end of a process: the drain, signals, the service manager, and the next process.

#[cfg(unix)]
mod process;

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{Client, Got, PATIENCE, RawNative, config, emit, eventually, http, serve_with_config, text};
use sigbridge::config::Config;

fn with_drain(delay: Duration, spread: Duration) -> Config {
    let mut config = config();
    config.drain.delay = delay;
    config.drain.spread = spread;
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    config
}

/// Waits for the close of a client; returns its last frame and the close.
async fn closed(client: &mut Client) -> (Option<serde_json::Value>, Got) {
    let mut last = None;
    loop {
        match client.next().await {
            Got::Frame(frame) => last = Some(frame),
            end => return (last, end),
        }
    }
}

/// Clients that come back as soon as they are closed meet the second server at nearly the mean rate.
#[tokio::test(flavor = "multi_thread")]
async fn clients_arrive_elsewhere_evenly() {
    const CLIENTS: usize = 60;
    const SPREAD: Duration = Duration::from_secs(3);
    const WINDOWS: u32 = 6;
    let first = serve_with_config(with_drain(Duration::ZERO, SPREAD)).await;
    let second = serve_with_config(config()).await;
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(Client::login(first.http, &format!("c{n}")).await);
    }
    let begin = Instant::now();
    let draining = tokio::spawn(async move { first.server.drain().await });
    let arrivals = clients.into_iter().enumerate().map(|(n, mut client)| {
        let other = second.http;
        tokio::spawn(async move {
            timeout(2 * SPREAD + PATIENCE, async {
                closed_late(&mut client).await;
                let _again = Client::login(other, &format!("c{n}")).await;
                begin.elapsed()
            })
            .await
            .expect("every client is closed")
        })
    });
    let mut windows = [0_usize; WINDOWS as usize + 1];
    for arrival in arrivals.collect::<Vec<_>>() {
        let at = arrival.await.expect("no panic");
        let window = (at.as_secs_f64() / (SPREAD / WINDOWS).as_secs_f64()) as usize;
        windows[window.min(WINDOWS as usize)] += 1;
    }
    draining.await.expect("no panic");
    let mean = CLIENTS as f64 / f64::from(WINDOWS);
    let most = *windows.iter().max().expect("some") as f64;
    assert!(most <= 1.3 * mean, "{windows:?}");
}

/// Waits for the close, which may take longer than other frames.
async fn closed_late(client: &mut Client) {
    while let Some(Got::Frame(_)) | None = client.within(Duration::from_secs(1)).await {}
}

#[tokio::test]
async fn readiness_ends_first_and_each_client_gets_its_farewell() {
    let running = serve_with_config(with_drain(Duration::from_secs(1), Duration::ZERO)).await;
    let admin = running.admin.expect("an admin address");
    let mut web = Client::login(running.http, "web").await;
    let mut native = RawNative::connect(running.tcp.expect("native clients")).await;
    native.log_in("native", "").await;
    let server = running.server.clone();
    let draining = tokio::spawn(async move { server.drain().await });
    let server = &running.server;
    eventually("it drains", || server.drain.has_begun()).await;
    let answer = http(admin, "GET /readyz", &[], "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("\"draining\""), "{}", answer.body);
    // Within the delay new clients are served.
    let mut late = Client::login(running.http, "late").await;
    for client in [&mut web, &mut late] {
        let (last, end) = closed(client).await;
        assert_eq!((last, end), (Some(json!(["close", ""])), Got::Closed(Some(1001))));
    }
    let mut last = None;
    while let Some(line) = native.next().await {
        last = Some(line);
    }
    assert_eq!(last.as_deref(), Some("notify outofsync"));
    draining.await.expect("no panic");
    assert!(
        TcpStream::connect(running.http).await.is_err(),
        "the listener is closed"
    );
    assert_eq!(http(admin, "GET /livez", &[], "").await.status, 200);
    running.server.stop(PATIENCE).await;
    assert!(TcpStream::connect(admin).await.is_err());
}

/// A message to a client that is closed already waits in the mailbox file.
#[tokio::test]
async fn messages_of_the_drain_reach_the_next_process() {
    let folder = crate::support::empty_folder("drain-mailbox");
    let mut config = with_drain(Duration::ZERO, Duration::from_millis(400));
    config.mailbox.file = Some(folder.join("mailbox.jsonl"));
    let running = serve_with_config(config.clone()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let server = running.server.clone();
    let draining = tokio::spawn(async move { server.drain().await });
    // One of them is closed first, and the other writes to it.
    let (first, (second, to)) = tokio::select! {
        _ = closed(&mut alice) => ("alice", (&mut bob, "alice")),
        _ = closed(&mut bob) => ("bob", (&mut alice, "bob")),
    };
    emit(second, to, "meanwhile").await;
    draining.await.expect("no panic");
    running.server.stop(PATIENCE).await;
    let running = serve_with_config(config).await;
    let mut first = Client::login(running.http, first).await;
    let (_, lines) = first.poll(0).await;
    assert_eq!(
        lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>(),
        ["meanwhile"]
    );
}

#[tokio::test]
async fn an_app_has_its_own_readiness() {
    let mut config = with_drain(Duration::ZERO, Duration::ZERO);
    config.apps = sigbridge::config::Config::parse(
        &Config::source("apps", "[[app]]\nid = 'a'\n[[app]]\nid = 'b'\nupstream = 'agent'"),
        &sigbridge::config::DiskFiles::beside(std::path::Path::new("apps")),
    )
    .expect("a config")
    .apps;
    config.upstream.agent.listen.set_port(0);
    let running = serve_with_config(config).await;
    let admin = running.admin.expect("an admin address");
    for (query, status, body) in [
        (
            "",
            503,
            json!({"ready": false, "reasons": [{"reason": "agent_missing", "apps": ["b"]}]}),
        ),
        ("?app=a", 200, json!({"ready": true, "reasons": []})),
        (
            "?app=b",
            503,
            json!({"ready": false, "reasons": [{"reason": "agent_missing", "apps": ["b"]}]}),
        ),
        (
            "?app=c",
            404,
            json!({"ready": false, "reasons": [{"reason": "unknown_app"}]}),
        ),
    ] {
        let answer = http(admin, &format!("GET /readyz{query}"), &[], "").await;
        let got: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((answer.status, got), (status, body), "{query}");
    }
}
