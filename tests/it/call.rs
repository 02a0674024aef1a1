//! `sigbridge call`, with a server of this process: what goes in, what is printed, how it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sigbridge::startup::Running;

use crate::support::{behind_a_link, config, counter, eventually, serve, serve_with_config};
use rtm::AppId;

/// The program, as a family's client that is about to log in.
fn start(running: &Running, family: &str, more: &[&str]) -> Child {
    let url = match family {
        "native" => format!("tcp://{}", running.tcp.expect("an address for native clients")),
        _ => format!("ws://{}/", running.http),
    };
    Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(["call", "--account", "alice", "--family", family, "--url", &url])
        .args(more)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// The output for an input: exit code, stdout without uids, stderr.
async fn output_of(mut child: Child, input: String) -> (i32, String, String) {
    let ended = tokio::task::spawn_blocking(move || {
        let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    });
    let output = ended.await.expect("no panic");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let stdout = text(output.stdout).replace("1085660747", "UID");
    (
        output.status.code().expect("it ends by itself"),
        stdout,
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_confirmed() {
    let running = serve(config()).await;
    for family in ["web", "javasdk", "native"] {
        for input in ["", "logout\n", "logout", "quit\n", "getStatus\nlogout\nquit\n"] {
            for _ in 0..3 {
                let (code, stdout, stderr) = output_of(start(&running, family, &[]), input.into()).await;
                let is_logged_out = stdout.lines().last() == Some("onLogout ecode=101");
                assert!(
                    code == 0 && is_logged_out,
                    "{family} {input:?}: {code} {stdout} {stderr}"
                );
            }
        }
    }
    let (_, stdout, _) = output_of(start(&running, "web", &["--json"]), "logout\n".into()).await;
    let last = r#"{"args":{"ecode":101},"event":"onLogout"}"#;
    assert_eq!(stdout.lines().last(), Some(last), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_close_has_a_code() {
    for (family, more, expected) in [
        ("web", &[][..], "onLogout ecode=102"),
        ("javasdk", &[], "onLogout ecode=102"),
        ("native", &[], "onLogout ecode=102"),
        ("web", &["--json"], r#"{"args":{"ecode":102},"event":"onLogout"}"#),
    ] {
        let running = serve(config()).await;
        let child = start(&running, family, more);
        // A session that has begun may not have answered the login yet.
        let answered = || counter(&running, "sigbridge_logins_total{result=\"new\",reason=\"\"}") == 1;
        eventually("it has logged in", answered).await;
        let exited = tokio::spawn(output_of(child, "wait 60\n".into()));
        running.server.stop(Duration::from_secs(5)).await;
        let (code, stdout, stderr) = exited.await.expect("no panic");
        assert_eq!(stdout.lines().last(), Some(expected), "{family}: {stdout}{stderr}");
        assert_eq!(code, 1, "{family}: {stderr}");
        assert!(stderr.contains("error: the server closed the connection"), "{stderr}");
    }
}

/// The rest of a line that is too long is not read as calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_over_the_limit_is_refused_as_a_whole() {
    let running = serve(config()).await;
    let long = format!("messageInstantSend alice 0 {}", "x ".repeat(40_000));
    let input = format!("\u{feff}messageInstantSend alice 0 one\r\n{long}\n\n \r\nmessageInstantSend alice 0 two");
    let (code, stdout, stderr) = output_of(start(&running, "web", &[]), input).await;
    assert_eq!(
        (code, &*stderr),
        (0, "error: input line 2 skipped: the line is longer than 65536 bytes\n")
    );
    let expected = "onLoginSuccess uid=UID fd=0
ok {\"result\":\"ok\"}
onMessageSendSuccess messageID=\"\"
onMessageInstantReceive account=\"alice\" uid=0 msg=\"one\"
ok {\"result\":\"ok\"}
onMessageSendSuccess messageID=\"\"
onMessageInstantReceive account=\"alice\" uid=0 msg=\"two\"
onLogout ecode=101
";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        lines.sort();
        lines
    };
    // The engine decides the order of an answer and a message.
    assert_eq!(sorted(&stdout), sorted(expected), "{stdout}");
}

/// The report of a failed login: cause and remedy.
async fn refused(running: &Running, more: &[&str], reason: &str, hint: &str) {
    let (code, _, stderr) = output_of(start(running, "web", more), String::new()).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(&format!("login refused: {reason}\n")), "{stderr}");
    assert!(stderr.contains(hint), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_has_a_hint() {
    let mut config = config();
    config.auth.app_id = AppId::new("app").ok();
    config.auth.certificate = Some("5CFd2fd1755d40ecb72977518be15d3b".into());
    let running = serve_with_config(config).await;
    let of_app = "set --vid to the server";
    refused(&running, &[], "TokenErrorVendor", of_app).await;
    refused(&running, &["--vid", "other"], "TokenErrorVendor", of_app).await;
    refused(&running, &["--vid", "app"], "TokenErrorNotAllowed", "with --token-file").await;
    let expired = "1:app:1:00000000000000000000000000000000";
    refused(
        &running,
        &["--vid", "app", "--token", expired],
        "TokenErrorDigest",
        "with --token-file",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_an_agent_is_reported() {
    let mut config = behind_a_link(config());
    config.session.rtm_login_timeout = Duration::from_millis(100);
    let running = serve_with_config(config).await;
    refused(&running, &[], "timeout", "is an agent connected?").await;
}

/// The server logs it as well, once, and not for each login.
#[tokio::test(flavor = "multi_thread")]
async fn logins_that_wait_for_an_agent_are_logged() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("call-no-agent");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let config = "[listen]\nhttp = '127.0.0.1:0'\ntcp = 'off'\nudp = []\n[session]\nrtm_login_timeout = '100ms'\n\
                  [upstream]\nkind = 'agent'\n[upstream.agent]\nlisten = '127.0.0.1:0'\n";
    std::fs::write(folder.join("sigbridge.toml"), config).expect("a file");
    let mut server = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(["serve", "--config", "sigbridge.toml", "--log-json"])
        .current_dir(&folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = BufReader::new(server.stderr.take().expect("it is piped"));
    let mut log = log.lines().map_while(Result::ok);
    let addr = log.find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        line["fields"]["addr"].as_str().map(ToOwned::to_owned)
    });
    let url = format!("ws://{}/", addr.expect("the log has its address"));
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
            .args(["call", "--account", "alice", "--url", &url])
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    server.kill().expect("it runs");
    let _ = server.wait();
    let lines = log.filter(|line| line.contains("no agent connected; logins wait and time out"));
    assert_eq!(lines.count(), 1);
}
