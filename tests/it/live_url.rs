//! `sigbridge replay --against URL`: the client side of a trace, against an RTM behind a link.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{config, folder, serve_with_config};
use sigbridge::config::Config;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces").join(name)
}

/// An embedded RTM that is served, and its URL.
async fn served(secret: Option<&str>) -> (sigbridge::startup::Running, String) {
    let mut config: Config = config();
    config.embedded.listen = Some("127.0.0.1:0".parse().expect("an address"));
    config.embedded.secret = secret.map(Into::into);
    let running = serve_with_config(config).await;
    let url = format!("ws://{}/agent", running.users.expect("an address for users"));
    (running, url)
}

async fn check(url: &str, args: &[PathBuf], code: i32, parts: &[&str]) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sigbridge"));
    program.args(["replay", "--against", url]).args(args);
    let output = tokio::task::spawn_blocking(move || program.output().expect("the program runs"));
    let output = output.await.expect("it ends");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let text = text.concat();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{args:?} lacks {part}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_played_to_an_rtm_that_is_served() {
    let (_running, url) = served(None).await;
    let traces = ["channel-msg.send.web.jsonl", "peer.send.linux-java.jsonl"].map(fixture);
    // Twice: the accounts are free again.
    let traces = [traces.clone(), traces].concat();
    check(&url, &traces, 0, &["4 traces", "4 equal, 0 different"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_connection_gets_the_reason() {
    let trace = fixture("peer.send.web.jsonl");
    let (_running, url) = served(Some("0123456789abcdef")).await;
    let folder = folder("live-url");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    let (right, wrong) = (file("right", "0123456789abcdef\n"), file("wrong", "fedcba9876543210"));
    let with = |secret: &PathBuf| vec!["--secret-file".into(), secret.clone(), trace.clone()];
    check(&url, &with(&right), 0, &["1 equal"]).await;
    check(&url, &with(&wrong), 1, &["missing or invalid secret", "--secret-file"]).await;
    check(&url, std::slice::from_ref(&trace), 1, &["missing or invalid secret"]).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = format!("ws://{}/agent", closed.local_addr().expect("an address"));
    drop(closed);
    check(
        &nowhere,
        std::slice::from_ref(&trace),
        1,
        &["cannot connect", "[embedded] listen"],
    )
    .await;
    check(&format!("{url}s"), std::slice::from_ref(&trace), 1, &["404", "/agent"]).await;
    let scaled = ["--rate-scale".into(), "0".into(), trace];
    check(&url, &scaled, 64, &["--rate-scale"]).await;
}
