//! Tests of presence queries and subscriptions.

use crate::tests::script::check;

#[test]
fn a_query_returns_the_online_status() {
    check(
        "
        users alice bob
        alice queryPeersOnlineStatus [\"bob\",\"eve\",\"alice\",\"bob\"]
        - alice queryPeersOnlineStatus ok {bob=true,eve=false,alice=true}
        ~ bob logout
        alice queryPeersOnlineStatus [\"bob\"]
        - alice queryPeersOnlineStatus ok {bob=false}
        ",
    );
}

#[test]
fn subscribers_get_the_first_state_and_every_change() {
    check(
        "
        users alice bob
        alice subscribePeersOnlineStatus [\"eve\",\"bob\"]
        - alice subscribePeersOnlineStatus ok
        - alice PeersOnlineStatusChanged {bob=ONLINE,eve=OFFLINE}
        bob logout
        - bob state DISCONNECTED LOGOUT
        - bob logout ok
        - alice PeersOnlineStatusChanged {bob=OFFLINE}
        eve login eve
        - eve state CONNECTING LOGIN
        - eve state CONNECTED LOGIN_SUCCESS
        - eve login ok
        - alice PeersOnlineStatusChanged {eve=ONLINE}
        alice queryPeersBySubscriptionOption
        - alice queryPeersBySubscriptionOption ok [bob,eve]
        alice unsubscribePeersOnlineStatus [\"eve\",\"nobody\"]
        - alice unsubscribePeersOnlineStatus ok
        ~ eve logout
        alice queryPeersBySubscriptionOption
        - alice queryPeersBySubscriptionOption ok [bob]
        ",
    );
}

#[test]
fn subscriptions_end_with_the_login() {
    check(
        "
        users alice
        ~ alice subscribePeersOnlineStatus [\"bob\"]
        ~ alice logout
        ~ +1s
        users alice
        users bob
        alice queryPeersBySubscriptionOption
        - alice queryPeersBySubscriptionOption ok []
        ",
    );
}

#[test]
fn at_most_512_users_can_be_subscribed() {
    check(
        "
        users alice
        alice subscribePeersOnlineStatus ids*513
        - alice subscribePeersOnlineStatus PEER_SUBSCRIPTION_STATUS.OVERFLOW
        ~ alice subscribePeersOnlineStatus ids*512
        ~ alice subscribePeersOnlineStatus ids*512
        alice subscribePeersOnlineStatus [\"one-more\"]
        - alice subscribePeersOnlineStatus PEER_SUBSCRIPTION_STATUS.OVERFLOW
        alice unsubscribePeersOnlineStatus [\"id0\"]
        - alice unsubscribePeersOnlineStatus ok
        ~ alice subscribePeersOnlineStatus [\"one-more\"]
        alice subscribePeersOnlineStatus [\"id0\"]
        - alice subscribePeersOnlineStatus PEER_SUBSCRIPTION_STATUS.OVERFLOW
        ",
    );
}
