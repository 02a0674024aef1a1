//! Tests of the service as a whole.

use crate::tests::script::Stage;
use crate::{RtmService, RtmServiceConfig};
use rtm::time::Time;
use rtm::{RtmCall, UserId};

#[test]
fn a_world_is_empty_when_nothing_is_left_to_come_back_for() {
    let mut stage = Stage::new(RtmServiceConfig {
        offline_messages: true,
        ..RtmServiceConfig::default()
    });
    assert!(stage.world.is_empty());
    stage.step("users alice");
    assert!(!stage.world.is_empty(), "an instance");
    stage.step("alice setChannelAttributes room {\"a\":\"1\"} false");
    stage.step("alice sendMessageToPeer bob hi");
    stage.step("alice close");
    assert!(!stage.world.is_empty(), "attributes and a message");
    stage.step("+300s");
    assert!(!stage.world.is_empty(), "a message");
    stage.step("+604800s");
    assert!(stage.world.is_empty());
    assert_eq!(stage.world.deadline(), None);
}

#[test]
fn a_late_tick_sees_the_same_in_the_same_order() {
    let script = [
        "users alice bob",
        "bob subscribePeersOnlineStatus [\"alice\"]",
        "alice link down",
    ];
    let mut on_time = Stage::new(RtmServiceConfig::default());
    let mut late = Stage::new(RtmServiceConfig::default());
    for step in script {
        on_time.step(step);
        late.step(step);
    }
    let mut out = Vec::new();
    let end = late.now + std::time::Duration::from_secs(60);
    late.world.tick(end, &mut out);
    assert_eq!(out.len(), on_time.step("+60s").len());
    assert_eq!(out.len(), 3);
}

#[test]
fn time_does_not_run_backwards() {
    let mut world = RtmService::new(RtmServiceConfig::default());
    let mut out = Vec::new();
    let client = world.open();
    let login = || RtmCall::Login {
        uid: UserId::new("alice").expect("an id"),
        token: Some("expires:100".into()),
    };
    world.call(Time::from_millis(200_000), client, 1, login(), &mut out);
    world.call(Time::from_millis(50_000), client, 2, login(), &mut out);
    let failures = out
        .iter()
        .filter(|o| matches!(o, crate::Output::Reply { result: Err(_), .. }));
    assert_eq!(failures.count(), 2, "{out:?}");
}

#[test]
fn nobody_answers_an_instance_that_is_closed() {
    let mut world = RtmService::new(RtmServiceConfig::default());
    let mut out = Vec::new();
    let client = world.open();
    world.close(Time::default(), client, &mut out);
    world.call(Time::default(), client, 1, RtmCall::Logout {}, &mut out);
    world.link(Time::default(), client, false, &mut out);
    world.close(Time::default(), client, &mut out);
    assert!(out.is_empty() && world.is_empty(), "{out:?}");
}
