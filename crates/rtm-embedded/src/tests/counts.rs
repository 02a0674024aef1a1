//! Tests of member counts.

use crate::tests::script::check;

#[test]
fn counts_are_sent_once_a_second_and_to_the_joiner_at_once() {
    check(
        "
        users a b c d
        a join room
        - a join ok
        - a MemberCountUpdated room 1
        +100ms
        b join room
        - b join ok
        - b MemberCountUpdated room 2
        - a MemberJoined room b
        +100ms
        c join room
        - c join ok
        - c MemberCountUpdated room 3
        - a MemberJoined room c
        - b MemberJoined room c
        +799ms
        +1ms
        - a MemberCountUpdated room 3
        - b MemberCountUpdated room 3
        +1s
        d join room
        - d join ok
        - d MemberCountUpdated room 4
        - a MemberJoined room d
        - b MemberJoined room d
        - c MemberJoined room d
        - a MemberCountUpdated room 4
        - b MemberCountUpdated room 4
        - c MemberCountUpdated room 4
        ",
    );
}

#[test]
fn an_unchanged_count_is_not_sent() {
    check(
        "
        users a b
        ~ a join room
        ~ b join room
        ~ b leave room
        +1s
        ",
    );
}

#[test]
fn above_512_members_counts_are_sent_every_3_s() {
    check(
        "
        users alice bob carol
        crowd 512 room
        ~ alice join room
        ~ +10s
        bob join room
        - bob join ok
        - bob MemberCountUpdated room 514
        - alice MemberCountUpdated room 514
        +1s
        ~ carol join room
        +1999ms
        +1ms
        - alice MemberCountUpdated room 515
        - bob MemberCountUpdated room 515
        ",
    );
}

#[test]
fn counts_can_be_queried_without_joining() {
    check(
        "
        users alice bob
        ~ bob join room
        alice getChannelMemberCount [\"room\",\"none\",\"room\"]
        - alice getChannelMemberCount ok {room=1,none=0}
        +1s
        alice getChannelMemberCount ids*33
        - alice getChannelMemberCount GET_CHANNEL_MEMBER_COUNT.EXCEED_LIMIT
        ",
    );
}
