//! Tests of call invitations. Displayed as number/peer/channel/content/response.

use crate::RtmServiceConfig;
use crate::tests::script::{Harness, check};

#[test]
fn an_invitation_rings_and_is_accepted() {
    check(
        "
        users alice bob
        alice LocalInvitation.send 7 bob room hi
        - alice LocalInvitation.send ok
        - bob RemoteInvitationReceived 1/alice/room/hi/
        - alice LocalInvitationReceivedByPeer 7/bob/room/hi/
        bob RemoteInvitation.accept 1 yes
        - bob RemoteInvitation.accept ok
        - alice LocalInvitationAccepted 7/bob/room/hi/yes yes
        - bob RemoteInvitationAccepted 1/alice/room/hi/yes
        bob RemoteInvitation.refuse 1
        - bob RemoteInvitation.refuse INVITATION_API_CALL.ALREADY_END
        alice LocalInvitation.cancel 7
        - alice LocalInvitation.cancel INVITATION_API_CALL.ALREADY_END
        alice LocalInvitation.send 7 bob room hi
        - alice LocalInvitation.send INVITATION_API_CALL.ALREADY_END
        +100s
        ",
    );
}

#[test]
fn an_invitation_is_refused() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob null hi
        bob RemoteInvitation.refuse 1 no
        - bob RemoteInvitation.refuse ok
        - bob RemoteInvitationRefused 1/alice/-/hi/no
        - alice LocalInvitationRefused 1/bob/-/hi/no no
        +100s
        ",
    );
}

#[test]
fn an_invitation_is_canceled() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        alice LocalInvitation.cancel 1 bye
        - alice LocalInvitation.cancel ok
        - alice LocalInvitationCanceled 1/bob/room/hi/
        - bob RemoteInvitationCanceled 1/alice/room/hi/ bye
        ~ alice LocalInvitation.send 2 bob room again
        alice LocalInvitation.cancel 2
        - alice LocalInvitation.cancel ok
        - alice LocalInvitationCanceled 2/bob/room/again/
        - bob RemoteInvitationCanceled 2/alice/room/again/ again
        alice LocalInvitation.send 3 nobody room hi
        - alice LocalInvitation.send ok
        alice LocalInvitation.cancel 3
        - alice LocalInvitation.cancel ok
        - alice LocalInvitationCanceled 3/nobody/room/hi/
        +100s
        ",
    );
}

#[test]
fn received_invitations_are_numbered_per_instance() {
    check(
        "
        users alice bob carol
        ~ alice LocalInvitation.send 5 bob a one
        carol LocalInvitation.send 5 bob c two
        - carol LocalInvitation.send ok
        - bob RemoteInvitationReceived 2/carol/c/two/
        - carol LocalInvitationReceivedByPeer 5/bob/c/two/
        alice LocalInvitation.send 6 carol a three
        - alice LocalInvitation.send ok
        - carol RemoteInvitationReceived 1/alice/a/three/
        - alice LocalInvitationReceivedByPeer 6/carol/a/three/
        ~ bob logout
        ~ bob login bob
        alice LocalInvitation.send 7 bob a four
        - alice LocalInvitation.send ok
        - bob RemoteInvitationReceived 3/alice/a/four/
        - alice LocalInvitationReceivedByPeer 7/bob/a/four/
        ",
    );
}

#[test]
fn an_unanswered_invitation_expires_60_s_after_send() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        +59999ms
        +1ms
        - alice LocalInvitationFailure 1/bob/room/hi/ INVITATION_EXPIRE
        - bob RemoteInvitationFailure 1/alice/room/hi/ INVITATION_EXPIRE
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept INVITATION_API_CALL.ALREADY_END
        ",
    );
}

#[test]
fn without_a_login_an_invitation_fails_by_event() {
    check(
        "
        new LocalInvitation.send 1 bob room hi
        - new LocalInvitation.send ok
        - new LocalInvitationFailure 1/bob/room/hi/ NOT_LOGGEDIN
        new LocalInvitation.send 1 bob room hi
        - new LocalInvitation.send INVITATION_API_CALL.ALREADY_END
        ",
    );
}

#[test]
fn a_caller_that_logs_out_withdraws() {
    check(
        "
        users alice bob
        ~ alice LocalInvitation.send 1 bob room hi
        ~ alice LocalInvitation.send 2 nobody room hi
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        - bob RemoteInvitationCanceled 1/alice/room/hi/ hi
        bob RemoteInvitation.accept 1
        - bob RemoteInvitation.accept INVITATION_API_CALL.ALREADY_END
        +100s
        ",
    );
}

#[test]
fn one_can_invite_oneself() {
    check(
        "
        users alice
        alice LocalInvitation.send 1 alice room hi
        - alice LocalInvitation.send ok
        - alice RemoteInvitationReceived 1/alice/room/hi/
        - alice LocalInvitationReceivedByPeer 1/alice/room/hi/
        alice logout
        - alice state DISCONNECTED LOGOUT
        - alice logout ok
        +100s
        ",
    );
}

#[test]
fn pending_invitations_are_bounded() {
    let mut harness = Harness::new(RtmServiceConfig::default());
    harness.step("users alice");
    for i in 0..256 {
        assert_eq!(
            harness
                .step(&format!("alice LocalInvitation.send {i} bob room hi"))
                .len(),
            1
        );
    }
    let seen = harness.step("alice LocalInvitation.send 256 bob room hi");
    assert_eq!(seen[1], "alice LocalInvitationFailure 256/bob/room/hi/ UNKNOWN");
}
