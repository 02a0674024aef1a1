//! Tests of all documented rates, by the last call that succeeds and the first that does not.

use crate::tests::script::Harness;
use crate::{RateTable, RtmServiceConfig};

/// Checks that `calls` succeed, one more fails with `error`, and one succeeds `after` later.
#[track_caller]
fn check_rate(config: RtmServiceConfig, call: &str, calls: usize, error: &str, after: &str) {
    let mut harness = Harness::new(config);
    harness.step("users alice");
    harness.step("+10s");
    for i in 0..calls {
        let seen = harness.step(&call.replace('#', &i.to_string()));
        assert!(!seen[0].contains("TOO_OFTEN"), "call {i}: {seen:?}");
    }
    let one_more = call.replace('#', "more");
    let seen = harness.step(&one_more);
    assert!(seen[0].ends_with(error), "one more: {seen:?}");
    let just_before = format!(
        "+{}ms",
        after.trim_end_matches('s').parse::<u64>().expect("seconds") * 1000 - 1
    );
    harness.step(&just_before);
    let seen = harness.step(&one_more);
    assert!(seen[0].ends_with(error), "just before: {seen:?}");
    harness.step("+1ms");
    let seen = harness.step(&one_more);
    assert!(!seen[0].contains("TOO_OFTEN"), "after: {seen:?}");
}

#[test]
fn web_rates() {
    let table = [
        ("alice renewToken t", 2, "RENEW_TOKEN.TOO_OFTEN", "1s"),
        ("alice sendMessageToPeer bob hi", 180, "PEER_MESSAGE.TOO_OFTEN", "3s"),
        (
            "alice getChannelMemberCount [\"c\"]",
            1,
            "GET_CHANNEL_MEMBER_COUNT.TOO_OFTEN",
            "1s",
        ),
        (
            "alice queryPeersOnlineStatus [\"b\"]",
            10,
            "QUERY_PEERS_ONLINE_STATUS.TOO_OFTEN",
            "5s",
        ),
        (
            "alice subscribePeersOnlineStatus [\"b\"]",
            10,
            "PEER_SUBSCRIPTION_STATUS.TOO_OFTEN",
            "5s",
        ),
        (
            "alice unsubscribePeersOnlineStatus [\"b\"]",
            10,
            "PEER_SUBSCRIPTION_STATUS.TOO_OFTEN",
            "5s",
        ),
        (
            "alice queryPeersBySubscriptionOption",
            10,
            "QUERY_PEERS_BY_SUBSCRIPTION_OPTION.TOO_OFTEN",
            "5s",
        ),
        (
            "alice setLocalUserAttributes {\"a\":\"b\"}",
            10,
            "ATTRIBUTE_OPERATION.TOO_OFTEN",
            "5s",
        ),
        (
            "alice getUserAttributes alice",
            40,
            "ATTRIBUTE_OPERATION.TOO_OFTEN",
            "5s",
        ),
        (
            "alice clearChannelAttributes c false",
            10,
            "ATTRIBUTE_OPERATION.TOO_OFTEN",
            "5s",
        ),
        (
            "alice getChannelAttributes c",
            10,
            "ATTRIBUTE_OPERATION.TOO_OFTEN",
            "5s",
        ),
        (
            "alice Rest.channelMessage bob c hi",
            500,
            "CHANNEL_MESSAGE.TOO_OFTEN",
            "1s",
        ),
    ];
    for (call, calls, error, after) in table {
        check_rate(RtmServiceConfig::default(), call, calls, error, after);
    }
}

#[test]
fn linux_and_scaled_rates() {
    let linux = RtmServiceConfig {
        rates: RateTable::LINUX,
        ..RtmServiceConfig::default()
    };
    check_rate(
        linux,
        "alice sendMessageToPeer bob hi",
        1500,
        "PEER_MESSAGE.TOO_OFTEN",
        "3s",
    );
    check_rate(
        linux,
        "alice getUserAttributes alice",
        400,
        "ATTRIBUTE_OPERATION.TOO_OFTEN",
        "5s",
    );
    let scaled = RtmServiceConfig {
        rate_scale: 3,
        ..RtmServiceConfig::default()
    };
    check_rate(scaled, "alice renewToken t", 6, "RENEW_TOKEN.TOO_OFTEN", "1s");
}

#[test]
fn login_rate_is_checked_before_the_state() {
    crate::tests::script::check(
        "
        ~ a login alice
        a login alice
        - a login LOGIN.ALREADY_LOGGED_IN
        a login alice
        - a login LOGIN.TOO_OFTEN
        +1s
        a login alice
        - a login LOGIN.ALREADY_LOGGED_IN
        ",
    );
}

#[test]
fn peer_and_channel_messages_count_together() {
    crate::tests::script::check(
        "
        users alice
        ~ alice join room
        ~ 90x alice sendMessageToPeer bob hi
        ~ 90x alice sendMessage room hi
        alice sendMessage room hi
        - alice sendMessage CHANNEL_MESSAGE.TOO_OFTEN
        alice sendMessageToPeer bob hi
        - alice sendMessageToPeer PEER_MESSAGE.TOO_OFTEN
        +3s
        alice sendMessage room hi
        - alice sendMessage ok
        ",
    );
}

#[test]
fn the_same_channel_can_be_joined_twice_in_5_s() {
    crate::tests::script::check(
        "
        users alice
        ~ alice join room
        ~ alice leave room
        ~ alice join room
        ~ alice leave room
        +4999ms
        alice join room
        - alice join JOIN_CHANNEL.JOIN_SAME_CHANNEL_TOO_OFTEN
        alice join other
        - alice join ok
        - alice MemberCountUpdated other 1
        +1ms
        alice join room
        - alice join ok
        - alice MemberCountUpdated room 1
        ",
    );
}

#[test]
fn fifty_channels_can_be_joined_in_3_s() {
    let mut harness = Harness::new(RtmServiceConfig::default());
    harness.step("users alice");
    for i in 0..50 {
        assert_eq!(harness.step(&format!("alice join c{i}"))[0], "alice join ok");
        harness.step(&format!("alice leave c{i}"));
    }
    for _ in 0..3 {
        // A refused join does not count for its channel either.
        assert_eq!(harness.step("alice join c50"), ["alice join JOIN_CHANNEL.TOO_OFTEN"]);
    }
    harness.step("+3s");
    assert_eq!(harness.step("alice join c50")[0], "alice join ok");
}

#[test]
fn members_can_be_listed_five_times_in_2_s() {
    crate::tests::script::check(
        "
        users alice
        ~ alice join room
        ~ 5x alice getMembers room
        alice getMembers room
        - alice getMembers GET_MEMBERS.TOO_OFTEN
        +2s
        alice getMembers room
        - alice getMembers ok [alice]
        ",
    );
}
