//! Sidecars that are killed: accepted messages are at the next one, by login and by session line.

mod unsaved;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rtm::upstream::Upstream;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{
    Client, PATIENCE, Program, QUIET, RawNative, agent, config, database, embedded, emit, empty_folder, eventually,
    free_address, is_installed, text, to_file,
};

/// Config of all sidecars of a test, without addresses.
const COMMON: &str = "[limits]\nmessages_per_second = 100000\nchannel_messages_per_second = 100000\n";

/// A sidecar in a process of its own.
pub struct Sidecar {
    program: Option<Program>,
    folder: PathBuf,
    starts: usize,
    pub http: SocketAddr,
    pub tcp: SocketAddr,
}

impl Sidecar {
    /// Starts one with RTM on a Redis.
    pub async fn on_redis(name: &str, url: &str) -> Self {
        let redis = format!("url = \"{url}\"\nrate_scale = 100000\nheartbeat = \"200ms\"\n");
        Self::start(name, &format!("[upstream]\nkind = \"redis\"\n[redis]\n{redis}")).await
    }

    pub async fn start(name: &str, config: &str) -> Self {
        let folder = empty_folder(name);
        let (http, tcp) = (free_address(), free_address());
        let listen = format!("[listen]\nhttp = \"{http}\"\ntcp = \"{tcp}\"\nudp = []\n");
        std::fs::write(folder.join("sigbridge.toml"), format!("{listen}{COMMON}{config}")).expect("a config");
        let mut sidecar = Self {
            program: None,
            folder,
            starts: 0,
            http,
            tcp,
        };
        sidecar.restart().await;
        sidecar
    }

    /// Starts it again at its addresses, every second time with the other build if there is one.
    pub async fn restart(&mut self) {
        self.starts += 1;
        let stderr = to_file(&self.folder, &format!("stderr-{}", self.starts));
        let other = std::env::var_os("SIGBRIDGE_TEST_OTHER_PROGRAM").filter(|_| self.starts.is_multiple_of(2));
        let mut command = Command::new(other.unwrap_or_else(Program::path));
        command.args(["serve", "--config", "sigbridge.toml"]);
        self.program = Some(Program::spawn(&self.folder, command, None, stderr));
        let http = self.http;
        eventually("it serves", || std::net::TcpStream::connect(http).is_ok()).await;
    }

    /// Ends it at once, as a power failure would.
    pub fn kill(&mut self) {
        self.program = None;
    }
}

/// The texts of mailbox lines.
fn texts(lines: &[(u64, String)]) -> Vec<&str> {
    lines.iter().map(|(_, line)| text(line)).collect()
}

#[tokio::test]
async fn lines_that_were_not_fetched_survive_their_sidecar() {
    if !is_installed() {
        return;
    }
    let url = database();
    let mut first = Sidecar::on_redis("durable-lines-1", &url).await;
    let second = Sidecar::on_redis("durable-lines-2", &url).await;
    let mut bob = Client::login(first.http, "bob").await;
    let mut alice = Client::login(second.http, "alice").await;
    assert_eq!(bob.poll(0).await, (0, vec![]));
    for n in 1..=3 {
        emit(&mut alice, "bob", &n.to_string()).await;
    }
    for _ in 1..=3 {
        bob.frame("notify").await;
    }
    let (version, lines) = bob.poll(1).await;
    assert_eq!((version, texts(&lines)), (1, vec!["2", "3"]));
    // The acknowledgement of the first line is saved.
    sleep(QUIET).await;
    first.kill();
    emit(&mut alice, "bob", "4").await;
    let mut bob = Client::login(second.http, "bob").await;
    emit(&mut alice, "bob", "5").await;
    // The last message may still be on its way through Redis.
    let all = async {
        loop {
            let (version, lines) = bob.poll(0).await;
            if lines.iter().any(|(_, line)| text(line) == "5") {
                return (version, lines);
            }
        }
    };
    let (version, lines) = timeout(PATIENCE, all).await.expect("the last message arrives");
    assert_eq!(texts(&lines), ["2", "3", "4", "5"], "in order, once, above {version}");
    assert!(version > 3, "above the versions of the first login");
    assert_eq!(bob.poll(version + 4).await, (version + 4, vec![]));
    // Acknowledged lines are not delivered again.
    sleep(QUIET).await;
    first.restart().await;
    let mut bob = Client::login(first.http, "bob").await;
    let (_, lines) = bob.poll(0).await;
    assert_eq!(lines, []);
}

#[tokio::test]
async fn a_line_is_resumed_at_another_sidecar() {
    if !is_installed() {
        return;
    }
    let url = database();
    let mut first = Sidecar::on_redis("durable-resume-1", &url).await;
    let mut second = Sidecar::on_redis("durable-resume-2", &url).await;
    let mut bob = RawNative::login(first.tcp, "bob").await;
    let mut alice = RawNative::login(second.tcp, "alice").await;
    let joined = bob.call("channel_join", json!({"name": "room"})).await;
    alice.call("channel_join", json!({"name": "room"})).await;
    bob.matching("notify channel2 1 ").await;
    for n in 1..=2 {
        alice.call("user_sendmsg", json!({"peer": "bob", "content": n})).await;
        bob.matching("notify recvmsg ").await;
    }
    sleep(QUIET).await;
    first.kill();
    alice.call("user_sendmsg", json!({"peer": "bob", "content": 3})).await;
    let mut back = RawNative::connect(second.tcp).await;
    back.line = bob.line.clone();
    back.send_line(&format!("line_login2 {} 2 0", bob.line)).await;
    let sub = json!({"cid": joined["cid"].to_string(), "cname": "room", "msgid": 7, "vid": "app"});
    back.send_line(&format!("channel_sub {sub}")).await;
    assert_eq!(back.next().await.as_deref(), Some("line_login_res ok"));
    assert_eq!(back.matching("notify msg ").await, "notify msg 2");
    back.matching("notify recvmsg [3,").await;
    // The client has the first two: it acknowledges by its own version.
    let reply = back.call("user_getmsg", json!({"ver_clear": 2, "max": 30})).await;
    assert_eq!(
        (&reply["ver_clear"], reply["msgs"].as_array().map(Vec::len)),
        (&json!(2), Some(1))
    );
    alice
        .call("channel_sendmsg", json!({"name": "room", "msg": "still there?"}))
        .await;
    let notification = back.matching("notify channel2 8 ").await;
    assert!(notification.contains("still there?"), "{notification}");
    // And back, with the same line: it was not replaced.
    first.restart().await;
    second.kill();
    let mut again = RawNative::connect(first.tcp).await;
    again.send_line(&format!("line_login2 {} 2 0", bob.line)).await;
    assert_eq!(again.next().await.as_deref(), Some("line_login_res ok"));
    // A newer login makes it invalid everywhere.
    let mut other = RawNative::login(first.tcp, "bob").await;
    assert_eq!(other.call("user_setfg", json!({})).await, json!({"result": "ok"}));
    second.restart().await;
    let mut late = RawNative::connect(second.tcp).await;
    late.send_line(&format!("line_login2 {} 2 0", bob.line)).await;
    assert_eq!(late.next().await.as_deref(), Some("line_login_res kick"));
}

#[tokio::test]
async fn a_session_moves_while_its_sidecar_lives() {
    if !is_installed() {
        return;
    }
    let url = database();
    let first = Sidecar::on_redis("durable-move-1", &url).await;
    let second = Sidecar::on_redis("durable-move-2", &url).await;
    let mut alice = Client::login(second.http, "alice").await;
    let mut bob = Client::login(first.http, "bob").await;
    bob.poll(0).await;
    for n in 0..20 {
        emit(&mut alice, "bob", &n.to_string()).await;
    }
    let mut moved = Client::login(second.http, "bob").await;
    for n in 20..30 {
        emit(&mut alice, "bob", &n.to_string()).await;
    }
    let (mut version, mut got) = (0, Vec::new());
    while got.len() < 30 {
        let (_, lines) = moved.poll(version).await;
        version = lines.last().map_or(version, |(version, _)| *version);
        got.extend(texts(&lines).into_iter().map(str::to_owned));
    }
    let expected: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(got, expected);
    bob.frame("kick").await;
}

/// Waits until a sidecar's agent has logged the user in.
async fn linked_login(http: SocketAddr, account: &str) -> Client {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect(http).await;
        if client.log_in(account).await.err.is_empty() {
            return client;
        }
        assert!(tokio::time::Instant::now() < until, "{account} cannot log in");
        sleep(QUIET).await;
    }
}

#[tokio::test]
async fn behind_agents_mailboxes_and_messages_to_offline_peers_survive() {
    if !is_installed() {
        return;
    }
    let url = database();
    let rtm = embedded(&config());
    let mut sidecars = Vec::new();
    let mut agents = Vec::new();
    for n in 1..=2 {
        let link = free_address();
        let upstream = format!(
            "[upstream]\nkind = \"agent\"\nrtm_token = \"none\"\n[upstream.agent]\nlisten = \"{link}\"\n[redis]\nurl = \"{url}\"\n"
        );
        sidecars.push(Sidecar::start(&format!("durable-agent-{n}"), &upstream).await);
        agents.push(agent("web", rtm.clone() as std::sync::Arc<dyn Upstream>, link));
    }
    let mut alice = linked_login(sidecars[1].http, "alice").await;
    let mut bob = linked_login(sidecars[0].http, "bob").await;
    bob.poll(0).await;
    for n in 1..=3 {
        emit(&mut alice, "bob", &n.to_string()).await;
        bob.frame("notify").await;
    }
    // Carol is offline: the message waits with Bob.
    emit(&mut bob, "carol", "later").await;
    agents[0].cancel();
    sidecars[0].kill();
    let mut bob = linked_login(sidecars[1].http, "bob").await;
    let (version, lines) = bob.poll(0).await;
    assert_eq!(texts(&lines), ["1", "2", "3"]);
    assert_eq!(bob.poll(version + 3).await.1, []);
    let mut carol = linked_login(sidecars[1].http, "carol").await;
    // The message is sent when she is online.
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (_, lines) = carol.poll(0).await;
        if !lines.is_empty() {
            break assert_eq!(texts(&lines), ["later"]);
        }
        assert!(tokio::time::Instant::now() < until, "the message is lost");
        sleep(QUIET).await;
    }
}
