//! `sigbridge replay` as a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{ApiClient, folder, recording, traces};
use serde_json::json;

fn replay(args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .arg("replay")
        .args(args)
        .output();
    program.expect("the program runs")
}

fn check(args: &[&str], code: i32, parts: &[&str]) {
    let output = replay(args);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{args:?} lacks {part}: {text}");
    }
}

/// The built-in tables with one text of a file replaced.
fn tables_with(folder: &Path, file: &str, from: &str, to: &str) -> PathBuf {
    let copy = folder.join("mappings");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &copy);
    let path = copy.join(file);
    let text = fs::read_to_string(&path).expect("a table");
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replace(from, to)).expect("writable");
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            fs::copy(&path, &to).expect("it can be copied");
        }
    }
}

/// A client calls an offline user.
async fn call_to_nobody(folder: &Path) -> String {
    let running = recording(folder).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    let args = json!(["room", "nobody", "{\"_require_peer_online\":1}"]);
    alice.call("channelInviteUser2", args).await;
    alice.event("onInviteFailed").await;
    drop(alice);
    traces(running, folder).await;
    let trace = fs::read_dir(folder).expect("the folder").next().expect("a trace");
    trace.expect("readable").path().display().to_string()
}

#[tokio::test]
async fn a_changed_code_is_reported_with_its_row() {
    let folder = folder("code");
    let trace = call_to_nobody(&folder).await;
    let from = r#""peer is not online" = 703"#;
    let mappings = tables_with(&folder, "errors.toml", from, r#""peer is not online" = 704"#);
    let mappings = mappings.display().to_string();
    check(&[&trace], 0, &["1 equal, 0 different"]);
    let parts = [
        "session 1 differs",
        r#"\"code\":703"#,
        r#"\"code\":704"#,
        "[invite.send]",
        r#"error.code: 703 / 704"#,
        "0 equal, 1 different",
    ];
    check(&["--mappings", &mappings, &trace], 1, &parts);
    check(&["--mappings", &mappings, "--against", "embedded", &trace], 1, &parts);
    check(
        &["--mappings", &mappings, "--json", &trace],
        1,
        &[
            r#""row":"invite.send""#,
            r#""changes":[{"expected":703,"got":704,"path":".frame"#,
            r#""updated":false"#,
        ],
    );
    check(
        &["--mappings", &mappings, "--junit", &trace, &trace],
        64,
        &["is an input and would be overwritten"],
    );
    let wrote = format!("updated {trace}: ");
    let update = ["--mappings", &mappings, "--update", &trace];
    check(&update, 0, &["error.code: 703 / 704", &wrote, "1 different"]);
    check(&update, 0, &["1 equal, 0 different"]);
    check(&["--mappings", &mappings, &trace], 0, &["1 equal, 0 different"]);
    check(&[&trace], 1, &[r#"\"code\":704"#]);
}

/// A redacted trace, of which only one output is changed by the tables.
#[test]
fn an_update_changes_only_the_records_that_differ() {
    let folder = folder("update");
    fs::create_dir_all(&folder).expect("writable");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces/vendor-web-1.4.0.jsonl");
    let before = fs::read_to_string(&recorded).expect("the fixture");
    let trace = folder.join("trace.jsonl");
    fs::write(&trace, before.replacen("no such attr", "no such text", 1)).expect("writable");
    assert!(before.contains("no such attr"), "the fixture lacks the answer");
    let path = trace.display().to_string();
    check(&["--update", &path], 0, &["1 different"]);
    let after = fs::read_to_string(&trace).expect("the trace");
    assert_eq!(after.lines().count(), before.lines().count());
    for (n, (before, after)) in before.lines().zip(after.lines()).enumerate() {
        assert!(before == after, "line {}: {after}", n + 1);
    }
}

#[test]
fn unusable_targets_are_refused() {
    check(&["--against", "nobody", "x.jsonl"], 64, &["expected `embedded`"]);
    check(
        &["--against", "embedded", "--update", "x.jsonl"],
        64,
        &["cannot be used with"],
    );
    check(&["--rate-scale", "0", "x.jsonl"], 64, &["--against"]);
    check(&["none.jsonl"], 2, &["none.jsonl"]);
}
