//! The same calls at the embedded RTM and at nodes on Redis: the same replies and events for every instance.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Text;
use rtm::{ChannelId, InvitationId, Message, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use rtm_embedded::{ClientId, Output, RtmService, RtmServiceConfig};

use crate::cluster::Cluster;
use crate::server::RedisServer;

const NODES: usize = 3;
const CLIENTS: u64 = 6;
const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
const CHANNELS: [&str; 3] = ["red", "green", "blue"];

#[derive(Clone, Debug)]
enum Step {
    Call(u64, RtmCall),
    Close(u64),
    Pass(u64),
}

fn user() -> impl Strategy<Value = UserId> {
    prop::sample::select(&USERS[..]).prop_map(|name| UserId::new(name).expect("a user id"))
}

fn channel() -> impl Strategy<Value = ChannelId> {
    prop::sample::select(&CHANNELS[..]).prop_map(|name| ChannelId::new(name).expect("a channel id"))
}

fn text() -> impl Strategy<Value = Text> {
    prop::sample::select(&["", "hi", "5:hi", "\u{e9}\u{1f600} %=}{"][..]).prop_map(Text::from)
}

fn message() -> impl Strategy<Value = Message> {
    let raw = (text(), prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(description, bytes)| Message::Raw {
        bytes: bytes.into(),
        description,
    });
    let large = Just(Message::Text("x".repeat(32_769).into()));
    prop_oneof![8 => text().prop_map(Message::Text), 2 => raw, 1 => large]
}

fn pairs() -> impl Strategy<Value = Vec<(Text, Text)>> {
    let key = prop::sample::select(&["a", "b", "c", ""][..]).prop_map(Text::from);
    let value = prop_oneof![
        8 => text(),
        1 => Just(Text::from("v".repeat(8192))),
        1 => Just(Text::from("v".repeat(8193))),
    ];
    prop::collection::vec((key, value), 0..4)
}

fn keys() -> impl Strategy<Value = Vec<Text>> {
    prop::collection::vec(prop::sample::select(&["a", "b", "z"][..]).prop_map(Text::from), 0..3)
}

fn number() -> impl Strategy<Value = InvitationId> {
    (1u64..4).prop_map(InvitationId)
}

fn peers() -> impl Strategy<Value = Vec<UserId>> {
    prop::collection::vec(user(), 0..4)
}

fn call() -> impl Strategy<Value = RtmCall> {
    use RtmCall as C;
    let option = || prop::option::of(text());
    let tokens = &[
        None,
        None,
        None,
        Some(""),
        Some("expires:1000040"),
        Some("expires:1"),
        Some("expires:x"),
    ][..];
    let token = prop::sample::select(tokens).prop_map(|token| token.map(Text::from));
    let login = (user(), token).prop_map(|(uid, token)| C::Login { uid, token });
    let renew =
        prop::sample::select(&["", "t", "expires:1000050"][..]).prop_map(|token| C::RenewToken { token: token.into() });
    let session = prop_oneof![6 => login, 2 => Just(C::Logout {}), 1 => renew];
    let peer = (user(), message()).prop_map(|(peer_id, message)| C::SendMessageToPeer { peer_id, message });
    let presence = prop_oneof![
        peers().prop_map(|peer_ids| C::QueryPeersOnlineStatus { peer_ids }),
        peers().prop_map(|peer_ids| C::SubscribePeersOnlineStatus { peer_ids }),
        peers().prop_map(|peer_ids| C::SubscribePeersOnlineStatus { peer_ids }),
        peers().prop_map(|peer_ids| C::UnsubscribePeersOnlineStatus { peer_ids }),
        Just(C::QueryPeersBySubscriptionOption {}),
    ];
    let own = prop_oneof![
        pairs().prop_map(|attributes| C::SetLocalUserAttributes { attributes }),
        pairs().prop_map(|attributes| C::AddOrUpdateLocalUserAttributes { attributes }),
        keys().prop_map(|keys| C::DeleteLocalUserAttributesByKeys { keys }),
        Just(C::ClearLocalUserAttributes {}),
        user().prop_map(|user_id| C::GetUserAttributes { user_id }),
        (user(), keys()).prop_map(|(user_id, keys)| C::GetUserAttributesByKeys { user_id, keys }),
    ];
    let channels = prop_oneof![
        4 => channel().prop_map(|channel_id| C::Join { channel_id }),
        2 => channel().prop_map(|channel_id| C::Leave { channel_id }),
        3 => (channel(), message()).prop_map(|(channel_id, message)| C::SendMessage { channel_id, message }),
        1 => channel().prop_map(|channel_id| C::GetMembers { channel_id }),
        1 => prop::collection::vec(channel(), 0..4).prop_map(|channel_ids| C::GetChannelMemberCount { channel_ids }),
        1 => (user(), channel(), text()).prop_map(|(user_id, channel, payload)| C::RestChannelMessage { user_id, channel, payload }),
    ];
    let written = prop_oneof![
        (channel(), pairs(), any::<bool>()).prop_map(|(channel_id, attributes, enable_notification)| {
            C::SetChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            }
        }),
        (channel(), pairs(), any::<bool>()).prop_map(|(channel_id, attributes, enable_notification)| {
            C::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            }
        }),
        (channel(), keys(), any::<bool>()).prop_map(|(channel_id, keys, enable_notification)| {
            C::DeleteChannelAttributesByKeys {
                channel_id,
                keys,
                enable_notification,
            }
        }),
        (channel(), any::<bool>()).prop_map(|(channel_id, enable_notification)| {
            C::ClearChannelAttributes {
                channel_id,
                enable_notification,
            }
        }),
        channel().prop_map(|channel_id| C::GetChannelAttributes { channel_id }),
        (channel(), keys()).prop_map(|(channel_id, keys)| C::GetChannelAttributesByKeys { channel_id, keys }),
    ];
    let invitations = prop_oneof![
        3 => (number(), user(), option(), text()).prop_map(|(invitation, callee_id, channel_id, content)| {
            C::LocalInvitationSend { invitation, callee_id, channel_id, content }
        }),
        1 => (number(), option()).prop_map(|(invitation, content)| C::LocalInvitationCancel { invitation, content }),
        2 => (number(), option()).prop_map(|(invitation, response)| C::RemoteInvitationAccept { invitation, response }),
        2 => (number(), option()).prop_map(|(invitation, response)| C::RemoteInvitationRefuse { invitation, response }),
    ];
    prop_oneof![3 => session, 3 => peer, 2 => presence, 2 => own, 4 => channels, 2 => written, 4 => invitations]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..CLIENTS, call()).prop_map(|(client, call)| Step::Call(client, call)),
        1 => (0..CLIENTS).prop_map(Step::Close),
        // Below the five minutes in which Redis forgets attributes by its own clock.
        3 => prop::sample::select(&[1, 400, 600, 1000, 5000, 30_000, 31_000][..]).prop_map(Step::Pass),
    ]
}

/// Both services, with the same instances.
struct Pair {
    embedded: RtmService,
    ids: BTreeMap<u64, ClientId>,
    cluster: Cluster,
    requests: u64,
}

/// Replies and events of each instance in a step, in order.
type Observed = BTreeMap<u64, (Vec<(u64, Result<RtmReply, RtmError>)>, Vec<RtmEvent>)>;

impl Pair {
    fn new(cluster: Cluster, service: RtmServiceConfig) -> Self {
        let mut pair = Self {
            embedded: RtmService::new(service),
            ids: BTreeMap::new(),
            cluster,
            requests: 0,
        };
        for client in 0..CLIENTS {
            pair.open(client);
        }
        pair
    }

    fn open(&mut self, client: u64) {
        let id = self.embedded.open();
        self.ids.insert(client, id);
        self.cluster.open(client as usize % NODES, client);
    }

    fn step(&mut self, step: &Step) -> (Observed, Observed) {
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let now = self.cluster.now;
        match step {
            Step::Call(client, call) => {
                let call = &own_token(*client, call);
                self.requests += 1;
                self.embedded
                    .call(now, self.ids[client], self.requests, call.clone(), &mut expected);
                let at = *client as usize % NODES;
                self.cluster.call(at, *client, self.requests, call.clone(), &mut found);
                self.cluster.exchange(&mut found);
            }
            Step::Close(client) => {
                // As the embedded RTM is closed by its upstream.
                let id = self.ids[client];
                let mut quiet = Vec::new();
                self.embedded.call(now, id, 0, RtmCall::Logout {}, &mut quiet);
                self.embedded.close(now, id, &mut quiet);
                let own = |o: &Output| matches!(o, Output::Reply { client, .. } | Output::Event { client, .. } if *client == id);
                expected.extend(quiet.into_iter().filter(|o| !own(o)));
                self.cluster.node(*client as usize % NODES).close(*client);
                self.cluster.exchange(&mut found);
            }
            Step::Pass(ms) => {
                let end = now + Duration::from_millis(*ms);
                loop {
                    let due = self
                        .embedded
                        .deadline()
                        .into_iter()
                        .chain(self.cluster.deadline())
                        .min();
                    let Some(due) = due.filter(|due| *due <= end) else {
                        break;
                    };
                    self.cluster.now = due.max(self.cluster.now);
                    self.embedded.tick(self.cluster.now, &mut expected);
                    self.cluster.tick(&mut found);
                    self.cluster.exchange(&mut found);
                }
                self.cluster.now = end;
            }
        }
        // Each step has a time of its own: timers of two nodes at one time have no order.
        self.cluster.now = self.cluster.now + Duration::from_millis(1);
        self.embedded.tick(self.cluster.now, &mut expected);
        self.cluster.tick(&mut found);
        self.cluster.exchange(&mut found);
        let numbers: BTreeMap<ClientId, u64> = self.ids.iter().map(|(number, id)| (*id, *number)).collect();
        let expected = expected.into_iter().filter_map(|output| {
            let (client, event) = output.into_event();
            Some((*numbers.get(&client)?, event))
        });
        let seen = (seen(expected), seen(found));
        if let Step::Close(client) = step {
            self.open(*client);
        }
        seen
    }
}

fn seen(out: impl IntoIterator<Item = (u64, UpstreamEvent)>) -> Observed {
    let mut seen = Observed::new();
    for (client, event) in out {
        let (replies, events) = seen.entry(client).or_default();
        match event {
            UpstreamEvent::Reply { request, result } => replies.push((request, result.map(sorted))),
            UpstreamEvent::Event(event) => events.push(event),
            UpstreamEvent::Up(_) | UpstreamEvent::Unsupported(_) => {}
        }
    }
    seen
}

/// Tokens of different instances end at different times.
fn own_token(client: u64, call: &RtmCall) -> RtmCall {
    let mut call = call.clone();
    if let RtmCall::Login { token: Some(token), .. } | RtmCall::RenewToken { token } = &mut call
        && let Some(secs) = token.strip_prefix("expires:10000")
    {
        let secs: u64 = secs.parse().expect("seconds");
        *token = format!("expires:10000{}", secs + 7 * client).into();
    }
    call
}

/// Members are listed in no order.
fn sorted(reply: RtmReply) -> RtmReply {
    match reply {
        RtmReply::UserIds(mut ids) => {
            ids.sort();
            RtmReply::UserIds(ids)
        }
        other => other,
    }
}

#[test]
fn nodes_match_the_embedded_service() {
    let Some(server) = RedisServer::start_if_installed() else {
        return;
    };
    let cases = std::env::var("SIGBRIDGE_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(64);
    let config = Config {
        cases,
        max_shrink_iters: 4000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/it/model.regressions.txt",
        ))),
        ..Config::default()
    };
    let apps = RefCell::new(0);
    let result = TestRunner::new(config).run(&prop::collection::vec(step(), 1..120), |steps| {
        let app = format!("model{}", apps.replace_with(|n| *n + 1));
        check(&server, &app, &steps)
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn check(server: &RedisServer, app: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let service = RtmServiceConfig {
        rate_scale: 1,
        offline_messages: true,
        ..RtmServiceConfig::default()
    };
    let connection = server.connect().expect("a connection");
    let never = Duration::from_secs(100_000_000);
    let mut pair = Pair::new(Cluster::new(connection, app, NODES, service, never), service);
    for (at, step) in steps.iter().enumerate() {
        let (expected, found) = pair.step(step);
        prop_assert!(
            expected == found,
            "step {at}: {step:?} at {}\nembedded: {expected:#?}\nredis: {found:#?}",
            pair.cluster.now
        );
    }
    // Logouts remove all keys but those of nodes and of data that outlives a user.
    for client in 0..CLIENTS {
        pair.step(&Step::Call(client, RtmCall::Logout {}));
    }
    pair.step(&Step::Pass(61_000));
    let owned = [":u", ":c:", ":d:", ":f:", ":j:", ":t:", ":i:", ":iu:", ":it"];
    let left: Vec<String> = pair.cluster.keys();
    let left: Vec<&String> = left
        .iter()
        .filter(|key| owned.iter().any(|own| key.contains(own)))
        .collect();
    prop_assert!(left.is_empty(), "keys are left: {left:?}");
    let _: Time = pair.cluster.now;
    Ok(())
}
