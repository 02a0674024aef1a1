//! `sigbridge call`, with a server of this process: what goes in, what is printed, how it ends.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sigbridge::shell::Running;

use crate::support::{config, serve};

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

/// What it says to an input, until it ends: exit code, stdout without uids, stderr.
async fn said(mut child: Child, input: String) -> (i32, String, String) {
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
async fn whoever_logs_out_is_told_so() {
    let running = serve(config()).await;
    for family in ["web", "javasdk", "native"] {
        for input in ["", "logout\n", "logout", "quit\n", "getStatus\nlogout\nquit\n"] {
            for _ in 0..3 {
                let (code, stdout, stderr) = said(start(&running, family, &[]), input.into()).await;
                let told = stdout.lines().last() == Some("onLogout ecode=101");
                assert!(code == 0 && told, "{family} {input:?}: {code} {stdout} {stderr}");
            }
        }
    }
    let (_, stdout, _) = said(start(&running, "web", &["--json"]), "logout\n".into()).await;
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
        while running.server.registry.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let said = tokio::spawn(said(child, "wait 60\n".into()));
        running.server.stop(Duration::from_secs(5)).await;
        let (code, stdout, stderr) = said.await.expect("no panic");
        assert_eq!(stdout.lines().last(), Some(expected), "{family}: {stdout}{stderr}");
        assert_eq!(code, 1, "{family}: {stderr}");
        assert!(
            stderr.contains("error: the server has closed the connection"),
            "{stderr}"
        );
    }
}

/// The rest of a line that is too long would be calls that nobody has made.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_over_the_limit_is_refused_as_a_whole() {
    let running = serve(config()).await;
    let long = format!("messageInstantSend alice 0 {}", "x ".repeat(40_000));
    let input = format!("\u{feff}messageInstantSend alice 0 one\r\n{long}\n\n \r\nmessageInstantSend alice 0 two");
    let (code, stdout, stderr) = said(start(&running, "web", &[]), input).await;
    assert_eq!(
        (code, &*stderr),
        (
            0,
            "error: line 2 of the input is not run: the line is longer than 65536 bytes\n"
        )
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
    // Which of an answer and a message comes first is the engine's business.
    assert_eq!(sorted(&stdout), sorted(expected), "{stdout}");
}
