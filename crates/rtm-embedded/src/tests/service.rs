//! Tests of the service as a whole.

use rtm::time::Time;
use rtm::{RtmCall, UserId};

use crate::tests::script::Harness;
use crate::{RtmService, RtmServiceConfig};

#[test]
fn a_service_without_state_is_empty() {
    let mut harness = Harness::new(RtmServiceConfig {
        offline_messages: true,
        ..RtmServiceConfig::default()
    });
    assert!(harness.service.is_empty());
    harness.step("users alice");
    assert!(!harness.service.is_empty(), "an instance");
    harness.step("alice setChannelAttributes room {\"a\":\"1\"} false");
    harness.step("alice sendMessageToPeer bob hi");
    harness.step("alice close");
    assert!(!harness.service.is_empty(), "attributes and a message");
    harness.step("+300s");
    assert!(!harness.service.is_empty(), "a message");
    harness.step("+604800s");
    assert!(harness.service.is_empty());
    assert_eq!(harness.service.deadline(), None);
}

#[test]
fn a_late_tick_has_the_same_outputs() {
    let script = [
        "users alice bob",
        "bob subscribePeersOnlineStatus [\"alice\"]",
        "alice link down",
    ];
    let mut on_time = Harness::new(RtmServiceConfig::default());
    let mut late = Harness::new(RtmServiceConfig::default());
    for step in script {
        on_time.step(step);
        late.step(step);
    }
    let mut out = Vec::new();
    let end = late.now + std::time::Duration::from_secs(60);
    late.service.tick(end, &mut out);
    assert_eq!(out.len(), on_time.step("+60s").len());
    assert_eq!(out.len(), 3);
}

#[test]
fn time_is_monotonic() {
    let mut service = RtmService::new(RtmServiceConfig::default());
    let mut out = Vec::new();
    let client = service.open();
    let login = || RtmCall::Login {
        uid: UserId::new("alice").expect("an id"),
        token: Some("expires:100".into()),
    };
    service.call(Time::from_millis(200_000), client, 1, login(), &mut out);
    service.call(Time::from_millis(50_000), client, 2, login(), &mut out);
    let failures = out
        .iter()
        .filter(|o| matches!(o, crate::Output::Reply { result: Err(_), .. }));
    assert_eq!(failures.count(), 2, "{out:?}");
}

#[test]
fn calls_of_a_closed_instance_have_no_reply() {
    let mut service = RtmService::new(RtmServiceConfig::default());
    let mut out = Vec::new();
    let client = service.open();
    service.close(Time::default(), client, &mut out);
    service.call(Time::default(), client, 1, RtmCall::Logout {}, &mut out);
    service.link(Time::default(), client, false, &mut out);
    service.close(Time::default(), client, &mut out);
    assert!(out.is_empty() && service.is_empty(), "{out:?}");
}
