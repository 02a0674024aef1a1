//! RTM behind a link: losses when the link, the agent or the bridge fails.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    Client, PATIENCE, Wire, agent, behind_a_link, config, counter, driver, driver_alone, embedded, eventually, linked,
    notified,
};
use crate::support::{emit, serve_with_config, text};
use agent_link::driver::dial_server;
use parking_lot::Mutex;
use rtm::AppId;
use rtm::upstream::{ClientKey, Upstream, UpstreamEvent};
use rtm::{Message, RtmCall, RtmEvent, RtmReply, UserId};
use serde_json::json;
use sigbridge::config::Config;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// Config without rate limits.
fn fast() -> Config {
    let mut config = config();
    config.embedded.rate_scale = 1_000_000;
    config.limits.messages_per_second = 1_000_000;
    config.mailbox.limit = 10_000;
    config
}

#[tokio::test]
async fn a_link_that_is_cut_loses_and_doubles_nothing() {
    const MESSAGES: usize = 400;
    let rtm = embedded(&fast());
    let mut config = behind_a_link(fast());
    config.limits.messages_per_second = 0;
    let running = serve_with_config(config).await;
    let wire = Wire::to(running.agents.expect("an agent upstream")).await;
    agent("flutter", rtm, wire.addr);
    linked(&running).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let cutting = tokio::spawn(async move {
        let mut cuts = 0;
        loop {
            sleep(Duration::from_millis(40)).await;
            wire.cut();
            cuts += 1;
            if cuts == 1000 {
                return;
            }
        }
    });
    for n in 0..MESSAGES {
        emit(&mut bob, "alice", &n.to_string()).await;
        if n % 4 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
    let mut got = Vec::new();
    let mut acknowledged = 0;
    while got.len() < MESSAGES {
        let (version, lines) = timeout(PATIENCE, alice.poll(acknowledged)).await.expect("an answer");
        assert_eq!(version, acknowledged);
        for (version, line) in lines {
            got.push(text(&line).to_owned());
            acknowledged = version;
        }
        sleep(Duration::from_millis(5)).await;
    }
    cutting.abort();
    let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert_eq!(got, expected, "each once, in order");
    assert_eq!(counter(&running, "sigbridge_agent_gaps_total"), 0);
}

#[tokio::test]
async fn sessions_are_restored_after_an_agent_loss() {
    let rtm = embedded(&fast());
    let running = serve_with_config(behind_a_link(fast())).await;
    let to = running.agents.expect("an agent upstream");
    let first = agent("linux-java", rtm, to);
    linked(&running).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    alice.poll(0).await;
    let joined = alice.call("channel_join", json!({"name": "room"})).await;
    assert_eq!(joined.json["result"], "ok");
    bob.call("channel_join", json!({"name": "room"})).await;
    alice.frame("notify").await;
    first.cancel();
    let driver = running.driver.clone().expect("an agent upstream");
    eventually("the agent is missed", || !driver.status().up).await;
    // A call waits for the next agent, whose RTM has no users.
    let sent = bob
        .send_call("channel_sendmsg", json!({"name": "room", "msg": "after"}))
        .await;
    agent("linux-java", embedded(&fast()), to);
    linked(&running).await;
    assert_eq!(bob.reply(sent).await.json["result"], "ok");
    let line = timeout(PATIENCE, alice.frame("notify")).await.expect("the message");
    assert!(line.to_string().contains("after"), "{line}");
    assert_eq!(counter(&running, "sigbridge_agent_gaps_total"), 1);
    assert_eq!(counter(&running, "sigbridge_agent_gap_sessions_total"), 2);
    emit(&mut bob, "alice", "hi").await;
    let emitted = timeout(PATIENCE, alice.frame("notify")).await.expect("the message");
    assert_eq!(text(&notified(&emitted).2), "hi");
}

/// Accepted messages that did not arrive are counted; no message arrives twice.
#[tokio::test]
async fn a_lost_agent_under_load_is_reported() {
    const MESSAGES: usize = 300;
    // RTM itself lives on.
    let rtm = embedded(&fast());
    let running = serve_with_config(behind_a_link(fast())).await;
    let to = running.agents.expect("an agent upstream");
    let mut current = agent("flutter", rtm.clone(), to);
    linked(&running).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let driver = running.driver.clone().expect("an agent upstream");
    for n in 0..MESSAGES {
        emit(&mut bob, "alice", &n.to_string()).await;
        if n % 100 == 50 {
            current.cancel();
            eventually("the agent is missed", || !driver.status().up).await;
            current = agent("flutter", rtm.clone(), to);
        }
    }
    linked(&running).await;
    let mut got = Vec::new();
    let mut acknowledged = 0;
    let last = (MESSAGES - 1).to_string();
    while !got.contains(&last) {
        for (version, line) in timeout(PATIENCE, alice.poll(acknowledged)).await.expect("an answer").1 {
            got.push(text(&line).to_owned());
            acknowledged = version;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let distinct: std::collections::BTreeSet<&String> = got.iter().collect();
    assert_eq!(distinct.len(), got.len(), "nothing twice: {got:?}");
    let counted = |code| {
        let name = format!("sigbridge_limitations_total{{row=\"peer.send\",code=\"{code}\"}}");
        counter(&running, &name)
    };
    let missing = (MESSAGES - got.len()) as u64;
    assert!(
        missing <= counted("SEND-ACK") + counted("PEER-OFFLINE"),
        "{missing} are missing"
    );
    assert_eq!(counter(&running, "sigbridge_agent_gaps_total"), 3);
    assert_eq!(counter(&running, "sigbridge_agent_gap_sessions_total"), 6);
}

/// Events of an instance.
#[derive(Default)]
struct EventQueue(Mutex<Vec<UpstreamEvent>>);

impl EventQueue {
    fn reply(&self, number: u64) -> Option<Result<RtmReply, String>> {
        self.0.lock().iter().find_map(|emitted| match emitted {
            UpstreamEvent::Reply { request, result } if *request == number => {
                Some(result.clone().map_err(|e| e.to_string()))
            }
            _ => None,
        })
    }

    fn texts(&self) -> Vec<String> {
        let events = self.0.lock();
        let texts = events.iter().filter_map(|event| match event {
            UpstreamEvent::Event(RtmEvent::MessageFromPeer {
                message: Message::Text(text),
                ..
            }) => Some(text.to_string()),
            _ => None,
        });
        texts.collect()
    }
}

/// A user of RTM.
struct User {
    rtm: Arc<dyn Upstream>,
    key: ClientKey,
    queue: Arc<EventQueue>,
    calls: u64,
}

impl User {
    async fn login(rtm: Arc<dyn Upstream>, name: &str) -> Self {
        let queue = Arc::new(EventQueue::default());
        let emit = queue.clone();
        let app = AppId::new("app").expect("an app id");
        let key = rtm.open(&app, Arc::new(move |emitted| emit.0.lock().push(emitted)));
        let calls = 0;
        let mut user = Self { rtm, key, queue, calls };
        let uid = UserId::new(name).expect("a user id");
        let login = user.call(RtmCall::Login { uid, token: None }).await;
        assert_eq!(login, Ok(RtmReply::Void), "{name}");
        user
    }

    async fn call(&mut self, call: RtmCall) -> Result<RtmReply, String> {
        self.calls += 1;
        let number = self.calls;
        self.rtm.call(&self.key, number, call);
        eventually("a reply", || self.queue.reply(number).is_some()).await;
        self.queue.reply(number).expect("it was there")
    }

    async fn emit(&mut self, peer: &str, text: &str) {
        let call = RtmCall::SendMessageToPeer {
            peer_id: UserId::new(peer).expect("a user id"),
            message: Message::Text(text.into()),
        };
        assert_eq!(self.call(call).await, Ok(RtmReply::HasPeerReceived(true)), "{text}");
    }
}

/// A driver that agents find at an address, and what ends it as a kill would.
#[tokio::test]
async fn another_bridge_finds_what_came_in_between() {
    let rtm = embedded(&fast());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let (before, killed) = driver(listener).await;
    agent("web", rtm.clone(), addr);
    eventually("agent connected", || before.status().up).await;
    let mut alice = User::login(before.clone(), "alice").await;
    let channel_id = rtm::ChannelId::new("room").expect("a channel id");
    alice
        .call(RtmCall::Join {
            channel_id: channel_id.clone(),
        })
        .await
        .expect("joined");
    let mut bob = User::login(rtm, "bob").await;
    killed.cancel();
    drop(before);
    for n in 0..50 {
        bob.emit("alice", &n.to_string()).await;
    }
    let mut listener = TcpListener::bind(addr).await;
    while listener.is_err() {
        sleep(Duration::from_millis(5)).await;
        listener = TcpListener::bind(addr).await;
    }
    let (after, _killed) = driver(listener.expect("bound")).await;
    eventually("the agent comes back", || after.status().up).await;
    let mut alice = User::login(after, "alice").await;
    bob.emit("alice", "live").await;
    eventually("the last message", || alice.queue.texts().contains(&"live".into())).await;
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).chain(["live".into()]).collect();
    assert_eq!(alice.queue.texts(), expected);
    let uid = UserId::new("alice").expect("a user id");
    let again = alice.call(RtmCall::Login { uid, token: None }).await;
    assert!(
        again.is_err_and(|error| error.contains("ALREADY_LOGGED_IN")),
        "the adoption was once"
    );
    // It is in no channel of the session before.
    let leave = alice.call(RtmCall::Leave { channel_id }).await;
    assert!(leave.is_err_and(|error| error.contains("NOT_IN_CHANNEL")));
}

#[tokio::test]
async fn the_embedded_rtm_is_served_to_others() {
    let mut config = fast();
    config.embedded.listen = Some("127.0.0.1:0".parse().expect("an address"));
    let running = serve_with_config(config).await;
    let mut alice = Client::login(running.http, "alice").await;
    alice.poll(0).await;
    let (users, end) = driver_alone();
    let wire = Wire::to(running.users.expect("an address for users")).await;
    let url = format!("ws://{}/agent", wire.addr);
    let joining = users.clone();
    tokio::spawn(async move { dial_server(joining, &url, None, end, false).await });
    eventually("the link", || users.status().up).await;
    let mut bob = User::login(users.clone(), "bob").await;
    bob.emit("alice", "from the new app").await;
    assert_eq!(text(&notified(&alice.frame("notify").await).2), "from the new app");
    // The link is lost, and neither side misses anything.
    wire.cut();
    emit(&mut alice, "bob", "back").await;
    eventually("the answer", || bob.queue.texts() == ["back"]).await;
    bob.emit("alice", "again").await;
    assert_eq!(text(&notified(&alice.frame("notify").await).2), "again");
}

#[tokio::test]
async fn a_thousand_sessions_share_one_link() {
    const SESSIONS: usize = 1000;
    let mut config = fast();
    config.session.rtm_login_timeout = PATIENCE;
    let running = serve_with_config(behind_a_link(config)).await;
    let to = running.agents.expect("an agent upstream");
    let first = agent("linux-cpp", embedded(&fast()), to);
    linked(&running).await;
    let mut clients = Vec::with_capacity(SESSIONS);
    for n in 0..SESSIONS {
        let mut client = Client::login(running.http, &format!("user{n}")).await;
        client.poll(0).await;
        clients.push(client);
    }
    round(&mut clients, "1").await;
    // The agent ends, and all sessions are restored, fifty a second by default.
    first.cancel();
    let driver = running.driver.clone().expect("an agent upstream");
    eventually("the agent is missed", || !driver.status().up).await;
    agent("linux-cpp", embedded(&fast()), to);
    assert_eq!(counter(&running, "sigbridge_agent_gap_sessions_total"), 0);
    linked(&running).await;
    assert_eq!(counter(&running, "sigbridge_agent_gap_sessions_total"), SESSIONS as u64);
}

/// Each session sends a message to the next one.
async fn round(clients: &mut [Client], text: &str) {
    let next = |n: usize| (n + 1) % clients.len();
    let peers: Vec<String> = (0..clients.len()).map(|n| format!("user{}", next(n))).collect();
    for (client, peer) in clients.iter_mut().zip(&peers) {
        emit(client, peer, text).await;
    }
    for client in clients {
        let (_, _, line) = notified(&client.frame("notify").await);
        assert_eq!(crate::support::text(&line), text);
    }
}

/// Clients may reconnect before the agent does. Calls that its SDK lacks must not be sent then.
#[tokio::test]
async fn a_session_learns_late_what_the_agent_lacks() {
    let running = serve_with_config(behind_a_link(fast())).await;
    let mut alice = Client::connect(running.http).await;
    alice.send_login("alice", "").await;
    eventually("her session has begun", || running.server.registry.len() == 1).await;
    agent(
        "linux-cpp-2019-08",
        embedded(&fast()),
        running.agents.expect("an agent upstream"),
    );
    assert_eq!(alice.login_ret().await.err, "");
    let args = json!({"channel": "room", "name": "topic", "value": "x"});
    let reply = alice.call("channel_set_attr", args).await;
    assert_eq!(reply.err, "not supported", "{reply:?}");
}
