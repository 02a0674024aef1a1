//! Tests of channels: join, leave, messages, lists, the RESTful send.

use crate::RtmServiceConfig;
use crate::tests::script::{Harness, check, check_in};

#[test]
fn a_join_is_answered_before_its_event() {
    check(
        "
        users alice bob
        alice join room
        - alice join ok
        - alice MemberCountUpdated room 1
        +1s
        bob join room
        - bob join ok
        - bob MemberCountUpdated room 2
        - alice MemberJoined room bob
        - alice MemberCountUpdated room 2
        +1s
        alice leave room
        - alice leave ok
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        ",
    );
}

#[test]
fn a_logout_leaves_all_channels_in_the_order_of_joining() {
    check(
        "
        users alice bob
        ~ alice join z
        ~ alice join a
        ~ bob join a
        ~ bob join z
        ~ +2s
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        - bob MemberLeft z alice
        - bob MemberCountUpdated z 1
        - bob MemberLeft a alice
        - bob MemberCountUpdated a 1
        ",
    );
}

#[test]
fn a_message_goes_to_the_other_members() {
    check(
        "
        users alice bob carol
        ~ alice join room
        ~ bob join room
        ~ carol join other
        alice sendMessage room hi
        - alice sendMessage ok
        - bob ChannelMessage room alice hi @0
        bob sendMessage room {\"rawMessage\":\"AQI=\"}
        - bob sendMessage ok
        - alice ChannelMessage room bob AQI= @0
        ",
    );
}

#[test]
fn members_stay_in_place_when_others_leave() {
    check(
        "
        users a b c d
        ~ a join room
        ~ b join room
        ~ c join room
        ~ d join room
        ~ a leave room
        ~ d leave room
        b getMembers room
        - b getMembers ok [c,b]
        b sendMessage room hi
        - b sendMessage ok
        - c ChannelMessage room b hi @0
        ",
    );
}

#[test]
fn twenty_channels_can_be_joined() {
    let mut harness = Harness::new(RtmServiceConfig::default());
    harness.step("users alice");
    for i in 0..20 {
        assert_eq!(harness.step(&format!("alice join c{i}"))[0], "alice join ok");
    }
    assert_eq!(harness.step("alice join c20"), ["alice join JOIN_CHANNEL.EXCEED_LIMIT"]);
    harness.step("alice leave c0");
    assert_eq!(harness.step("alice join c20")[0], "alice join ok");
}

#[test]
fn rest_sends_from_outside() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        alice Rest.channelMessage alice room hi
        - alice Rest.channelMessage ok
        - bob ChannelMessage room alice hi @0
        alice Rest.channelMessage nobody room hi
        - alice Rest.channelMessage ok
        - alice ChannelMessage room nobody hi @0
        - bob ChannelMessage room nobody hi @0
        out Rest.channelMessage nobody elsewhere hi
        - out Rest.channelMessage ok
        out Rest.channelMessage nobody room *32769
        - out Rest.channelMessage CHANNEL_MESSAGE.INVALID_MESSAGE
        ",
    );
}

#[test]
fn above_512_members_joins_and_leaves_are_silent() {
    check(
        "
        users alice bob carol
        crowd 510 room
        ~ alice join room
        ~ +3s
        bob join room
        - bob join ok
        - bob MemberCountUpdated room 512
        - alice MemberJoined room bob
        - alice MemberCountUpdated room 512
        +3s
        carol join room
        - carol join ok
        - carol MemberCountUpdated room 513
        - alice MemberCountUpdated room 513
        - bob MemberCountUpdated room 513
        +3s
        carol leave room
        - carol leave ok
        - alice MemberCountUpdated room 512
        - bob MemberCountUpdated room 512
        +3s
        bob leave room
        - bob leave ok
        - alice MemberLeft room bob
        - alice MemberCountUpdated room 511
        ",
    );
}

/// Returns the members that `getMembers` lists in a room of `size` other users.
fn members(seed: u64, size: usize) -> Vec<String> {
    let mut harness = Harness::new(RtmServiceConfig {
        seed,
        ..RtmServiceConfig::default()
    });
    harness.step(&format!("crowd {size} room"));
    harness.step("users alice");
    harness.step("alice join room");
    let [listed] = &harness.step("alice getMembers room")[..] else {
        panic!("one answer");
    };
    let listed = listed
        .strip_prefix("alice getMembers ok [")
        .and_then(|l| l.strip_suffix(']'));
    listed.expect("a list").split(',').map(str::to_owned).collect()
}

#[test]
fn of_more_than_512_members_a_sample_is_listed() {
    let all = members(0, 511);
    assert_eq!((all.len(), all[511].as_str()), (512, "alice"));
    let sample = members(0, 2000);
    let distinct: std::collections::HashSet<_> = sample.iter().collect();
    assert_eq!((sample.len(), distinct.len()), (512, 512));
    assert_eq!(sample, members(0, 2000), "the same seed");
    assert_ne!(sample, members(1, 2000), "another seed");
}

#[test]
fn joins_are_unlimited_without_rates() {
    check_in(
        RtmServiceConfig {
            rate_scale: 0,
            ..RtmServiceConfig::default()
        },
        "
        users alice
        ~ 100x alice join room
        ~ alice leave room
        ~ alice join room
        ~ alice leave room
        alice join room
        - alice join ok
        - alice MemberCountUpdated room 1
        ",
    );
}
