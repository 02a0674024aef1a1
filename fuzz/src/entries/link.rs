//! The agent link: frames, handshakes, the vocabulary of each SDK, a driver and an agent server.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use agent_link::agent_server::{AgentServer, AgentServerConfig};
use agent_link::driver::DetachedDriver;
use agent_link::frame::{Body, Frame};
use agent_link::handshake::{AgentHello, HelloResult, HostPart, Limits, Served, UserHello, from_value, to_value};
use agent_link::vocabulary::{Vocabulary, read_result};
use rtm::upstream::{ClientKey, EventSink, Upstream};
use rtm::value::Value;
use rtm::{AppId, CallKind, ChannelId, RtmCall, UserId};
use runtime::clock::Clock;

use super::{BUILT_IN, selected, text};

static VOCABULARIES: LazyLock<Vec<Arc<Vocabulary>>> = LazyLock::new(|| {
    BUILT_IN
        .platforms
        .iter()
        .map(|platform| Arc::new(Vocabulary::new(platform)))
        .collect()
});

/// The first byte selects the reader. Each line of the rest is a frame.
pub fn link(data: &[u8]) {
    let (choice, rest) = selected(data);
    let text = text(rest);
    match choice % 3 {
        0 => text.lines().for_each(frame),
        1 => driver(usize::from(choice / 3), &text),
        _ => agent(usize::from(choice / 3), &text),
    }
}

/// A frame is the same again after it was written.
fn frame(text: &str) {
    let Ok(frame) = Frame::parse(text) else { return };
    let written = frame.clone().into_text();
    assert_eq!(Frame::parse(&written).ok().as_ref(), Some(&frame), "{written}");
    let (Body::Request { params: value, .. } | Body::Notice { params: value, .. } | Body::Result { result: value, .. }) =
        &frame.body
    else {
        return;
    };
    hello(value);
    for vocabulary in &*VOCABULARIES {
        match &frame.body {
            Body::Request { method, params, .. } => {
                if let Some(Ok(call)) = vocabulary.read_call(method, params) {
                    let params = Vocabulary::call_params(&"s".into(), &call);
                    let again = vocabulary.read_call(vocabulary.call_name(call.kind()), &params);
                    assert_eq!(again.and_then(Result::ok), Some(call), "{params}");
                }
            }
            Body::Notice { method, params } => {
                if let Some(Ok(event)) = vocabulary.read_event(method, params) {
                    let (method, params) = vocabulary.write_event(&"s".into(), &event);
                    let again = vocabulary.read_event(&method, &params);
                    assert_eq!(again.and_then(Result::ok), Some(event), "{params}");
                }
            }
            Body::Error { error, .. } => {
                for kind in CallKind::ALL {
                    let _ = vocabulary.read_error(*kind, error);
                }
            }
            Body::Result { .. } => {}
        }
    }
    CallKind::ALL.iter().for_each(|kind| drop(read_result(*kind, value)));
}

/// A hello is the same again after it was written.
fn hello(value: &Value) {
    if let Ok(hello) = from_value::<AgentHello>(value) {
        assert_eq!(from_value::<AgentHello>(&to_value(&hello)), Ok(hello));
    }
    if let Ok(hello) = from_value::<UserHello>(value) {
        assert_eq!(from_value::<UserHello>(&to_value(&hello)), Ok(hello));
    }
    let _ = (from_value::<HelloResult>(value), from_value::<Served>(value));
}

fn app() -> AppId {
    AppId::new("app").expect("an app id")
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("an id")
}

/// A driver with open calls takes frames of its agent: each call gets one reply, at the latest after its timeout. The
/// client is `detached-1`; request `1` is the creation of its instance.
fn driver(platform: usize, text: &str) {
    let vocabulary = &VOCABULARIES[platform % VOCABULARIES.len()];
    let host = HostPart {
        protocol: agent_link::PROTOCOL,
        agent: "agent".into(),
        sdk: "sdk".into(),
        version: "1".into(),
        platform: vocabulary.platform().clone(),
        limits: Limits::Web,
        capabilities: None,
    };
    let mut driver = DetachedDriver::new(&host, &VOCABULARIES, &app()).expect("a usable agent");
    let channel = ChannelId::new("room").expect("an id");
    let calls = [
        RtmCall::Login {
            uid: user("alice"),
            token: None,
        },
        RtmCall::Join {
            channel_id: channel.clone(),
        },
        RtmCall::GetMembers {
            channel_id: channel.clone(),
        },
        RtmCall::Leave { channel_id: channel },
        RtmCall::Logout {},
    ];
    let requests: BTreeSet<u64> = (1..).zip(&calls).map(|(request, _)| request).collect();
    for (request, call) in (1..).zip(calls) {
        driver.call(request, call);
    }
    driver.send();
    for line in text.lines() {
        if driver.take(line).is_err() {
            driver.lose();
            break;
        }
        driver.pass(Duration::from_millis(50));
        driver.send();
    }
    for _ in 0..10 {
        driver.pass(Duration::from_secs(10));
        driver.send();
    }
    let replies = driver.replies();
    let replied: BTreeSet<u64> = replies.iter().copied().collect();
    assert_eq!(replies.len(), replied.len(), "two replies: {replies:?}");
    assert_eq!(replied, requests, "calls with replies");
}

/// Upstream without answers.
struct Silent;

impl Upstream for Silent {
    fn open(&self, app: &AppId, _: EventSink) -> ClientKey {
        ClientKey {
            app: app.clone(),
            number: 1,
        }
    }

    fn call(&self, _: &ClientKey, _: u64, _: RtmCall) {}

    fn close(&self, _: &ClientKey) {}

    fn can(&self, _: &AppId, _: CallKind) -> bool {
        true
    }
}

/// An agent server takes frames of its driver.
fn agent(platform: usize, text: &str) {
    let vocabulary = VOCABULARIES[platform % VOCABULARIES.len()].clone();
    let config = AgentServerConfig {
        sdk: ("sdk".into(), "1".into()),
        limits: Limits::Web,
    };
    let server = AgentServer::new("agent".into(), config, vocabulary, Arc::new(Silent), Clock::start());
    for line in text.lines() {
        if let Ok(frame) = Frame::parse(line) {
            server.take(frame.body);
        }
    }
    server.driver_connected(true);
    server.sweep(true);
    let _ = server.instances_held();
    server.end();
}
