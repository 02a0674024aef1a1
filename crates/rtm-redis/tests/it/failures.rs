//! Failed nodes, lost batches and a Redis without memory, step by step.

use std::time::Duration;

use rtm::upstream::UpstreamEvent;
use rtm::{ChannelId, ConnectionState, Message, OnlineState, RtmCall, RtmEvent, RtmReply, UserId};
use rtm_embedded::RtmServiceConfig;
use rtm_redis::node::Outputs;
use rtm_redis::records::{Changes, Owner, RecordEvent, Scope};

use crate::cluster::Cluster;
use crate::server::RedisServer;

pub const BEAT: Duration = Duration::from_secs(1);

pub fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user id")
}

pub fn room() -> ChannelId {
    ChannelId::new("room").expect("a channel id")
}

pub fn login(name: &str) -> RtmCall {
    RtmCall::Login {
        uid: user(name),
        token: None,
    }
}

pub fn to(peer: &str, text: &str) -> RtmCall {
    RtmCall::SendMessageToPeer {
        peer_id: user(peer),
        message: Message::Text(text.into()),
    }
}

/// A cluster on a Redis of its own, and the number of calls.
pub struct Fixture {
    pub cluster: Cluster,
    requests: u64,
    _server: RedisServer,
}

impl Fixture {
    /// Starts nodes that keep messages to offline users; returns `None` if Redis is not installed.
    pub fn start(nodes: usize) -> Option<Self> {
        let service = RtmServiceConfig {
            offline_messages: true,
            ..RtmServiceConfig::default()
        };
        let server = RedisServer::start_if_installed()?;
        let connection = server.connect().expect("a connection");
        Some(Self {
            cluster: Cluster::new(connection, "app", nodes, service, BEAT),
            requests: 0,
            _server: server,
        })
    }

    /// Logs users in: the node, the number of the client and the name of each.
    pub fn users(&mut self, users: &[(usize, u64, &str)]) {
        for &(at, client, name) in users {
            self.user(at, client, name);
        }
    }

    /// Lets clients join the room.
    pub fn join(&mut self, places: &[(usize, u64)]) {
        for &(at, client) in places {
            let joined = self.call(at, client, RtmCall::Join { channel_id: room() });
            assert_eq!(reply_of(&joined, client), Some(Ok(RtmReply::Void)), "{joined:?}");
        }
    }

    /// Logs a user in at a node.
    pub fn user(&mut self, at: usize, client: u64, name: &str) {
        self.cluster.open(at, client);
        let seen = self.call(at, client, login(name));
        assert_eq!(
            reply_of(&seen, client),
            Some(Ok(RtmReply::Void)),
            "{name} logs in: {seen:?}"
        );
    }

    /// Logs a user in whose messages remain until they are acknowledged.
    pub fn durable_user(&mut self, at: usize, client: u64, name: &str) -> Outputs {
        self.cluster.open(at, client);
        self.cluster.node(at).require_acknowledgement(client);
        self.call(at, client, login(name))
    }

    /// Executes the batch of a node and passes the answer to it, without reads of its stream.
    fn execute(&mut self, at: usize, out: &mut Outputs) {
        let now = self.cluster.now;
        let answer = self.cluster.execute(at);
        self.cluster.node(at).answered(now, answer, out);
    }

    pub fn call(&mut self, at: usize, client: u64, call: RtmCall) -> Outputs {
        let mut out = Vec::new();
        self.requests += 1;
        self.cluster.call(at, client, self.requests, call, &mut out);
        self.cluster.exchange(&mut out);
        out
    }

    pub fn pass(&mut self, time: Duration) -> Outputs {
        let mut out = Vec::new();
        self.cluster.pass(time, &mut out);
        out
    }
}

pub fn reply_of(seen: &Outputs, of: u64) -> Option<Result<RtmReply, rtm::RtmError>> {
    seen.iter().rev().find_map(|(client, event)| match event {
        UpstreamEvent::Reply { result, .. } if *client == of => Some(result.clone()),
        _ => None,
    })
}

pub fn events_of(seen: &Outputs, of: u64) -> Vec<RtmEvent> {
    let events = seen.iter().filter_map(|(client, event)| match event {
        UpstreamEvent::Event(event) if *client == of => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

pub fn texts(events: &[RtmEvent]) -> Vec<String> {
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
fn users_of_a_failed_node_go_offline_within_ten_seconds_with_one_event() {
    let Some(mut fixture) = Fixture::start(3) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob"), (2, 3, "carol")]);
    fixture.join(&[(0, 1), (1, 2)]);
    for (at, client) in [(0, 1), (2, 3)] {
        let peer_ids = vec![user("bob")];
        fixture.call(at, client, RtmCall::SubscribePeersOnlineStatus { peer_ids });
    }
    fixture.pass(BEAT * 3);
    fixture.cluster.kill(1);
    // The failure is not detected yet: the message waits in the stream of the failed node.
    let sent = fixture.call(0, 1, to("bob", "late"));
    assert_eq!(reply_of(&sent, 1), Some(Ok(RtmReply::HasPeerReceived(true))));
    let seen = fixture.pass(Duration::from_secs(10));
    let offline = RtmEvent::PeersOnlineStatusChanged {
        status: vec![(user("bob"), OnlineState::Offline)],
    };
    let left = RtmEvent::MemberLeft {
        channel_id: room(),
        member_id: user("bob"),
    };
    let (alice, carol) = (events_of(&seen, 1), events_of(&seen, 3));
    assert_eq!(alice.iter().filter(|event| **event == offline).count(), 1, "{alice:?}");
    assert_eq!(carol, [offline]);
    assert_eq!(alice.iter().filter(|event| **event == left).count(), 1, "{alice:?}");
    // A message that the failed node had not read is delivered once.
    let mut out = Vec::new();
    fixture.cluster.open(2, 4);
    fixture.cluster.call(2, 4, 99, login("bob"), &mut out);
    fixture.cluster.exchange(&mut out);
    assert_eq!(texts(&events_of(&out, 4)), ["late"]);
    let keys = fixture.cluster.keys();
    assert!(
        !keys.iter().any(|key| key.contains(":n1")),
        "keys of the failed node are left: {keys:?}"
    );
}

#[test]
fn a_removed_node_that_continues_restores_its_logins() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob")]);
    fixture.join(&[(0, 1), (1, 2)]);
    let attributes = vec![("a".into(), "1".into())];
    fixture.call(1, 2, RtmCall::SetLocalUserAttributes { attributes });
    let peer_ids = vec![user("bob")];
    fixture.call(0, 1, RtmCall::SubscribePeersOnlineStatus { peer_ids });
    let frozen = fixture.cluster.freeze(1);
    let seen = fixture.pass(Duration::from_secs(12));
    assert!(
        events_of(&seen, 1)
            .iter()
            .any(|event| matches!(event, RtmEvent::MemberLeft { .. }))
    );
    fixture.cluster.thaw(1, frozen);
    let seen = fixture.pass(BEAT * 2);
    let alice = events_of(&seen, 1);
    let back = RtmEvent::PeersOnlineStatusChanged {
        status: vec![(user("bob"), OnlineState::Online)],
    };
    assert_eq!(alice.iter().filter(|event| **event == back).count(), 1, "{alice:?}");
    assert!(
        alice.iter().any(|event| matches!(event, RtmEvent::MemberJoined { .. })),
        "{alice:?}"
    );
    let read = fixture.call(0, 1, RtmCall::GetUserAttributes { user_id: user("bob") });
    assert_eq!(
        reply_of(&read, 1),
        Some(Ok(RtmReply::Attributes(vec![("a".into(), "1".into())])))
    );
    let sent = fixture.call(0, 1, to("bob", "hi"));
    assert_eq!(texts(&events_of(&sent, 2)), ["hi"]);
}

#[test]
fn a_redis_without_data_is_filled_again() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob")]);
    fixture.join(&[(0, 1), (1, 2)]);
    fixture.cluster.command(&["FLUSHALL"]);
    let seen = fixture.pass(BEAT * 3);
    assert!(seen.iter().all(|(_, event)| !matches!(event, UpstreamEvent::Up(false))));
    let members = fixture.call(0, 1, RtmCall::GetMembers { channel_id: room() });
    let Some(Ok(RtmReply::UserIds(mut members))) = reply_of(&members, 1) else {
        panic!("{members:?}")
    };
    members.sort();
    assert_eq!(members, [user("alice"), user("bob")]);
    for (text, expected) in [("1", ["1"]), ("2", ["2"])] {
        let sent = fixture.call(0, 1, to("bob", text));
        assert_eq!(texts(&events_of(&sent, 2)), expected, "each once");
    }
}

#[test]
fn a_newer_login_elsewhere_replaces_a_restored_one() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.user(0, 1, "alice");
    let frozen = fixture.cluster.freeze(0);
    fixture.pass(Duration::from_secs(12));
    fixture.user(1, 2, "alice");
    fixture.cluster.thaw(0, frozen);
    let seen = fixture.pass(BEAT * 2);
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
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob")]);
    fixture.cluster.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let sent = fixture.call(0, 1, to("bob", "hi"));
    assert!(matches!(reply_of(&sent, 1), Some(Err(_))), "{sent:?}");
    assert_eq!(events_of(&sent, 2), [], "no operation is half executed");
    fixture.pass(Duration::from_secs(20));
    let left = fixture.call(0, 1, RtmCall::Logout {});
    assert_eq!(reply_of(&left, 1), Some(Ok(RtmReply::Void)));
    fixture.cluster.command(&["CONFIG", "SET", "maxmemory", "0"]);
    let sent = fixture.call(1, 2, to("alice", "still there?"));
    assert_eq!(reply_of(&sent, 2), Some(Ok(RtmReply::HasPeerReceived(false))));
}

#[test]
fn a_repeated_answer_is_processed_once() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.users(&[(0, 1, "alice"), (0, 2, "carol"), (1, 3, "bob")]);
    fixture.join(&[(0, 1), (0, 2), (1, 3)]);
    let message = |text: &str| RtmCall::SendMessage {
        channel_id: room(),
        message: Message::Text(text.into()),
    };
    let (mut out, now) = (Vec::new(), fixture.cluster.now);
    // An entry of the other node is in the stream before Alice's batch, and not read yet.
    fixture.cluster.call(1, 3, 901, message("first"), &mut out);
    fixture.execute(1, &mut out);
    fixture.cluster.call(0, 1, 902, message("second"), &mut out);
    let second = fixture.cluster.execute(0);
    fixture.cluster.node(0).answered(now, second.clone(), &mut out);
    assert!(fixture.cluster.node(0).same_request().is_none(), "it is answered");
    fixture.cluster.exchange(&mut out);
    fixture.cluster.node(0).answered(now, second, &mut out);
    fixture.cluster.exchange(&mut out);
    let messages = events_of(&out, 2).into_iter().filter_map(|event| match event {
        RtmEvent::ChannelMessage {
            message: Message::Text(text),
            ..
        } => Some(text.to_string()),
        _ => None,
    });
    assert_eq!(messages.collect::<Vec<_>>(), ["first", "second"], "in order, once");
}

#[test]
fn a_durable_login_elsewhere_stays_in_its_channels_until_it_joins_again() {
    let Some(mut fixture) = Fixture::start(3) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob")]);
    let attributes = vec![("a".into(), "1".into())];
    fixture.call(0, 1, RtmCall::SetLocalUserAttributes { attributes });
    fixture.join(&[(0, 1), (1, 2)]);
    for (at, client, joins_again) in [(2, 3, true), (1, 4, false)] {
        let mut seen = fixture.durable_user(at, client, "alice");
        if joins_again {
            let joined = fixture.call(at, client, RtmCall::Join { channel_id: room() });
            assert_eq!(reply_of(&joined, client), Some(Ok(RtmReply::Void)));
            seen.extend(joined);
            let read = fixture.call(1, 2, RtmCall::GetUserAttributes { user_id: user("alice") });
            assert_eq!(
                reply_of(&read, 2),
                Some(Ok(RtmReply::Attributes(vec![("a".into(), "1".into())])))
            );
        }
        let changes = |seen: &Outputs| {
            events_of(seen, 2)
                .into_iter()
                .filter(|event| matches!(event, RtmEvent::MemberJoined { .. } | RtmEvent::MemberLeft { .. }))
                .count()
        };
        assert_eq!(changes(&seen), 0, "others see no change");
        let later = fixture.pass(Duration::from_secs(11));
        assert_eq!(changes(&later), usize::from(!joins_again));
    }
}

#[test]
fn a_node_continues_after_a_login_elsewhere_has_taken_an_unread_message() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.durable_user(0, 1, "bob");
    fixture.users(&[(0, 2, "carol"), (1, 3, "alice")]);
    let (mut out, now) = (Vec::new(), fixture.cluster.now);
    fixture.cluster.call(1, 3, 901, to("bob", "moved"), &mut out);
    fixture.execute(1, &mut out);
    // Bob's node has an answer that waits for the message, which Bob's login at the other node takes.
    fixture.cluster.call(0, 2, 902, to("alice", "1"), &mut out);
    let waiting = fixture.cluster.execute(0);
    fixture.cluster.open(1, 4);
    fixture.cluster.node(1).require_acknowledgement(4);
    fixture.cluster.call(1, 4, 903, login("bob"), &mut out);
    fixture.execute(1, &mut out);
    fixture.cluster.node(0).answered(now, waiting, &mut out);
    fixture.cluster.exchange(&mut out);
    assert_eq!(texts(&events_of(&out, 4)), ["moved"]);
    let sent = fixture.call(0, 2, to("alice", "2"));
    assert_eq!(reply_of(&sent, 2), Some(Ok(RtmReply::HasPeerReceived(true))));
}

#[test]
fn a_save_may_have_more_values_than_lua_passes_to_a_function() {
    const MESSAGES: u64 = 9000;
    let Some(mut fixture) = Fixture::start(1) else { return };
    fixture.users(&[(0, 1, "alice"), (0, 2, "carol")]);
    fixture.durable_user(0, 3, "bob");
    let mut out = Vec::new();
    for number in 0..MESSAGES {
        // As fast as the rate permits, in batches.
        fixture.cluster.call(0, 1, 1000 + number, to("bob", "hi"), &mut out);
        if number % 30 == 29 {
            fixture.cluster.exchange(&mut out);
            fixture.pass(Duration::from_millis(500));
        }
    }
    assert_eq!(fixture.cluster.entries(0), MESSAGES, "all wait for Bob's session");
    let now = fixture.cluster.now;
    let owner = Owner {
        account: "bob".into(),
        token: "1".into(),
        ttl: Duration::from_secs(600),
    };
    fixture.cluster.node(0).take_record(now, 9, owner);
    let lines = (0..MESSAGES).map(|number| (number.to_string().into_bytes(), b"line".to_vec()));
    let changes = Changes {
        scope: Scope::All,
        set: lines.collect(),
        ..Changes::default()
    };
    let processed = Some((3, MESSAGES as usize));
    fixture.cluster.node(0).save_record(now, 9, changes, processed);
    fixture.cluster.exchange(&mut out);
    let events = fixture.cluster.node(0).take_record_events();
    assert_eq!(events.last(), Some(&(9, RecordEvent::Saved)), "{events:?}");
    assert_eq!(fixture.cluster.entries(0), 0);
    let key = fixture.cluster.key("z:bob");
    let fields = fixture.cluster.command(&["HLEN", &key]);
    assert_eq!(
        fields,
        redis::Value::Int(MESSAGES as i64 + 1),
        "all lines and the owner"
    );
}

#[test]
fn all_unprocessed_messages_of_a_failed_node_are_stored() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.users(&[(0, 1, "alice"), (1, 2, "bob")]);
    fixture.cluster.kill(1);
    let mut expected: Vec<String> = (0..250).map(|number| number.to_string()).collect();
    for text in &expected {
        let sent = fixture.call(0, 1, to("bob", text));
        assert_eq!(reply_of(&sent, 1), Some(Ok(RtmReply::HasPeerReceived(true))));
        fixture.pass(Duration::from_millis(20));
    }
    fixture.pass(Duration::from_secs(10));
    // Of messages to an offline user the last 200 are kept.
    for number in 250..460 {
        let sent = fixture.call(0, 1, to("bob", &number.to_string()));
        assert_eq!(reply_of(&sent, 1), Some(Ok(RtmReply::HasPeerReceived(false))));
        fixture.pass(Duration::from_millis(20));
    }
    expected.extend((260..460).map(|number| number.to_string()));
    for seen in [expected, Vec::new()] {
        fixture.cluster.open(0, 3);
        let out = fixture.call(0, 3, login("bob"));
        assert_eq!(texts(&events_of(&out, 3)), seen);
        fixture.call(0, 3, RtmCall::Logout {});
    }
}
