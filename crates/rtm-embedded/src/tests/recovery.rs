//! Tests of the recovery after an outage.

use crate::RtmServiceConfig;
use crate::tests::script::{Harness, check, check_in};

#[test]
fn missed_messages_are_delivered_after_the_outage() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        ~ bob sendMessage room before
        alice link down
        bob sendMessageToPeer alice one
        bob sendMessage room two
        - bob sendMessage ok
        ~ +5s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MemberCountUpdated room 2
        - alice MessageFromPeer bob one @0 false
        - bob sendMessageToPeer ok true
        - alice ChannelMessage room bob two @0
        bob sendMessage room three
        - bob sendMessage ok
        - alice ChannelMessage room bob three @5000
        ",
    );
}

#[test]
fn a_message_that_is_not_acknowledged_times_out_and_still_arrives() {
    check(
        "
        users alice bob
        ~ alice link down
        bob sendMessageToPeer alice one
        ~ +9s
        +1s
        - bob sendMessageToPeer PEER_MESSAGE.TIMEOUT
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MessageFromPeer bob one @0 false
        ~ alice link down
        bob sendMessageToPeer alice two
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        - bob sendMessageToPeer ok false
        ",
    );
}

#[test]
fn the_last_32_channel_messages_of_30_s_are_delivered() {
    let mut harness = Harness::new(RtmServiceConfig {
        rate_scale: 0,
        ..RtmServiceConfig::default()
    });
    for step in [
        "users alice bob",
        "alice join room",
        "bob join room",
        "+10s",
        "alice link down",
    ] {
        harness.step(step);
    }
    harness.step("bob sendMessage room old");
    harness.step("+31s");
    for i in 0..10 {
        harness.step(&format!("bob sendMessage room m{i}"));
    }
    let seen = harness.step("alice link up");
    let messages = |seen: &[String]| -> Vec<String> {
        seen.iter()
            .filter(|line| line.contains("ChannelMessage"))
            .cloned()
            .collect()
    };
    assert_eq!(messages(&seen).len(), 10, "old is older than 30 s: {seen:?}");

    harness.step("alice link down");
    for i in 0..40 {
        harness.step(&format!("bob sendMessage room m{i}"));
    }
    let seen = messages(&harness.step("alice link up"));
    assert_eq!(seen.len(), 32);
    assert_eq!(seen[0], "alice ChannelMessage room bob m8 @41000");
}

#[test]
fn messages_of_exactly_30_s_are_delivered() {
    check(
        "
        users alice bob
        ~ alice join room
        alice link down
        bob Rest.channelMessage bob room hi
        - bob Rest.channelMessage ok
        bob Rest.channelMessage alice room own
        - bob Rest.channelMessage ok
        ~ +30s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MemberCountUpdated room 1
        - alice ChannelMessage room bob hi @0
        ~ alice link down
        ~ bob Rest.channelMessage bob room hi
        ~ +30001ms
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MemberCountUpdated room 1
        ",
    );
}

#[test]
fn calls_wait_for_the_link() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        alice link down
        alice sendMessage room hi
        alice join other
        alice leave room
        alice getMembers room
        alice renewToken t
        - alice renewToken ok
        +4s
        - alice state RECONNECTING INTERRUPTED
        +500ms
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MemberCountUpdated room 2
        - alice sendMessage ok
        - bob ChannelMessage room alice hi @4500
        - alice join ok
        - alice MemberCountUpdated other 1
        - alice leave ok
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        - alice getMembers GET_MEMBERS.NOT_IN_CHANNEL
        +100s
        ",
    );
}

#[test]
fn a_recovered_instance_gets_missed_presence() {
    check(
        "
        users alice bob carol
        ~ alice subscribePeersOnlineStatus [\"bob\",\"carol\"]
        ~ alice link down
        bob logout
        - bob state DISCONNECTED LOGOUT
        - bob logout ok
        ~ +100s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice PeersOnlineStatusChanged {bob=OFFLINE}
        carol logout
        - carol state DISCONNECTED LOGOUT
        - carol logout ok
        - alice PeersOnlineStatusChanged {carol=OFFLINE}
        ",
    );
}

#[test]
fn offline_messages_are_delivered_after_a_long_outage() {
    check_in(
        RtmServiceConfig {
            offline_messages: true,
            ..RtmServiceConfig::default()
        },
        "
        users alice bob
        ~ alice link down
        ~ +30s
        bob sendMessageToPeer alice hi
        - bob sendMessageToPeer ok false
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - alice MessageFromPeer bob hi @30000 true
        ",
    );
}
