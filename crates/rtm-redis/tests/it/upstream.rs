//! The service as an upstream, with its tasks and connections.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rtm::upstream::{ClientKey, Upstream, UpstreamEvent};
use rtm::{AppId, ChannelId, Message, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use rtm_embedded::RtmServiceConfig;
use rtm_redis::{Address, Health, RedisConfig, RedisUpstream};
use runtime::clock::Clock;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// The service at one sidecar.
pub struct Sidecar {
    pub upstream: Arc<RedisUpstream>,
    pub tasks: TaskTracker,
    pub shutdown: CancellationToken,
}

impl Sidecar {
    pub async fn start(url: &str) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let config = RedisConfig {
            address: Address {
                url: url.into(),
                cluster: false,
                user: None,
                password: None,
                ca: None,
                answer: Duration::from_secs(1),
            },
            service: RtmServiceConfig {
                rate_scale: 0,
                offline_messages: true,
                ..RtmServiceConfig::default()
            },
            call_wait: Duration::from_secs(4),
            heartbeat: Duration::from_millis(200),
            stream: 100_000,
        };
        let upstream = RedisUpstream::new(config, Arc::new(Health::default()), Clock::start(), &tasks, &shutdown);
        let upstream = upstream.expect("randomness");
        tasks.spawn(upstream.clone().run());
        Self {
            upstream,
            tasks,
            shutdown,
        }
    }

    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await.expect("it ends");
    }
}

/// An instance, and its events.
pub struct Instance {
    upstream: Arc<RedisUpstream>,
    pub key: ClientKey,
    received: Arc<(Mutex<Vec<UpstreamEvent>>, Notify)>,
    /// The time of each event.
    times: Arc<Mutex<Vec<Instant>>>,
    calls: u64,
}

impl Instance {
    pub fn open(sidecar: &Sidecar) -> Self {
        let received = Arc::new((Mutex::new(Vec::new()), Notify::new()));
        let sink = received.clone();
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = times.clone();
        let app = AppId::new("app").expect("an app id");
        let upstream = sidecar.upstream.clone();
        let key = upstream.open(
            &app,
            Arc::new(move |event| {
                noted.lock().push(Instant::now());
                sink.0.lock().push(event);
                sink.1.notify_one();
            }),
        );
        let calls = 0;
        Self {
            upstream,
            key,
            received,
            times,
            calls,
        }
    }

    pub async fn login(sidecar: &Sidecar, name: &str) -> Self {
        let mut instance = Self::open(sidecar);
        let uid = user(name);
        let reply = instance.call(RtmCall::Login { uid, token: None }).await;
        assert_eq!(reply, Ok(RtmReply::Void), "{name} logs in");
        instance
    }

    pub fn begin(&mut self, call: RtmCall) -> u64 {
        self.calls += 1;
        self.upstream.call(&self.key, self.calls, call);
        self.calls
    }

    pub async fn call(&mut self, call: RtmCall) -> Result<RtmReply, RtmError> {
        let number = self.begin(call);
        self.find(|event| match event {
            UpstreamEvent::Reply { request, result } if *request == number => Some(result.clone()),
            _ => None,
        })
        .await
    }

    pub async fn event(&self, wanted: impl Fn(&RtmEvent) -> bool) -> RtmEvent {
        self.find(|event| match event {
            UpstreamEvent::Event(event) if wanted(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub async fn find<T>(&self, found: impl Fn(&UpstreamEvent) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = self.received.0.lock().iter().find_map(&found) {
                    return found;
                }
                self.received.1.notified().await;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("no such event, but {:?}", self.received.0.lock()),
        }
    }

    /// Returns the texts of peer and channel messages, in order.
    pub fn texts(&self) -> Vec<String> {
        let received = self.received.0.lock();
        let text = |event: &UpstreamEvent| match event {
            UpstreamEvent::Event(
                RtmEvent::MessageFromPeer {
                    message: Message::Text(text),
                    ..
                }
                | RtmEvent::ChannelMessage {
                    message: Message::Text(text),
                    ..
                },
            ) => Some(text.to_string()),
            _ => None,
        };
        received.iter().filter_map(text).collect()
    }

    /// Returns the calls whose message was received, or stored for an offline user.
    pub fn stored(&self) -> Vec<u64> {
        let received = self.received.0.lock();
        let number = |event: &UpstreamEvent| match event {
            UpstreamEvent::Reply {
                request,
                result: Ok(RtmReply::HasPeerReceived(_)),
            } => Some(*request),
            _ => None,
        };
        received.iter().filter_map(number).collect()
    }

    /// Returns the times of messages.
    pub fn arrivals(&self) -> Vec<Instant> {
        let (received, times) = (self.received.0.lock(), self.times.lock());
        let is_message =
            |event: &UpstreamEvent| matches!(event, UpstreamEvent::Event(RtmEvent::MessageFromPeer { .. }));
        let both = received.iter().zip(times.iter());
        both.filter(|(event, _)| is_message(event)).map(|(_, at)| *at).collect()
    }

    pub fn count(&self, wanted: impl Fn(&UpstreamEvent) -> bool) -> usize {
        self.received.0.lock().iter().filter(|event| wanted(event)).count()
    }

    /// Returns the number of calls.
    pub const fn begun(&self) -> usize {
        self.calls as usize
    }

    pub fn answered(&self) -> usize {
        let received = self.received.0.lock();
        received
            .iter()
            .filter(|event| matches!(event, UpstreamEvent::Reply { .. }))
            .count()
    }
}

pub fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user id")
}

pub fn to(peer: &str, text: impl Into<String>) -> RtmCall {
    RtmCall::SendMessageToPeer {
        peer_id: user(peer),
        message: Message::Text(text.into().into()),
    }
}

#[tokio::test]
async fn users_of_two_sidecars_exchange_messages() {
    let Some(server) = RedisServer::start_if_installed() else {
        return;
    };
    let (one, two) = (Sidecar::start(&server.url()).await, Sidecar::start(&server.url()).await);
    let mut alice = Instance::login(&one, "alice").await;
    let mut bob = Instance::login(&two, "bob").await;
    assert_eq!(alice.call(to("bob", "hi")).await, Ok(RtmReply::HasPeerReceived(true)));
    bob.event(|event| matches!(event, RtmEvent::MessageFromPeer { .. }))
        .await;
    let room = || ChannelId::new("room").expect("a channel id");
    for member in [&mut alice, &mut bob] {
        assert_eq!(
            member.call(RtmCall::Join { channel_id: room() }).await,
            Ok(RtmReply::Void)
        );
    }
    alice
        .event(|event| matches!(event, RtmEvent::MemberJoined { .. }))
        .await;
    // The newer login replaces the older one at any sidecar.
    let newer = Instance::login(&two, "alice").await;
    alice
        .event(|event| matches!(event, RtmEvent::ConnectionStateChanged { state, .. } if *state == rtm::ConnectionState::Aborted))
        .await;
    bob.event(|event| matches!(event, RtmEvent::MemberLeft { .. })).await;
    assert_eq!(
        bob.call(to("alice", "online?")).await,
        Ok(RtmReply::HasPeerReceived(true))
    );
    newer
        .event(|event| matches!(event, RtmEvent::MessageFromPeer { .. }))
        .await;
    for instance in [&alice, &bob, &newer] {
        instance.upstream.close(&instance.key);
    }
    one.stop().await;
    two.stop().await;
    let mut connection = server.connect().expect("it answers");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("keys");
    assert!(
        keys.iter().all(|key| key.ends_with(":m")),
        "ended nodes leave no keys: {keys:?}"
    );
}

/// Prints figures of peer messages. Only the number of commands is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_messages_across_two_sidecars() {
    const MESSAGES: u64 = 4000;
    let Some(server) = RedisServer::start_if_installed() else {
        return;
    };
    let (one, two) = (Sidecar::start(&server.url()).await, Sidecar::start(&server.url()).await);
    let mut alice = Instance::login(&one, "alice").await;
    let bob = Instance::login(&two, "bob").await;
    let stats = || -> (u64, u64) {
        let mut connection = server.connect().expect("it answers");
        let info: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut connection)
            .expect("stats");
        let calls = |name: &str| {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
        };
        (calls("evalsha"), calls("xread"))
    };
    let before = stats();
    let begun = Instant::now();
    let mut times = Vec::new();
    for number in 0..MESSAGES {
        let due = begun + Duration::from_micros(500 * number);
        tokio::time::sleep_until(due).await;
        times.push(Instant::now());
        alice.begin(to("bob", number.to_string()));
    }
    let sent = begun.elapsed();
    bob.event(|event| matches!(event, RtmEvent::MessageFromPeer { message: Message::Text(text), .. } if **text == *(MESSAGES - 1).to_string()))
        .await;
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(bob.texts(), expected, "in order, each once");
    let after = stats();
    let commands = (after.0 - before.0 + after.1 - before.1) as f64 / MESSAGES as f64;
    let mut took: Vec<Duration> = bob
        .arrivals()
        .into_iter()
        .zip(&times)
        .map(|(at, sent)| at - *sent)
        .collect();
    took.sort_unstable();
    let [half, most] = [took[took.len() / 2], took[took.len() * 99 / 100]];
    println!("p50 {half:?}, p99 {most:?} from call to event");
    println!("{MESSAGES} messages in {sent:?}, {commands:.2} commands of Redis for each");
    assert!(commands <= 3.0);
    one.shutdown.cancel();
    two.shutdown.cancel();
}
