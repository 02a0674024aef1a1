//! The log of a server: content and number of its lines. `secrets/whole_run.rs` searches it for secrets.

use std::fs;
use std::path::Path;

use crate::support::{Client, Program, emit, empty_folder, eventually, free_address, http, to_file};
use serde_json::{Value, json};

/// The lines of a JSON log, all of which are JSON.
fn lines(log: &str) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    log.lines().map(line).collect()
}

/// The fields of lines with content.
fn lines_of(log: &str, message: &str) -> Vec<Value> {
    let lines = lines(log).into_iter().map(|mut line| line["fields"].take());
    lines.filter(|fields| fields["message"] == message).collect()
}

/// Fields, without those that differ from run to run.
fn known(mut fields: Value) -> String {
    let map = fields.as_object_mut().expect("an object");
    assert!(
        map.remove("duration_ms").is_some_and(|duration| duration.is_u64()),
        "{map:?}"
    );
    map.remove("session");
    map.remove("message");
    let fields: Vec<String> = map.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.join(" ")
}

async fn serve(name: &str, config: &str) -> (Program, std::net::SocketAddr) {
    let folder = empty_folder(&format!("logs-{name}"));
    Program::serve(&folder, (config, &["--log-json"]), to_file(&folder, "log")).await
}

/// Two logins of one account, of which the second replaces the first, a refusal, and an abandoned login.
async fn sessions(addr: std::net::SocketAddr) {
    let _first = Client::login(addr, "alice").await;
    let mut second = Client::login(addr, "alice").await;
    let mut refused = Client::connect(addr).await;
    assert_eq!(refused.log_in("al ice").await.err, "wrong account");
    assert_eq!(second.call("user_logout", json!({})).await.err, "");
}

#[tokio::test]
async fn a_line_for_each_login_refusal_and_end() {
    let admin = free_address();
    let config = format!("[session]\ntwin_window = \"0s\"\n[admin]\nlisten = \"{admin}\"\n");
    let (mut program, addr) = serve("sessions", &config).await;
    sessions(addr).await;
    let metrics = http(admin, "GET /metrics", &[], "").await.body;
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    let texts = |message: &str| lines_of(&log, message).into_iter().map(known).collect::<Vec<_>>();
    let alice = r#"account="alice" app="app""#;
    assert_eq!(
        texts("login accepted"),
        [
            format!(r#"{alice} how="new" peer="127.0.0.1" profile="web""#),
            format!(r#"{alice} how="replace" peer="127.0.0.1" profile="web""#)
        ]
    );
    assert_eq!(
        texts("login refused"),
        [r#"account="al ice" app="app" peer="127.0.0.1" profile="web" reason="wrong account""#]
    );
    assert_eq!(
        texts("session ended"),
        [
            format!(r#"{alice} how="logged in elsewhere" peer="127.0.0.1" profile="web""#),
            format!(r#"{alice} how="logged out" peer="127.0.0.1" profile="web""#)
        ]
    );
    let (begun, ended) = (lines_of(&log, "login accepted"), lines_of(&log, "session ended"));
    assert_eq!(begun[0]["session"], ended[0]["session"]);
    assert_ne!(begun[0]["session"], begun[1]["session"]);
    for (result, reason) in [("new", ""), ("replace", ""), ("refused", "wrong account")] {
        let counter = format!("sigbridge_logins_total{{result=\"{result}\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&counter), "{counter}{metrics}");
    }
}

#[tokio::test]
async fn a_line_names_accounts_as_the_config_wants() {
    let mut named = Vec::new();
    for accounts in ["hash", "hash", "off"] {
        let config =
            format!("[session]\nline_key_file = \"key\"\ntwin_window = \"0s\"\n[log]\naccounts = \"{accounts}\"\n");
        let folder = empty_folder("logs-accounts");
        fs::write(folder.join("key"), "0123456789abcdef").expect("a file");
        let log = to_file(&folder, "log");
        let (mut program, addr) = Program::serve(&folder, (&config, &["--log-json"]), log).await;
        sessions(addr).await;
        assert_eq!(program.stop().await, Some(0));
        let log = program.text("log");
        assert!(!log.contains("alice") && !log.contains("al ice"), "{log}");
        let account = |fields: &Value| fields["account"].as_str().map(str::to_owned);
        let accepted: Vec<_> = lines_of(&log, "login accepted").iter().map(account).collect();
        let ended: Vec<_> = lines_of(&log, "session ended").iter().map(account).collect();
        assert_eq!(accepted, ended, "{log}");
        named.push(accepted[0].clone());
    }
    assert_eq!(named[0].as_ref().map(String::len), Some(12));
    assert_eq!(named[0], named[1], "one key, one hash");
    assert_eq!(named[2], None);
}

#[tokio::test]
async fn repeated_lines_are_counted() {
    let (mut program, addr) = serve(
        "repeated",
        "[mailbox]\nlimit = 5\n[limits]\nmessages_per_second = 1000\n",
    )
    .await;
    let _bob = Client::login(addr, "bob").await;
    let mut alice = Client::login(addr, "alice").await;
    for n in 0..40 {
        emit(&mut alice, "bob", &format!("m{n}")).await;
    }
    eventually("his mailbox is full", || program.text("log").contains("mailbox lines")).await;
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    let dropped = lines_of(&log, "dropped");
    let of_mailbox: Vec<_> = dropped
        .iter()
        .filter(|fields| fields["what"] == "mailbox lines")
        .collect();
    assert_eq!(of_mailbox.len(), 1, "{log}");
    assert_eq!(of_mailbox[0]["account"], "bob");
    let left_out = lines_of(&log, "log lines suppressed");
    let of_mailbox = left_out
        .iter()
        .find(|fields| fields["kind"] == "mailbox lines")
        .expect("a count");
    assert_eq!(
        (&of_mailbox["account"], &of_mailbox["lines"]),
        (&json!("bob"), &json!(36)),
        "{log}"
    );
}

#[tokio::test]
async fn a_json_log_has_nothing_else_in_it() {
    let (mut program, addr) = serve("json", "").await;
    sessions(addr).await;
    program.signal("HUP");
    eventually("it is logged", || program.text("log").contains("reloading config")).await;
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    assert_eq!(lines(&log).last().expect("a line")["fields"]["message"], "exit report");
    // No note for users without a terminal.
    assert!(!log.contains("setup_debugging"), "{log}");
    assert!(log.ends_with('\n'), "{log}");
}

/// One line with the reason of a failed start.
async fn fails(folder: &Path, args: &[&str], code: i32) -> Value {
    let mut program = Program::start(folder, args, None, to_file(folder, "log"));
    assert_eq!(program.ended().await.code(), Some(code), "{args:?}");
    let mut lines = lines(&program.text("log"));
    assert_eq!(lines.len(), 1, "{args:?}: {lines:?}");
    assert_eq!(lines[0]["level"], "ERROR");
    lines[0]["fields"].take()
}

#[tokio::test]
async fn a_failed_start_is_one_json_line() {
    let folder = empty_folder("logs-failed");
    fs::write(
        folder.join("bad.toml"),
        "[session]\ngrace = 5\n[listen]\nhtp = \"127.0.0.1:1\"\n",
    )
    .expect("a file");
    let wrong = fails(&folder, &["serve", "--config", "bad.toml", "--log-json"], 64).await;
    assert_eq!(wrong["message"], "invalid config");
    assert_eq!(wrong["hint"], "config.example.toml lists every key");
    assert_eq!(
        wrong["mistakes"].as_str().expect("a text").lines().collect::<Vec<_>>(),
        [
            "bad.toml:2:9: `session.grace`: expected a duration such as \"500ms\", \"20s\", \"1h30m\" or \"7d\"",
            "bad.toml:4:1: `listen`: unknown key `htp` (did you mean `http`?)"
        ]
    );
    let wrong = fails(&folder, &["serve", "--nonsense", "--log-json"], 64).await;
    assert_eq!(wrong["message"], "unexpected argument '--nonsense' found");
    let wrong = fails(&folder, &["serve", "--mappings", "nowhere", "--log-json"], 64).await;
    assert!(
        wrong["hint"]
            .as_str()
            .is_some_and(|hint| hint.starts_with("a tables directory")),
        "{wrong}"
    );
    let wrong = fails(&folder, &["serve", "--listen", "192.0.2.1:1", "--log-json"], 1).await;
    assert!(
        wrong["message"]
            .as_str()
            .is_some_and(|text| text.contains("192.0.2.1:1")),
        "{wrong}"
    );
    let wrong = fails(&folder, &["agent", "embedded", "--limits", "none", "--log-json"], 1).await;
    assert_eq!(wrong["message"], "invalid --limits `none`; expected web or linux");
}

const LINK: &str = "linksecret-0123456789abcdef";

#[tokio::test]
async fn strangers_at_the_link_have_a_line_a_minute() {
    let folder = empty_folder("logs-no-access");
    fs::write(folder.join("link"), LINK).expect("a file");
    let agents = free_address();
    let config =
        format!("[upstream]\nkind = \"agent\"\n[upstream.agent]\nlisten = \"{agents}\"\nsecret_file = \"link\"\n");
    let (mut program, _) = Program::serve(&folder, (&config, &["--log-json"]), to_file(&folder, "log")).await;
    for _ in 0..20 {
        let stream = tokio::net::TcpStream::connect(agents).await.expect("it listens");
        let refused = tokio_tungstenite::client_async(format!("ws://{agents}/agent"), stream).await;
        assert!(refused.is_err());
    }
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    assert_eq!(lines_of(&log, "rejected at the link").len(), 1, "{log}");
    let left_out = lines_of(&log, "log lines suppressed");
    assert_eq!((left_out.len(), &left_out[0]["lines"]), (1, &json!(19)), "{log}");
    assert_eq!(left_out[0]["from"], "127.0.0.1");
}
