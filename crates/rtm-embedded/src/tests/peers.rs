//! Tests of peer messages and the offline store.

use crate::RtmServiceConfig;
use crate::tests::script::{check, check_in};

#[test]
fn a_message_is_delivered_or_fails() {
    check(
        "
        users alice bob
        alice sendMessageToPeer bob hi
        - alice sendMessageToPeer ok true
        - bob MessageFromPeer alice hi @0 false
        alice sendMessageToPeer carol hi
        - alice sendMessageToPeer ok false
        alice sendMessageToPeer alice self
        - alice sendMessageToPeer ok true
        - alice MessageFromPeer alice self @0 false
        ~ bob logout
        alice sendMessageToPeer bob hi
        - alice sendMessageToPeer ok false
        users carol
        ",
    );
}

#[test]
fn raw_messages_and_sizes() {
    check(
        "
        users alice bob
        alice sendMessageToPeer bob {\"rawMessage\":\"AQI=\",\"description\":\"d\"}
        - alice sendMessageToPeer ok true
        - bob MessageFromPeer alice AQI= @0 false
        alice sendMessageToPeer bob *32768
        - alice sendMessageToPeer ok true
        - bob MessageFromPeer alice *32768 @0 false
        alice sendMessageToPeer bob *32769
        - alice sendMessageToPeer PEER_MESSAGE.INVALID_MESSAGE
        alice sendMessageToPeer bob {\"rawMessage\":\"AQI=\",\"description\":\"*32767\"}
        - alice sendMessageToPeer PEER_MESSAGE.INVALID_MESSAGE
        ",
    );
}

fn with_store() -> RtmServiceConfig {
    RtmServiceConfig {
        offline_messages: true,
        rate_scale: 0,
        ..RtmServiceConfig::default()
    }
}

#[test]
fn offline_messages_wait_for_the_login() {
    check_in(
        with_store(),
        "
        users alice
        alice sendMessageToPeer bob one
        - alice sendMessageToPeer ok false
        +1s
        ~ alice sendMessageToPeer bob two
        bob login bob
        - bob state CONNECTING LOGIN
        - bob state CONNECTED LOGIN_SUCCESS
        - bob login ok
        - bob MessageFromPeer alice one @0 true
        - bob MessageFromPeer alice two @1000 true
        ~ bob logout
        bob login bob
        - bob state CONNECTING LOGIN
        - bob state CONNECTED LOGIN_SUCCESS
        - bob login ok
        ",
    );
}

#[test]
fn offline_messages_expire_after_7_days() {
    check_in(
        with_store(),
        "
        users alice
        ~ alice sendMessageToPeer bob one
        +1s
        ~ alice sendMessageToPeer bob two
        +604799s
        bob login bob
        - bob state CONNECTING LOGIN
        - bob state CONNECTED LOGIN_SUCCESS
        - bob login ok
        - bob MessageFromPeer alice two @1000 true
        ",
    );
}

#[test]
fn the_newest_200_offline_messages_are_stored() {
    let mut harness = crate::tests::script::Harness::new(with_store());
    harness.step("users alice");
    for i in 0..250 {
        harness.step(&format!("alice sendMessageToPeer bob m{i}"));
    }
    let seen = harness.step("bob login bob");
    assert_eq!(seen.len(), 3 + 200);
    assert_eq!(seen[3], "bob MessageFromPeer alice m50 @0 true");
    assert_eq!(seen[202], "bob MessageFromPeer alice m249 @0 true");
}
