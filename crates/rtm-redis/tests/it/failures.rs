//! Failed nodes, lost batches and a Redis without memory, step by step.

use std::time::Duration;

use rtm::upstream::UpstreamEvent;
use rtm::{ChannelId, ConnectionState, Message, OnlineState, RtmCall, RtmEvent, RtmReply, UserId};
use rtm_embedded::RtmServiceConfig;
use rtm_redis::node::Out;

use crate::cluster::Cluster;
use crate::server::{RedisServer, is_installed};

const BEAT: Duration = Duration::from_secs(1);

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user id")
}

fn room() -> ChannelId {
    ChannelId::new("room").expect("a channel id")
}

fn login(name: &str) -> RtmCall {
    RtmCall::Login {
        uid: user(name),
        token: None,
    }
}

fn to(peer: &str, text: &str) -> RtmCall {
    RtmCall::SendMessageToPeer {
        peer_id: user(peer),
        message: Message::Text(text.into()),
    }
}

/// A cluster, and what everybody has seen.
struct Stage {
    cluster: Cluster,
    requests: u64,
}

impl Stage {
    fn new(server: &RedisServer, nodes: usize) -> Self {
        let service = RtmServiceConfig {
            offline_messages: true,
            ..RtmServiceConfig::default()
        };
        let connection = server.connect().expect("a connection");
        Self {
            cluster: Cluster::new(connection, "app", nodes, service, BEAT),
            requests: 0,
        }
    }

    /// A user at a node.
    fn user(&mut self, at: usize, client: u64, name: &str) {
        self.cluster.open(at, client);
        let seen = self.call(at, client, login(name));
        assert_eq!(
            reply_of(&seen, client),
            Some(Ok(RtmReply::Void)),
            "{name} logs in: {seen:?}"
        );
    }

    fn call(&mut self, at: usize, client: u64, call: RtmCall) -> Out {
        let mut out = Vec::new();
        self.requests += 1;
        self.cluster.call(at, client, self.requests, call, &mut out);
        self.cluster.pump(&mut out);
        out
    }

    fn pass(&mut self, time: Duration) -> Out {
        let mut out = Vec::new();
        self.cluster.pass(time, &mut out);
        out
    }
}

fn reply_of(seen: &Out, of: u64) -> Option<Result<RtmReply, rtm::RtmError>> {
    seen.iter().rev().find_map(|(client, event)| match event {
        UpstreamEvent::Reply { result, .. } if *client == of => Some(result.clone()),
        _ => None,
    })
}

fn events_of(seen: &Out, of: u64) -> Vec<RtmEvent> {
    let events = seen.iter().filter_map(|(client, event)| match event {
        UpstreamEvent::Event(event) if *client == of => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

fn texts(events: &[RtmEvent]) -> Vec<String> {
    let text = |event: &RtmEvent| match event {
        RtmEvent::MessageFromPeer {
            message: Message::Text(text),
            ..
        } => Some(text.to_string()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn users_of_a_dead_node_go_offline_within_ten_seconds_and_followers_are_told_once() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let mut stage = Stage::new(&server, 3);
    stage.user(0, 1, "alice");
    stage.user(1, 2, "bob");
    stage.user(2, 3, "carol");
    for (at, client) in [(0, 1), (1, 2)] {
        stage.call(at, client, RtmCall::Join { channel_id: room() });
    }
    for (at, client) in [(0, 1), (2, 3)] {
        let peer_ids = vec![user("bob")];
        stage.call(at, client, RtmCall::SubscribePeersOnlineStatus { peer_ids });
    }
    stage.pass(BEAT * 3);
    stage.cluster.kill(1);
    // Nobody knows yet: the message waits in the stream of the dead node.
    let sent = stage.call(0, 1, to("bob", "late"));
    assert_eq!(reply_of(&sent, 1), Some(Ok(RtmReply::HasPeerReceived(true))));
    let seen = stage.pass(Duration::from_secs(10));
    let gone = RtmEvent::PeersOnlineStatusChanged {
        status: vec![(user("bob"), OnlineState::Offline)],
    };
    let left = RtmEvent::MemberLeft {
        channel_id: room(),
        member_id: user("bob"),
    };
    let (alice, carol) = (events_of(&seen, 1), events_of(&seen, 3));
    assert_eq!(alice.iter().filter(|event| **event == gone).count(), 1, "{alice:?}");
    assert_eq!(carol, [gone]);
    assert_eq!(alice.iter().filter(|event| **event == left).count(), 1, "{alice:?}");
    // What the dead node had not read is kept, and given once.
    let mut out = Vec::new();
    stage.cluster.open(2, 4);
    stage.cluster.call(2, 4, 99, login("bob"), &mut out);
    stage.cluster.pump(&mut out);
    assert_eq!(texts(&events_of(&out, 4)), ["late"]);
    let keys = stage.cluster.keys();
    assert!(
        !keys.iter().any(|key| key.contains(":n1")),
        "nothing of the dead node is left: {keys:?}"
    );
}

#[test]
fn a_node_that_was_taken_for_dead_puts_its_logins_back() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let mut stage = Stage::new(&server, 2);
    stage.user(0, 1, "alice");
    stage.user(1, 2, "bob");
    for (at, client) in [(0, 1), (1, 2)] {
        stage.call(at, client, RtmCall::Join { channel_id: room() });
    }
    let attributes = vec![("a".into(), "1".into())];
    stage.call(1, 2, RtmCall::SetLocalUserAttributes { attributes });
    let peer_ids = vec![user("bob")];
    stage.call(0, 1, RtmCall::SubscribePeersOnlineStatus { peer_ids });
    let frozen = stage.cluster.freeze(1);
    let seen = stage.pass(Duration::from_secs(12));
    assert!(
        events_of(&seen, 1)
            .iter()
            .any(|event| matches!(event, RtmEvent::MemberLeft { .. }))
    );
    stage.cluster.thaw(1, frozen);
    let seen = stage.pass(BEAT * 2);
    let alice = events_of(&seen, 1);
    let back = RtmEvent::PeersOnlineStatusChanged {
        status: vec![(user("bob"), OnlineState::Online)],
    };
    assert_eq!(alice.iter().filter(|event| **event == back).count(), 1, "{alice:?}");
    assert!(
        alice.iter().any(|event| matches!(event, RtmEvent::MemberJoined { .. })),
        "{alice:?}"
    );
    let read = stage.call(0, 1, RtmCall::GetUserAttributes { user_id: user("bob") });
    assert_eq!(
        reply_of(&read, 1),
        Some(Ok(RtmReply::Attributes(vec![("a".into(), "1".into())])))
    );
    let sent = stage.call(0, 1, to("bob", "hi"));
    assert_eq!(texts(&events_of(&sent, 2)), ["hi"]);
}

#[test]
fn a_redis_that_lost_everything_is_filled_again() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let mut stage = Stage::new(&server, 2);
    stage.user(0, 1, "alice");
    stage.user(1, 2, "bob");
    for (at, client) in [(0, 1), (1, 2)] {
        stage.call(at, client, RtmCall::Join { channel_id: room() });
    }
    stage.cluster.command(&["FLUSHALL"]);
    let seen = stage.pass(BEAT * 3);
    assert!(seen.iter().all(|(_, event)| !matches!(event, UpstreamEvent::Up(false))));
    let members = stage.call(0, 1, RtmCall::GetMembers { channel_id: room() });
    let Some(Ok(RtmReply::UserIds(mut members))) = reply_of(&members, 1) else {
        panic!("{members:?}")
    };
    members.sort();
    assert_eq!(members, [user("alice"), user("bob")]);
    for (text, expected) in [("1", ["1"]), ("2", ["2"])] {
        let sent = stage.call(0, 1, to("bob", text));
        assert_eq!(texts(&events_of(&sent, 2)), expected, "each once");
    }
}

#[test]
fn a_newer_login_elsewhere_wins_over_one_that_is_put_back() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let mut stage = Stage::new(&server, 2);
    stage.user(0, 1, "alice");
    let frozen = stage.cluster.freeze(0);
    stage.pass(Duration::from_secs(12));
    stage.user(1, 2, "alice");
    stage.cluster.thaw(0, frozen);
    let seen = stage.pass(BEAT * 2);
    let aborted = |event: &RtmEvent| {
        matches!(
            event,
            RtmEvent::ConnectionStateChanged {
                state: ConnectionState::Aborted,
                ..
            }
        )
    };
    assert!(events_of(&seen, 1).iter().any(aborted), "{seen:?}");
    assert!(!events_of(&seen, 2).iter().any(aborted), "{seen:?}");
}

#[test]
fn without_memory_calls_fail_and_logouts_work() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let mut stage = Stage::new(&server, 2);
    stage.user(0, 1, "alice");
    stage.user(1, 2, "bob");
    stage.cluster.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let sent = stage.call(0, 1, to("bob", "hi"));
    assert!(matches!(reply_of(&sent, 1), Some(Err(_))), "{sent:?}");
    assert_eq!(events_of(&sent, 2), [], "nothing is half done");
    stage.pass(Duration::from_secs(20));
    let left = stage.call(0, 1, RtmCall::Logout {});
    assert_eq!(reply_of(&left, 1), Some(Ok(RtmReply::Void)));
    stage.cluster.command(&["CONFIG", "SET", "maxmemory", "0"]);
    let sent = stage.call(1, 2, to("alice", "gone?"));
    assert_eq!(reply_of(&sent, 2), Some(Ok(RtmReply::HasPeerReceived(false))));
}
