//! Traces of in-process servers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use protocol::encoder::Encoder;
use protocol::encoders;
use serde_json::json;
use sigbridge::startup::Running;
use tables::Tables;
use trace::{Bounds, Outcome, Policy, Redaction, Trace, read, replay};

use super::{Client, PATIENCE, config, emit, serve};

/// Returns an unused directory.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sigbridge-traces-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Starts a server that records without redaction.
pub async fn recording(folder: &Path) -> Running {
    recording_with(folder, Policy::Keep).await
}

/// Starts a server that records with a policy.
pub async fn recording_with(folder: &Path, policy: Policy) -> Running {
    let running = serve(config()).await;
    record(&running, folder, policy).await;
    running
}

/// Records new sessions to one file of a directory.
pub async fn record(running: &Running, folder: &Path, policy: Policy) {
    const BOUNDS: Bounds = Bounds {
        file_bytes: 1 << 30,
        file_time: Duration::from_secs(3600),
        files: 100,
    };
    let server = &running.server;
    let redaction = Redaction::new(&server.tables(), policy, policy).expect("random bytes");
    let started = server
        .recorder
        .start(folder.to_path_buf(), BOUNDS, redaction, server.clock.now());
    started.await.expect("the folder can be written");
}

/// Stops the server; returns its traces.
pub async fn traces(running: Running, folder: &Path) -> Vec<Trace> {
    let paths = finished(running, folder).await;
    let open = |path: &PathBuf| read(std::fs::File::open(path).expect("it is there")).expect("it can be read");
    paths.iter().map(open).collect()
}

/// Stops the server; returns its trace files.
pub async fn finished(running: Running, folder: &Path) -> Vec<PathBuf> {
    running.server.stop(PATIENCE).await;
    let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let is_finished = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "jsonl");
    assert!(!paths.is_empty() && paths.iter().all(is_finished), "{paths:?}");
    paths
}

type Played = (Arc<Tables>, Arc<Vec<Arc<dyn Encoder>>>);

/// Returns the tables for a replay.
pub fn tables() -> Played {
    static TABLES: LazyLock<Played> = LazyLock::new(|| {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
        let encoders = Arc::new(encoders(&tables).expect("a wire for each profile"));
        (tables, encoders)
    });
    TABLES.clone()
}

/// Replays a trace without a difference.
pub fn played(trace: &Trace) -> Outcome {
    let (tables, encoders) = tables();
    let outcome = replay(&tables, &encoders, trace).expect("it makes sense");
    assert!(outcome.differences.is_empty(), "{:#?}", outcome.differences);
    outcome
}

/// Lets two clients exercise most calls.
pub async fn exercise_all_calls(running: &Running) {
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    alice.poll(0).await;
    bob.poll(0).await;
    emit(&mut alice, "bob", "hi").await;
    bob.frame("notify").await;
    bob.poll(1).await;
    alice.call("channel_join", json!({"name": "room"})).await;
    bob.call("channel_join", json!({"name": "room"})).await;
    alice
        .call(
            "channel_sendmsg",
            json!({"name": "room", "msg": "\"quoted\" \u{1f600}"}),
        )
        .await;
    alice
        .call(
            "channel_set_attr",
            json!({"channel": "room", "name": "topic", "value": 7}),
        )
        .await;
    bob.call("nonsense", json!({})).await;
    bob.call(
        "voip_invite",
        json!({"channelName": "room", "peer": "nobody", "extra": "{\"_require_peer_online\":1}"}),
    )
    .await;
    drop(alice);
    let mut alice = Client::login(running.http, "alice").await;
    alice.poll(0).await;
    alice.call("user_logout", json!({})).await;
    drop(bob);
}
