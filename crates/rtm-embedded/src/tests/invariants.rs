//! Invariants under random steps.

use crate::RtmServiceConfig;
use crate::client::{Client, Phase};
use crate::random::Random;
use crate::service::Coordinator;
use crate::tests::script::Harness;

const STEPS: &[&str] = &[
    "@ login #",
    "@ login # expires:1000030",
    "@ logout",
    "@ renewToken t",
    "@ close",
    "@ link down",
    "@ link down",
    "@ link up",
    "@ link up",
    "@ join c#",
    "@ join c#",
    "@ join c#",
    "@ leave c#",
    "@ sendMessage c# hi",
    "@ sendMessageToPeer # hi",
    "@ sendMessageToPeer # hi",
    "@ getMembers c#",
    "@ getChannelMemberCount [\"cu1\",\"cu2\"]",
    "@ setLocalUserAttributes {\"a\":\"b\"}",
    "@ getUserAttributes #",
    "@ setChannelAttributes c# {\"a\":\"b\"} true",
    "@ clearChannelAttributes c# true",
    "@ subscribePeersOnlineStatus [\"u1\",\"u2\",\"u3\"]",
    "@ unsubscribePeersOnlineStatus [\"u2\"]",
    "@ LocalInvitation.send % # room hi",
    "@ LocalInvitation.cancel %",
    "@ RemoteInvitation.accept %",
    "@ RemoteInvitation.refuse %",
    "@ Rest.channelMessage # c# hi",
    "+300ms",
    "+2s",
    "+5s",
    "+31s",
];

/// Returns a random script of `length` steps.
fn script(random: &mut Random, length: usize) -> Vec<String> {
    let mut step = || {
        let step = STEPS[random.below(STEPS.len())];
        let step = step.replace('@', &format!("i{}", random.below(5)));
        let step = step.replace('#', &format!("u{}", random.below(4)));
        step.replace('%', &(1 + random.below(3)).to_string())
    };
    (0..length).map(|_| step()).collect()
}

#[test]
fn calls_are_answered_once_and_state_is_removed() {
    for seed in 0..40 {
        let steps = script(&mut Random::new(seed), 600);
        let config = RtmServiceConfig {
            offline_messages: true,
            ..RtmServiceConfig::default()
        };
        let mut harness = Harness::new(config);
        let mut again = Harness::new(config);
        for step in &steps {
            assert_eq!(harness.step(step), again.step(step), "the same steps, the same outputs");
            check_consistency(&harness.service.state);
        }
        for i in 0..5 {
            harness.step(&format!("i{i} link up"));
            harness.step(&format!("i{i} logout"));
        }
        harness.step("+100s");
        assert_eq!(harness.unanswered(), 0, "seed {seed}");
        for i in 0..5 {
            harness.step(&format!("i{i} close"));
        }
        harness.step("+604800s");
        let service = &harness.service;
        assert!(service.is_empty() && !service.state.clients.has_users(), "seed {seed}");
        assert!(
            service.state.presence.is_empty() && service.state.invitations.is_empty(),
            "seed {seed}"
        );
        assert_eq!(service.deadline(), None, "seed {seed}");
    }
}

/// Checks the consistency of redundant state.
fn check_consistency(service: &Coordinator) {
    let sessions = service.clients.iter().filter_map(|(&id, client)| match client {
        Client {
            phase: Phase::In(session),
            ..
        } => Some((id, session)),
        _ => None,
    });
    let (mut members, mut away) = (0, 0);
    for (client, session) in sessions {
        assert_eq!(session.present, service.clients.of_user(&session.user) == Some(client));
        for joined in &session.joined {
            let channel = service.channels.get(&joined.channel).expect("it has a member");
            if let Some(place) = joined.place {
                let member = &channel.members[place];
                assert_eq!(member.client, client);
                assert_eq!(member.reachable, session.is_reachable());
                members += 1;
            }
            assert_eq!(joined.missed.is_some(), !session.is_reachable());
            away += usize::from(joined.missed.is_some());
        }
    }
    assert_eq!(members, service.channels.iter().map(|c| c.members.len()).sum::<usize>());
    assert_eq!(away, service.channels.iter().map(|c| c.missed.away).sum::<usize>());
}
