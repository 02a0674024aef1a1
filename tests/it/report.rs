//! The migration report: usage across restarts, and of traces.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, config, emit, empty_folder, serve_with_config};
use analysis::report::UsageFile;

/// Runs a command in the root of this project: exit code, stdout, stderr.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn usage_is_kept_across_restarts() {
    let folder = empty_folder("report");
    let path = folder.join("usage.json");
    fs::write(folder.join("line.key"), "0123456789abcdef").expect("a file");
    for round in 1..=2 {
        let mut config = config();
        config.admin.usage_file = Some(path.clone());
        config.session.line_key = Some(identity::SessionLineKey::new(b"0123456789abcdef").expect("long enough"));
        let running = serve_with_config(config).await;
        let mut alice = Client::login(running.http, "alice").await;
        let _bob = Client::login(running.http, "bob").await;
        emit(&mut alice, "bob", "hi").await;
        running.server.stop(Duration::from_secs(5)).await;
        let text = fs::read_to_string(&path).expect("the file is written");
        assert!(
            !text.contains("alice") && !text.contains("bob"),
            "accounts are hashes: {text}"
        );
        let file = UsageFile::read(&text).expect("it is read");
        assert_eq!(file.accounts.len(), 2);
        let logins: u64 = file.days.values().flatten().map(|(_, usage)| usage.logins).sum();
        let sent: u64 = file
            .days
            .values()
            .flatten()
            .filter_map(|(_, usage)| usage.rows.get("peer.send"))
            .sum();
        assert_eq!((logins, sent), (2 * round, round));
    }
    let (code, text, _) = run(&["report", path.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0));
    assert!(text.contains(" 4 logins, "), "{text}");
    assert!(text.contains("| app | web | – | "), "{text}");
    assert!(
        text.contains("| `peer.send` | messageInstantSend | emulated | 2 |"),
        "{text}"
    );
    let (_, json, _) = run(&["report", "--json", path.to_str().expect("UTF-8")]);
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        report["accounts"],
        json!({"all": 2, "last_7_days": 2, "last_30_days": 2})
    );
    assert_eq!(report["kinds"][0]["days_since"], 0);
    // An unreadable file is put aside, and the server starts.
    fs::write(&path, "{").expect("a file");
    let mut config = config();
    config.admin.usage_file = Some(path.clone());
    let running = serve_with_config(config).await;
    running.server.stop(Duration::from_secs(5)).await;
    assert!(folder.join("usage.unread").exists());
    UsageFile::read(&fs::read_to_string(&path).expect("a new one")).expect("it is read");
}

#[test]
fn the_page_is_self_contained() {
    let (code, html, _) = run(&["report", "--html", "--today", "2026-12-01", "fixtures/traces"]);
    assert_eq!(code, Some(0));
    assert!(html.contains("<svg") && html.contains("java-python") && html.contains("UID-HASH"));
    for foreign in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn texts_of_clients_are_escaped() {
    let folder = empty_folder("report-hostile");
    let path = folder.join("usage.json");
    let hostile = r#"{"sigbridge_usage":1,"days":{"2026-11-27":[[{"app":"<img src=x>|","profile":"web","build":""},{"logins":1,"events":0,"refused":0,"rows":{"<b>":1},"codes":{}}]]},"accounts":{}}"#;
    fs::write(&path, hostile).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let (code, html, _) = run(&["report", "--html", path]);
    assert_eq!(code, Some(0));
    assert!(html.contains("&lt;img src=x&gt;|") && !html.contains("<img") && !html.contains("<b>"));
    assert!(run(&["report", path]).1.contains("| <img src=x>\\| | web |"));
    fs::write(folder.join("bad.json"), "[]").expect("a file");
    let (code, _, error) = run(&["report", folder.join("bad.json").to_str().expect("UTF-8")]);
    assert_eq!(code, Some(2));
    assert!(error.contains("hint: [admin] usage_file"), "{error}");
}

/// For CI: a coverage that is worse than agreed fails.
#[test]
fn coverage_fails_when_it_is_worse_than_agreed() {
    let trace = "fixtures/traces/vendor-web-1.4.0.jsonl";
    assert_eq!(run(&["coverage", trace]).0, Some(0));
    let (code, report, error) = run(&["coverage", "--max-inexact", "0", trace]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("calls were inexact, more than 0") && !report.is_empty(),
        "{error}"
    );
    assert_eq!(run(&["coverage", "--max-inexact", "100000", trace]).0, Some(0));
    let refused = "fixtures/traces/channel-attr.set.limits.web.jsonl";
    let (_, json, _) = run(&["coverage", "--json", refused]);
    let summary: Value = serde_json::from_str(&json).expect("JSON");
    let denied = summary["summary"]["refused"].as_u64().expect("a number")
        + summary["summary"]["unknown"].as_u64().expect("a number");
    assert_eq!(
        run(&["coverage", "--deny", "refused", refused]).0,
        Some(i32::from(denied > 0))
    );
}
