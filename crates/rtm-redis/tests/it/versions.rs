//! Nodes of two versions of this program on one Redis, step by step.
//!
//! A later version of the same schema has additional fields and entries; one of a later schema waits for the earlier nodes.

use std::time::Duration;

use rtm::{InvitationId, OnlineState, RtmCall, RtmEvent, RtmReply};

use crate::failures::{BEAT, Fixture, events_of, login, reply_of, room, texts, to, user};

/// Changes of the script that the schema permits (docs/spec/redis.md, section 7).
const LATER: [(&str, &str); 6] = [
    // A field at the end of each entry, and an entry of an unknown kind before it.
    (
        "call('XADD', S .. to, '*', 'e', pack({node, ARGV[2], tostring(index), ...}))",
        "call('XADD', S .. to, '*', 'e', pack({node, ARGV[2], tostring(index), 'novelty', 'bob', 'x'}))
         index = index + 1
         local entry = {node, ARGV[2], tostring(index), ...}
         entry[#entry + 1] = 'addition'
         call('XADD', S .. to, '*', 'e', pack(entry))",
    ),
    (
        "    items[#items + 1] = {...}",
        "    local entry = {...}\n entry[#entry + 1] = 'addition'\n items[#items + 1] = entry",
    ),
    ("from, time, body, before})", "from, time, body, before, 'addition'})"),
    (
        "call('HSET', M, 'schema', SCHEMA)",
        "call('HSET', M, 'schema', SCHEMA, 'addition', '1')",
    ),
    (
        "call('HSET', N, 'seq', ARGV[8], 'reply', '')",
        "call('HSET', N, 'seq', ARGV[8], 'reply', '', 'addition', '1')",
    ),
    ("'sent', stamp)", "'sent', stamp, 'addition', '1')"),
];

const LATER_SCHEMA: [(&str, &str); 1] = [("local SCHEMA = 1", "local SCHEMA = 2")];

fn is(event: impl Fn(&RtmEvent) -> bool) -> impl Fn(&[RtmEvent]) -> bool {
    move |events| events.iter().any(&event)
}

#[test]
fn nodes_of_two_versions_exchange_everything() {
    let Some(mut fixture) = Fixture::start(1) else { return };
    let later = fixture.cluster.add_version(BEAT, &LATER);
    let places = [(0, 1, "alice"), (later, 2, "bob")];
    for (at, client, name) in places {
        fixture.user(at, client, name);
    }
    for [(at, client, name), (_, other, peer)] in [places, [places[1], places[0]]] {
        let sent = fixture.call(at, client, to(peer, name));
        assert_eq!(reply_of(&sent, client), Some(Ok(RtmReply::HasPeerReceived(true))));
        assert_eq!(texts(&events_of(&sent, other)), [name]);
        let peer_ids = vec![user(peer)];
        fixture.call(at, client, RtmCall::SubscribePeersOnlineStatus { peer_ids });
        let joined = fixture.call(at, client, RtmCall::Join { channel_id: room() });
        assert_eq!(reply_of(&joined, client), Some(Ok(RtmReply::Void)));
    }
    for [(at, client, name), (to_place, other, peer)] in [places, [places[1], places[0]]] {
        let message = rtm::Message::Text(name.into());
        let sent = fixture.call(
            at,
            client,
            RtmCall::SendMessage {
                channel_id: room(),
                message,
            },
        );
        assert!(is(|event| matches!(event, RtmEvent::ChannelMessage { .. }))(
            &events_of(&sent, other)
        ));
        let left = fixture.call(at, client, RtmCall::Leave { channel_id: room() });
        assert!(is(|event| matches!(event, RtmEvent::MemberLeft { .. }))(&events_of(
            &left, other
        )));
        let back = fixture.call(at, client, RtmCall::Join { channel_id: room() });
        assert!(is(|event| matches!(event, RtmEvent::MemberJoined { .. }))(&events_of(
            &back, other
        )));
        let invitation = InvitationId(client);
        let rings = fixture.call(
            at,
            client,
            RtmCall::LocalInvitationSend {
                invitation,
                callee_id: user(peer),
                channel_id: None,
                content: "".into(),
            },
        );
        assert!(is(|event| matches!(
            event,
            RtmEvent::LocalInvitationReceivedByPeer { .. }
        ))(&events_of(&rings, client)));
        let received = events_of(&rings, other).into_iter().find_map(|event| match event {
            RtmEvent::RemoteInvitationReceived { invitation } => Some(invitation.invitation),
            _ => None,
        });
        let invitation = received.expect("the invitation arrives");
        let accepted = fixture.call(
            to_place,
            other,
            RtmCall::RemoteInvitationAccept {
                invitation,
                response: None,
            },
        );
        assert!(is(|event| matches!(event, RtmEvent::LocalInvitationAccepted { .. }))(
            &events_of(&accepted, client)
        ));
    }
    // The nodes renew their leases, and notice the failure of each other.
    fixture.pass(BEAT * 3);
    fixture.cluster.kill(later);
    let seen = fixture.pass(Duration::from_secs(10));
    let offline = RtmEvent::PeersOnlineStatusChanged {
        status: vec![(user("bob"), OnlineState::Offline)],
    };
    assert_eq!(events_of(&seen, 1).iter().filter(|event| **event == offline).count(), 1);
}

#[test]
fn a_later_schema_waits_for_earlier_nodes_and_then_refuses_them() {
    let Some(mut fixture) = Fixture::start(2) else { return };
    fixture.user(0, 1, "alice");
    fixture.user(1, 2, "carol");
    let later = fixture.cluster.add_version(BEAT, &LATER_SCHEMA);
    fixture.cluster.open(later, 3);
    let mut out = Vec::new();
    fixture.cluster.call(later, 3, 900, login("bob"), &mut out);
    fixture.pass(BEAT * 2);
    let sent = fixture.call(0, 1, to("carol", "still served"));
    assert_eq!(texts(&events_of(&sent, 2)), ["still served"]);
    // One earlier node stops for longer than its lease, the other one ends.
    let frozen = fixture.cluster.freeze(0);
    fixture.cluster.kill(1);
    let seen = fixture.pass(BEAT * 6);
    assert!(
        reply_of(&seen, 3).is_some(),
        "the call was answered while the node waited: {seen:?}"
    );
    fixture.cluster.open(later, 4);
    let seen = fixture.call(later, 4, login("bob"));
    assert_eq!(reply_of(&seen, 4), Some(Ok(RtmReply::Void)), "the later node serves");
    fixture.cluster.thaw(0, frozen);
    let sent = fixture.call(0, 1, to("bob", "from an earlier schema"));
    assert_eq!((reply_of(&sent, 1), events_of(&sent, 4)), (None, vec![]));
    let seen = fixture.pass(Duration::from_secs(5));
    assert!(matches!(reply_of(&seen, 1), Some(Err(_))), "{seen:?}");
    assert_eq!(events_of(&seen, 4), []);
}
