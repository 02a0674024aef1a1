//! Tests of a lost and restored link.

use crate::RtmServiceConfig;
use crate::tests::script::{Harness, check};

#[test]
fn an_outage_of_less_than_4_s_is_not_reported() {
    check(
        "
        users alice bob
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        ~ alice join room
        ~ bob join room
        ~ +1s
        alice link down
        +3999ms
        alice link up
        +60s
        ",
    );
}

#[test]
fn an_outage_is_reported_after_4_6_and_30_s() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        ~ +1s
        alice link down
        +4s
        - alice state RECONNECTING INTERRUPTED
        +1999ms
        +1ms
        - bob PeersOnlineStatusChanged {alice=UNREACHABLE}
        bob queryPeersOnlineStatus [\"alice\"]
        - bob queryPeersOnlineStatus ok {alice=true}
        +23999ms
        +1ms
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        - bob PeersOnlineStatusChanged {alice=OFFLINE}
        bob queryPeersOnlineStatus [\"alice\"]
        - bob queryPeersOnlineStatus ok {alice=false}
        bob getUserAttributes alice
        - bob getUserAttributes ATTRIBUTE_OPERATION.USER_NOT_FOUND
        +1000s
        ",
    );
}

#[test]
fn after_6_s_subscribers_see_the_recovery() {
    check(
        "
        users alice bob
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        ~ alice link down
        ~ +10s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - bob PeersOnlineStatusChanged {alice=ONLINE}
        +1000s
        ",
    );
}

#[test]
fn after_30_s_channels_are_joined_and_attributes_set_again() {
    check(
        "
        users alice bob
        ~ alice setLocalUserAttributes {\"a\":\"1\"}
        ~ alice join room
        ~ bob join room
        ~ alice join alone
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        ~ alice link down
        ~ +40s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - bob PeersOnlineStatusChanged {alice=ONLINE}
        - alice MemberCountUpdated room 2
        - bob MemberJoined room alice
        - bob MemberCountUpdated room 2
        - alice MemberCountUpdated alone 1
        bob getUserAttributes alice
        - bob getUserAttributes ok {a=1}
        alice sendMessage room hi
        - alice sendMessage ok
        - bob ChannelMessage room alice hi @40000
        alice leave room
        - alice leave ok
        - bob MemberLeft room alice
        +1s
        - bob MemberCountUpdated room 1
        ",
    );
}

#[test]
fn a_user_id_taken_during_the_outage_aborts_at_recovery() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        ~ +2s
        alice link down
        alice sendMessage room hi
        new login alice
        - new state CONNECTING LOGIN
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        - new state CONNECTED LOGIN_SUCCESS
        - new login ok
        +4s
        - alice state RECONNECTING INTERRUPTED
        alice link up
        - alice state ABORTED REMOTE_LOGIN
        - alice sendMessage CHANNEL_MESSAGE.FAILURE
        bob sendMessageToPeer alice hi
        - bob sendMessageToPeer ok true
        - new MessageFromPeer bob hi @6000 false
        ",
    );
}

#[test]
fn an_expired_token_delays_the_recovery_until_renewed() {
    check(
        "
        ~ a login alice expires:1000060
        ~ +50s
        ~ a link down
        +4s
        - a state RECONNECTING INTERRUPTED
        +6s
        - a TokenExpired
        a link up
        +10s
        a renewToken forever
        - a renewToken ok
        - a state CONNECTED LOGIN_SUCCESS
        ",
    );
    check(
        "
        ~ a login alice expires:1000060
        ~ +58s
        ~ a link down
        ~ +3s
        a link up
        +1s
        - a state RECONNECTING INTERRUPTED
        - a TokenExpired
        ",
    );
}

#[test]
fn a_member_that_never_recovers_is_removed() {
    let mut harness = Harness::new(RtmServiceConfig::default());
    for step in [
        "users alice",
        "alice join room",
        "alice link down",
        "+60s",
        "alice close",
    ] {
        harness.step(step);
    }
    assert!(harness.service.is_empty());
}
