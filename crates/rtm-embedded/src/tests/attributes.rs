//! Tests of user and channel attributes.

use crate::tests::script::check;

#[test]
fn user_attributes_are_replaced_merged_deleted_and_read() {
    check(
        "
        users alice bob
        alice setLocalUserAttributes {\"a\":\"1\",\"b\":\"2\"}
        - alice setLocalUserAttributes ok
        alice addOrUpdateLocalUserAttributes {\"b\":\"3\",\"c\":\"4\"}
        - alice addOrUpdateLocalUserAttributes ok
        bob getUserAttributes alice
        - bob getUserAttributes ok {a=1,b=3,c=4}
        alice deleteLocalUserAttributesByKeys [\"a\",\"none\"]
        - alice deleteLocalUserAttributesByKeys ok
        bob getUserAttributesByKeys alice [\"a\",\"c\"]
        - bob getUserAttributesByKeys ok {c=4}
        alice setLocalUserAttributes {\"z\":\"1\"}
        - alice setLocalUserAttributes ok
        alice getUserAttributes alice
        - alice getUserAttributes ok {z=1}
        alice clearLocalUserAttributes
        - alice clearLocalUserAttributes ok
        bob getUserAttributes alice
        - bob getUserAttributes ok
        ",
    );
}

#[test]
fn user_attributes_are_deleted_at_logout() {
    check(
        "
        users alice bob
        ~ alice setLocalUserAttributes {\"a\":\"1\"}
        ~ alice logout
        bob getUserAttributes alice
        - bob getUserAttributes ATTRIBUTE_OPERATION.USER_NOT_FOUND
        bob getUserAttributesByKeys alice [\"a\"]
        - bob getUserAttributesByKeys ATTRIBUTE_OPERATION.USER_NOT_FOUND
        users alice
        bob getUserAttributes alice
        - bob getUserAttributes ok
        ",
    );
}

#[test]
fn an_overflowing_merge_changes_nothing() {
    check(
        "
        users alice
        ~ alice setLocalUserAttributes pairs*32
        alice addOrUpdateLocalUserAttributes {\"k0\":\"w\"}
        - alice addOrUpdateLocalUserAttributes ok
        alice addOrUpdateLocalUserAttributes {\"more\":\"v\"}
        - alice addOrUpdateLocalUserAttributes ATTRIBUTE_OPERATION.SIZE_OVERFLOW
        ~ alice setLocalUserAttributes {\"a\":\"*8192\"}
        alice addOrUpdateLocalUserAttributes {\"b\":\"*8190\"}
        - alice addOrUpdateLocalUserAttributes ok
        alice addOrUpdateLocalUserAttributes {\"c\":\"v\"}
        - alice addOrUpdateLocalUserAttributes ATTRIBUTE_OPERATION.SIZE_OVERFLOW
        alice getUserAttributesByKeys alice [\"c\"]
        - alice getUserAttributesByKeys ok
        ~ alice setChannelAttributes room pairs*32 false
        alice addOrUpdateChannelAttributes room {\"more\":\"v\"} false
        - alice addOrUpdateChannelAttributes ATTRIBUTE_OPERATION.SIZE_OVERFLOW
        alice getChannelAttributesByKeys room [\"more\"]
        - alice getChannelAttributesByKeys ok
        ",
    );
}

#[test]
fn channel_attributes_have_author_and_time() {
    check(
        "
        users alice bob
        alice setChannelAttributes room {\"a\":\"1\",\"b\":\"2\"} false
        - alice setChannelAttributes ok
        +5s
        bob addOrUpdateChannelAttributes room {\"b\":\"3\"} false
        - bob addOrUpdateChannelAttributes ok
        bob getChannelAttributes room
        - bob getChannelAttributes ok {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0},b={value=3,lastUpdateUserId=bob,lastUpdateTs=@5000}}
        bob getChannelAttributesByKeys room [\"b\",\"none\"]
        - bob getChannelAttributesByKeys ok {b={value=3,lastUpdateUserId=bob,lastUpdateTs=@5000}}
        bob deleteChannelAttributesByKeys room [\"b\"] false
        - bob deleteChannelAttributesByKeys ok
        bob getChannelAttributes room
        - bob getChannelAttributes ok {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0}}
        bob clearChannelAttributes room false
        - bob clearChannelAttributes ok
        bob getChannelAttributes room
        - bob getChannelAttributes ok
        bob getChannelAttributes elsewhere
        - bob getChannelAttributes ok
        ",
    );
}

#[test]
fn members_are_notified_of_flagged_writes_only() {
    check(
        "
        users alice bob carol
        ~ alice join room
        ~ bob join room
        alice setChannelAttributes room {\"a\":\"1\"} false
        - alice setChannelAttributes ok
        alice addOrUpdateChannelAttributes room {\"b\":\"2\"} true
        - alice addOrUpdateChannelAttributes ok
        - alice AttributesUpdated room {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0},b={value=2,lastUpdateUserId=alice,lastUpdateTs=@0}}
        - bob AttributesUpdated room {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0},b={value=2,lastUpdateUserId=alice,lastUpdateTs=@0}}
        carol clearChannelAttributes room true
        - carol clearChannelAttributes ok
        - alice AttributesUpdated room {}
        - bob AttributesUpdated room {}
        ",
    );
}

#[test]
fn attributes_expire_5_minutes_after_the_last_member() {
    check(
        "
        users alice
        ~ alice join room
        ~ alice setChannelAttributes room {\"a\":\"1\"} false
        ~ +1000s
        ~ alice leave room
        ~ +299s
        ~ alice join room
        ~ +1000s
        ~ alice leave room
        +299999ms
        alice getChannelAttributes room
        - alice getChannelAttributes ok {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0}}
        +1ms
        alice getChannelAttributes room
        - alice getChannelAttributes ok
        ",
    );
}

#[test]
fn attributes_of_an_unjoined_channel_expire() {
    check(
        "
        users alice
        ~ alice setChannelAttributes room {\"a\":\"1\"} false
        +200s
        ~ alice addOrUpdateChannelAttributes room {\"b\":\"1\"} false
        +299s
        alice getChannelAttributesByKeys room [\"a\"]
        - alice getChannelAttributesByKeys ok {a={value=1,lastUpdateUserId=alice,lastUpdateTs=@0}}
        +1s
        alice getChannelAttributes room
        - alice getChannelAttributes ok
        ",
    );
}
