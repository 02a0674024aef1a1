//! Tests of call invitations with a disconnected side. Displayed as
//! number/peer/channel/content/response.

use crate::tests::script::check;

#[test]
fn an_offline_callee_has_30_s_to_log_in() {
    check(
        "
        users alice
        alice LocalInvitation.send 1 bob room hi
        - alice LocalInvitation.send ok
        +29999ms
        bob login bob
        - bob state CONNECTING LOGIN
        - bob state CONNECTED LOGIN_SUCCESS
        - bob login ok
        - bob RemoteInvitationReceived 1/alice/room/hi/
        - alice LocalInvitationReceivedByPeer 1/bob/room/hi/
        +30s
        +1ms
        - alice LocalInvitationFailure 1/bob/room/hi/ INVITATION_EXPIRE
        - bob RemoteInvitationFailure 1/alice/room/hi/ INVITATION_EXPIRE
        alice LocalInvitation.send 2 carol room hi
        - alice LocalInvitation.send ok
        +30s
        - alice LocalInvitationFailure 2/carol/room/hi/ PEER_OFFLINE
        users carol
        ",
    );
}

#[test]
fn a_callee_without_a_link_does_not_respond() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        ~ alice LocalInvitation.cancel 1
        bob link down
        alice LocalInvitation.send 2 bob room hi
        - alice LocalInvitation.send ok
        +29s
        - bob state RECONNECTING INTERRUPTED
        bob link up
        - bob state CONNECTED LOGIN_SUCCESS
        - bob RemoteInvitationReceived 2/alice/room/hi/
        - alice LocalInvitationReceivedByPeer 2/bob/room/hi/
        ",
    );
    check(
        "
        users alice bob
        bob link down
        alice LocalInvitation.send 1 bob room hi
        - alice LocalInvitation.send ok
        ~ +29s
        +1s
        - alice LocalInvitationFailure 1/bob/room/hi/ PEER_NO_RESPONSE
        bob link up
        - bob state CONNECTED LOGIN_SUCCESS
        ",
    );
    check(
        "
        users alice bob
        ~ bob link down
        ~ +1s
        alice LocalInvitation.send 1 bob room hi
        - alice LocalInvitation.send ok
        ~ +29s
        +1s
        - alice LocalInvitationFailure 1/bob/room/hi/ PEER_OFFLINE
        ",
    );
}

#[test]
fn a_caller_without_a_link_has_30_s_to_recover() {
    check(
        "
        users alice bob
        ~ alice link down
        alice LocalInvitation.send 1 bob room hi
        - alice LocalInvitation.send ok
        ~ +29s
        alice link up
        - alice state CONNECTED LOGIN_SUCCESS
        - bob RemoteInvitationReceived 1/alice/room/hi/
        - alice LocalInvitationReceivedByPeer 1/bob/room/hi/
        ~ alice link down
        alice LocalInvitation.send 2 bob room hi
        - alice LocalInvitation.send ok
        ~ +29s
        +1s
        - alice LocalInvitationFailure 2/bob/room/hi/ PEER_NO_RESPONSE
        ",
    );
}

#[test]
fn a_caller_that_logs_out_without_a_link_cannot_withdraw() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice link down
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept ok
        - bob RemoteInvitationFailure 1/alice/room/hi/ PEER_OFFLINE
        ",
    );
}

#[test]
fn accepting_a_closed_caller_fails_as_offline() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice close
        bob RemoteInvitation.accept 1 yes
        - bob RemoteInvitation.accept ok
        - bob RemoteInvitationFailure 1/alice/room/hi/yes PEER_OFFLINE
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept INVITATION_API_CALL.ALREADY_END
        +100s
        ",
    );
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        ~ alice LocalInvitation.send 2 bob room hi
        alice close
        bob RemoteInvitation.refuse 1
        - bob RemoteInvitation.refuse ok
        - bob RemoteInvitationRefused 1/alice/room/hi/
        +60s
        - bob RemoteInvitationFailure 2/alice/room/hi/ INVITATION_EXPIRE
        ",
    );
}

#[test]
fn an_invitation_expires_after_the_callees_logout() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        ~ bob logout
        bob login bob
        - bob state CONNECTING LOGIN
        - bob state CONNECTED LOGIN_SUCCESS
        - bob login ok
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept INVITATION_API_CALL.ALREADY_END
        +60s
        - alice LocalInvitationFailure 1/bob/room/hi/ INVITATION_EXPIRE
        ",
    );
}

#[test]
fn an_accept_waits_for_a_caller_without_a_link() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice link down
        bob RemoteInvitation.accept 1 yes
        - bob RemoteInvitation.accept ok
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept INVITATION_API_CALL.ALREADY_ACCEPT
        +3s
        alice link up
        - alice LocalInvitationAccepted 1/bob/room/hi/yes yes
        - bob RemoteInvitationAccepted 1/alice/room/hi/yes
        +100s
        ",
    );
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice link down
        ~ bob RemoteInvitation.accept 1 yes
        ~ +9s
        +1s
        - bob RemoteInvitationFailure 1/alice/room/hi/yes ACCEPT_FAILURE
        ~ +49s
        +1s
        - alice LocalInvitationFailure 1/bob/room/hi/yes INVITATION_EXPIRE
        ",
    );
}

#[test]
fn a_refusal_waits_for_a_caller_without_a_link() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice link down
        bob RemoteInvitation.refuse 1 no
        - bob RemoteInvitation.refuse ok
        - bob RemoteInvitationRefused 1/alice/room/hi/no
        +1s
        alice link up
        - alice LocalInvitationRefused 1/bob/room/hi/no no
        ",
    );
}

#[test]
fn an_answer_waits_for_the_callees_own_link() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        bob link down
        bob RemoteInvitation.accept 1 yes
        +1s
        bob link up
        - bob RemoteInvitation.accept ok
        - alice LocalInvitationAccepted 1/bob/room/hi/yes yes
        - bob RemoteInvitationAccepted 1/alice/room/hi/yes
        ",
    );
}
