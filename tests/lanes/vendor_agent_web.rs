//! The vendor lane of the Web agent: the vendor's own RTM Web SDK, unmodified, in Chromium, without a network.
//!
//! Needs Chromium, Node 20.11 and npm; without them it is skipped, except on CI.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::lane::{Report, lane, missing, missing_node, npm_installed, skipped};
use crate::support::{Client, Got, behind_a_link, config, serve_with_config};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

/// An installation by npm and the start of a browser, on a busy machine.
const START: Duration = Duration::from_secs(120);
/// RTM's login fails after 12 s.
const LOGIN: Duration = Duration::from_secs(40);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Nothing leaves this machine.
const NOWHERE: &str = "--chromium-arg=--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_runs_in_the_agent() {
    if skipped(missing_tools()) {
        return;
    }
    let lane = lane("agent-web");
    let packages = npm_installed("vendor-agent-web", &lane);
    let report = Report::of(
        Command::new("node")
            .arg(lane.join("run.mjs"))
            .arg("--sdk")
            .arg(packages),
    );
    for needed in [
        "before-login",
        "attributes",
        "login-timeout",
        "login-too-often",
        "invitation-misuse",
        "page-killed",
        "browser-killed",
        "link-cut",
    ] {
        report.assert_passed(needed, &["driver"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigbridge_drives_the_vendors_sdk() {
    if skipped(missing_tools()) {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent-web");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let mut config = behind_a_link(config());
    config.upstream.agent.secret = Some(SECRET.into());
    config.upstream.agent.origins = vec![origin.clone()];
    // The time until the SDK's own timeout.
    config.session.login_timeout = LOGIN;
    config.session.rtm_login_timeout = LOGIN;
    let running = serve_with_config(config).await;
    let listen = running.agents.expect("an agent upstream");
    fs::write(folder.join("agent.secret"), SECRET).expect("the target folder can be written");
    let text = format!("[upstream.agent]\nlisten = '{listen}'\nsecret_file = 'agent.secret'\norigins = ['{origin}']\n");
    fs::write(folder.join("sigbridge.toml"), text).expect("the target folder can be written");
    let _agent = Ended(
        Command::new(env!("CARGO_BIN_EXE_sigbridge"))
            .args([
                "agent",
                "web",
                "--config",
                "sigbridge.toml",
                "--port",
                &port.to_string(),
                "--",
                NOWHERE,
            ])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts"),
    );
    let driver = running.driver.clone().expect("an agent upstream");
    timeout(START, async {
        while !driver.status().up {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the agent comes");
    // The SDK's own answers: RTM is unreachable, and an App ID has 32 characters.
    let begin = Instant::now();
    assert_eq!(login(running.http, &"0".repeat(32)).await, "timeout");
    assert!(begin.elapsed() > Duration::from_secs(11), "it is the SDK's own timeout");
    assert_eq!(login(running.http, "short").await, "login failed");
    assert!(driver.status().up, "the agent is still there");
}

/// Returns the reason of a legacy client's failed login.
async fn login(to: std::net::SocketAddr, app: &str) -> String {
    let mut client = Client::connect(to).await;
    let fields = json!({"vid": app, "account": "alice", "uid": 0, "token": "", "device": "websdk", "ip": ""});
    client.send(json!(["login", fields])).await;
    match client.within(LOGIN).await {
        Some(Got::Frame(frame)) if frame[0] == "login_ret" => frame[1][0].as_str().unwrap_or_default().to_owned(),
        other => panic!("no answer to the login: {other:?}"),
    }
}

fn missing_tools() -> Option<String> {
    missing_node().or_else(|| missing("chromium", [0, 0]))
}

/// A port that was free a moment ago: the page's origin has to be known before the page is.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

/// A process that gets SIGTERM at the end of the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let killed = Command::new("kill").arg(self.0.id().to_string()).status();
        if killed.is_ok_and(|status| status.success()) {
            let _ = self.0.wait();
        }
    }
}
