//! Streams with failed writes: a closed or stalled reader, a full disk. Also signals.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Client, Got, Program, emit, empty_folder, eventually, free_address, http, to_file};
use serde_json::json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A pipe without a reader.
fn closed() -> Stdio {
    let (_, writer) = std::io::pipe().expect("a pipe");
    writer.into()
}

fn full() -> Stdio {
    let disk = fs::OpenOptions::new().write(true).open("/dev/full");
    disk.expect("Linux has one").into()
}

/// Serves with a stderr that accepts nothing: clients are not affected, and the process ends on request.
async fn serves_with(name: &str, stderr: Stdio, is_lost: bool) {
    let folder = empty_folder(&format!("streams-{name}"));
    let admin = free_address();
    let config = format!("[mailbox]\nfile = \"mailbox.jsonl\"\nlimit = 10\n[admin]\nlisten = \"{admin}\"\n");
    let (mut program, addr) = Program::serve(&folder, (&config, &[]), stderr).await;
    let mut bob = Client::login(addr, "bob").await;
    let mut alice = Client::login(addr, "alice").await;
    // More than his mailbox holds of one sender: that is logged, in his session.
    for n in 0..8 {
        emit(&mut alice, "bob", &format!("m{n}")).await;
    }
    assert_eq!(bob.poll(0).await.1.len(), 5, "{name}");
    assert_eq!(
        alice.call("channel_join", json!({"name": "room"})).await.err,
        "",
        "{name}"
    );
    let metrics = http(admin, "GET /metrics", &[], "").await.body;
    let lost = metrics
        .lines()
        .find_map(|line| line.strip_prefix("sigbridge_log_lines_lost_total "));
    assert_eq!(lost.is_some_and(|lost| lost != "0"), is_lost, "{name}: {lost:?}");
    assert_eq!(program.stop().await, Some(0), "{name}");
    assert_eq!(closing(&mut bob).await, Got::Closed(Some(1001)), "{name}");
    assert_eq!(program.text("mailbox.jsonl").matches("bob").count(), 5, "{name}");
}

/// Ends of a connection.
async fn closing(client: &mut Client) -> Got {
    loop {
        match client.next().await {
            Got::Frame(_) => {}
            end => return end,
        }
    }
}

#[tokio::test]
async fn the_log_reader_is_blocked() {
    serves_with("closed", closed(), true).await;
    serves_with("full", full(), true).await;
    // Another process keeps its buffer full, so that each write blocks.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filling = writer.try_clone().expect("a descriptor");
    let filler = std::thread::spawn(move || while filling.write_all(&[b'.'; 4096]).is_ok() {});
    serves_with("blocked", writer.into(), false).await;
    drop(reader);
    filler.join().expect("a write to a closed pipe fails");
}

/// A command, and how it ends when all can be written.
struct Case {
    args: Vec<String>,
    stdin: &'static str,
    code: i32,
}

fn case(args: &[&str], code: i32) -> Case {
    let args = args.iter().map(ToString::to_string).collect();
    Case { args, stdin: "", code }
}

impl Case {
    fn run(&self, folder: &Path, stdout: Stdio, stderr: Stdio) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
            .args(&self.args)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        // One that does not read has closed it.
        let _ = child.stdin.take().expect("stdin").write_all(self.stdin.as_bytes());
        child.wait_with_output().expect("it ends")
    }
}

/// Every command that prints something.
fn cases(folder: &Path) -> Vec<Case> {
    let trace = format!("{ROOT}/fixtures/traces/channel-attr.set.web.jsonl");
    let recorded = fs::read_to_string(&trace).expect("a fixture");
    let other = recorded.replace("channel_user_join", "channel_user_come");
    assert!(recorded != other, "the fixture has a member that joins");
    fs::write(folder.join("other.jsonl"), other).expect("a file");
    fs::write(folder.join("secret"), "5CFd2fd1755d40ecb72977518be15d3b\n").expect("a file");
    let har = fs::read_dir(format!("{ROOT}/fixtures/har"))
        .expect("a folder")
        .flatten();
    let har = har
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "har"));
    let har = har.expect("a HAR").display().to_string();
    let frame = r#"["login",{"account":"a"}]"#;
    let token = |args: &[&str], code| {
        let certificate = ["--certificate-file", "secret"];
        case(&[&["token"], args, &certificate].concat(), code)
    };
    let app = "970CA35de60c44645bbae8a215061b33";
    vec![
        case(&["check"], 0),
        case(&["check", "--json"], 0),
        case(&["completions", "bash"], 0),
        case(&["mappings", "table"], 0),
        case(&["mappings", "openrpc"], 0),
        case(&["trace", "schema"], 0),
        case(&["trace", "import", &har], 0),
        case(&["trace", "export", &trace], 0),
        case(&["explain", frame], 0),
        case(&["explain", "--json", frame], 0),
        case(&["coverage", &trace], 0),
        case(&["coverage", "--json", &trace], 0),
        case(&["diff", &trace, &trace], 0),
        case(&["diff", "--json", &trace, "other.jsonl"], 1),
        case(&["replay", &trace], 0),
        case(&["replay", "other.jsonl"], 1),
        case(&["replay", "--json", "other.jsonl"], 1),
        case(&["conformance", "--traces", &format!("{ROOT}/fixtures/traces")], 0),
        case(&["agent", "openrpc"], 0),
        case(&["agent", "web", "--print"], 0),
        case(&["agent", "web", "--print-unit"], 0),
        token(&["mint", "--app-id", app, "--account", "a"], 0),
        Case {
            stdin: "1:970CA35de60c44645bbae8a215061b33:1514219634:82539e1f3973bcfe3f0d0c8993e6c051",
            ..token(&["verify", "--account", "2882341273"], 1)
        },
        case(&["webhook", "verify", "--secret-file", "secret", "--signature", "x"], 1),
        case(&["dev-cert", "--force"], 0),
        case(&["--help"], 0),
        case(&["--version"], 0),
        case(&["replay", "--help"], 0),
    ]
}

#[test]
fn a_closed_reader_ends_no_command_in_another_way() {
    let folder = empty_folder("streams-closed-stdout");
    for case in cases(&folder) {
        let output = case.run(&folder, closed(), Stdio::piped());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(case.code), "{:?}: {stderr}", case.args);
        assert!(
            !stderr.contains("panic") && !stderr.contains("os error"),
            "{:?}: {stderr}",
            case.args
        );
    }
}

#[test]
fn a_full_disk_is_reported() {
    let folder = empty_folder("streams-full-stdout");
    for case in cases(&folder) {
        let output = case.run(&folder, full(), Stdio::piped());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{:?}: {stderr}", case.args);
        assert!(
            stderr.contains("error: cannot write to standard output: No space left on device")
                && stderr.contains("\n\nhint: free disk space"),
            "{:?}: {stderr}",
            case.args
        );
    }
}

#[test]
fn messages_that_cannot_be_written_change_no_exit() {
    let folder = empty_folder("streams-stderr");
    fs::write(folder.join("bad.toml"), "[listen]\nhtp = 1\n").expect("a file");
    let mut cases = cases(&folder);
    // Commands with output beside their data.
    let talks = |case: &Case| ["trace", "token", "webhook", "dev-cert"].contains(&&*case.args[0]);
    cases.retain(talks);
    cases.extend([
        case(&["explain", "x"], 65),
        case(&["nonsense"], 64),
        case(&["replay", "nowhere.jsonl"], 2),
        case(&["check", "--config", "bad.toml"], 64),
        case(&["serve", "--config", "bad.toml"], 64),
        case(&["serve", "--config", "bad.toml", "--log-json"], 64),
        case(&["serve", "--nonsense", "--log-json"], 64),
        case(&["serve", "--listen", "192.0.2.1:1"], 1),
        case(&["doctor", "--config", "bad.toml"], 64),
        case(
            &["call", "--account", "a", "--url", &format!("ws://{}/", free_address())],
            1,
        ),
        case(&["agent", "embedded", "--platform", "nonsense"], 1),
    ]);
    for case in cases {
        for stderr in [closed(), full()] {
            let output = case.run(&folder, Stdio::piped(), stderr);
            assert_eq!(output.status.code(), Some(case.code), "{:?}", case.args);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_ends_with_its_reader_and_reports_a_full_disk() {
    let folder = empty_folder("streams-call");
    let (_program, addr) = Program::serve(&folder, ("", &[]), to_file(&folder, "log")).await;
    let url = format!("ws://{addr}/");
    let call = Case {
        stdin: "messageInstantSend nobody 0 hi\n",
        ..case(&["call", "--account", "a", "--url", &url], 0)
    };
    let run = |stdout: Stdio| call.run(&folder, stdout, Stdio::piped());
    let output = run(closed());
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    let output = run(full());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

#[tokio::test]
async fn a_hangup_ends_nothing() {
    let folder = empty_folder("streams-hangup");
    let config = "[mailbox]\nfile = \"mailbox.jsonl\"\n";
    let (mut program, addr) = Program::serve(&folder, (config, &[]), to_file(&folder, "log")).await;
    let mut bob = Client::login(addr, "bob").await;
    program.signal("HUP");
    eventually("the hangup is logged", || {
        program.text("log").contains("reloaded: nothing has changed")
    })
    .await;
    let mut alice = Client::login(addr, "alice").await;
    emit(&mut alice, "bob", "hi").await;
    assert_eq!(bob.poll(0).await.1.len(), 1);
    assert!(
        program.text("log").contains("reloading config"),
        "{}",
        program.text("log")
    );
    assert_eq!(program.stop().await, Some(0));
    assert!(program.text("mailbox.jsonl").contains("bob"));
    let args = ["agent", "embedded", "--url", &format!("ws://{}/agent", free_address())];
    let mut agent = Program::start(&folder, &args, None, to_file(&folder, "agent"));
    eventually("it dials", || agent.text("agent").contains("driver unreachable")).await;
    agent.signal("HUP");
    eventually("the hangup is logged", || agent.text("agent").contains("SIGHUP")).await;
    assert_eq!(agent.stop().await, Some(0));
}
