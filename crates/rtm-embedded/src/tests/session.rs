//! Tests of login, logout, kicks, tokens.

use crate::tests::script::check;

#[test]
fn login_and_logout_change_the_connection_state() {
    check(
        "
        a login alice
        - a state CONNECTING LOGIN
        - a state CONNECTED LOGIN_SUCCESS
        - a login ok
        a logout
        - a state DISCONNECTED LOGOUT
        - a logout ok
        a logout
        - a logout LOGOUT.USER_NOT_LOGGED_IN
        ",
    );
}

#[test]
fn a_second_login_of_the_same_instance_is_refused() {
    check(
        "
        ~ a login alice
        a login alice
        - a login LOGIN.ALREADY_LOGGED_IN
        +1s
        a login bob
        - a login LOGIN.ALREADY_LOGGED_IN
        ",
    );
}

#[test]
fn the_newer_instance_of_a_user_aborts_the_older_one() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        ~ +2s
        new login alice
        - new state CONNECTING LOGIN
        - alice state ABORTED REMOTE_LOGIN
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        - new state CONNECTED LOGIN_SUCCESS
        - new login ok
        alice join room
        - alice join JOIN_CHANNEL.USER_NOT_LOGGED_IN
        alice login alice
        - alice login LOGIN.ALREADY_LOGGED_IN
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        bob sendMessageToPeer alice hi
        - bob sendMessageToPeer ok true
        - new MessageFromPeer bob hi @2000 false
        ",
    );
}

#[test]
fn subscribers_do_not_see_a_kick() {
    check(
        "
        users alice bob
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        new login alice
        - new state CONNECTING LOGIN
        - alice state ABORTED REMOTE_LOGIN
        - new state CONNECTED LOGIN_SUCCESS
        - new login ok
        ",
    );
}

#[test]
fn a_closed_instance_is_offline_and_has_no_outputs() {
    check(
        "
        users alice bob
        ~ alice join room
        ~ bob join room
        ~ bob subscribePeersOnlineStatus [\"alice\"]
        ~ +2s
        alice close
        - bob MemberLeft room alice
        - bob MemberCountUpdated room 1
        - bob PeersOnlineStatusChanged {alice=OFFLINE}
        ",
    );
}

#[test]
fn a_token_may_be_refused() {
    check(
        "
        a login alice *0
        - a login LOGIN.INVALID_ARGUMENT
        a login alice expires:soon
        - a state CONNECTING LOGIN
        - a state DISCONNECTED LOGIN_FAILURE
        - a login LOGIN.INVALID_TOKEN
        +1s
        a login alice expires:1000001
        - a state CONNECTING LOGIN
        - a state DISCONNECTED LOGIN_FAILURE
        - a login LOGIN.TOKEN_EXPIRED
        a login alice whatever
        - a state CONNECTING LOGIN
        - a state CONNECTED LOGIN_SUCCESS
        - a login ok
        ",
    );
}

#[test]
fn a_token_warns_30_s_before_it_ends_the_login() {
    check(
        "
        ~ a login alice expires:1000100
        +69999ms
        +1ms
        - a TokenPrivilegeWillExpire
        +29999ms
        +1ms
        - a state ABORTED TOKEN_EXPIRED
        a logout
        - a state DISCONNECTED LOGOUT
        - a logout ok
        +60s
        ",
    );
}

#[test]
fn a_renewed_token_moves_the_end() {
    check(
        "
        ~ a login alice expires:1000100
        a renewToken expires:1000200
        - a renewToken ok
        +169999ms
        +1ms
        - a TokenPrivilegeWillExpire
        a renewToken forever
        - a renewToken ok
        +1000s
        ",
    );
}

#[test]
fn a_token_near_its_end_warns_at_once() {
    check(
        "
        ~ a login alice expires:1000010
        +0s
        - a TokenPrivilegeWillExpire
        +10s
        - a state ABORTED TOKEN_EXPIRED
        ",
    );
}

#[test]
fn a_login_over_a_lost_link_times_out_after_12_s() {
    check(
        "
        a link down
        a login alice
        - a state CONNECTING LOGIN
        a join room
        - a join JOIN_CHANNEL.USER_NOT_LOGGED_IN
        a login alice
        - a login LOGIN.ALREADY_LOGGED_IN
        +11999ms
        +1ms
        - a state DISCONNECTED LOGIN_TIMEOUT
        - a login LOGIN.TIMEOUT
        a login alice
        - a state CONNECTING LOGIN
        +1s
        a link up
        - a state CONNECTED LOGIN_SUCCESS
        - a login ok
        +20s
        ",
    );
}

#[test]
fn a_logout_aborts_a_login_that_waits() {
    check(
        "
        a link down
        ~ a login alice
        a logout
        - a state DISCONNECTED LOGOUT
        - a login LOGIN.UNKNOWN
        - a logout ok
        +20s
        ",
    );
}
