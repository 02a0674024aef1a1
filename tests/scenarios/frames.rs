//! Robustness against any client frame: no panic, no effect on other users, one answer for every
//! call.

use proptest::prelude::*;

use crate::invent::{arguments, json};
use crate::sim::observed::Observed;
use crate::sim::{Config, Sim};
use crate::{set, tables};

fn sim() -> Sim {
    let mut config = Config::default();
    config.server.limits.messages_per_second = 5;
    let mut sim = Sim::new(set(), config);
    for name in ["mallory", "alice", "bob"] {
        sim.login(name);
    }
    for name in ["alice", "bob"] {
        sim.client(name).documented("channelJoin", &["room"]).expect("a call");
        sim.settle();
    }
    sim.pass(std::time::Duration::from_secs(10));
    sim.take_observed();
    sim
}

/// A call of a real function of a wire with any arguments; `$line` is the caller's session line.
fn call(wire: &str) -> impl Strategy<Value = (String, String)> {
    let wire = tables().wire(wire).expect("a wire").clone();
    let functions: Vec<String> = wire
        .functions
        .iter()
        .map(|function| function.name.to_string())
        .collect();
    (proptest::sample::select(functions), arguments("$line")).prop_map(|(function, args)| {
        // A logout is one: what the test expects depends on it.
        let args = if function == "user_logout" {
            r#"{"line":"$line"}"#.to_owned()
        } else {
            args
        };
        (function, args)
    })
}

/// Returns true for an effect on Alice that a frame of another user may have.
fn is_allowed_effect(observed: &Observed) -> bool {
    let allowed = ["onMessage", "onInvite", "onChannelUser", "onChannelAttr", "note"];
    let word = observed.words.first().map_or("", String::as_str);
    observed.who != "mallory" && !allowed.iter().any(|name| word.starts_with(name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_affects_only_its_sender(texts in proptest::collection::vec(prop_oneof![any::<String>(), json()], 1..6)) {
        let mut sim = sim();
        for text in &texts {
            sim.client("mallory").raw_frame(text);
            sim.settle();
        }
        let observed = sim.take_observed();
        prop_assert!(observed.iter().all(|observed| observed.who == "mallory"), "{observed:?}");
        assert_usable(&mut sim)?;
    }

    #[test]
    fn every_call_has_one_answer(calls in proptest::collection::vec(call("web"), 1..12)) {
        let mut sim = sim();
        for (at, (function, args)) in calls.iter().enumerate() {
            let args = args.replace("$line", &sim.client("mallory").line);
            let id = 1000 + at;
            sim.client("mallory").raw_frame(&format!(r#"["call2",["{function}",{id},{args}]]"#));
            sim.settle();
        }
        sim.pass(std::time::Duration::from_secs(70));
        let observed = sim.take_observed();
        let fault = observed.iter().find(|observed| observed.words.first().is_some_and(|word| word == "FAULT"));
        prop_assert!(fault.is_none(), "{fault:?}");
        let moved = observed.iter().find(|observed| is_allowed_effect(observed));
        prop_assert!(moved.is_none(), "{moved:?}");
        let mut ids: Vec<usize> = observed
            .iter()
            .filter(|observed| observed.who == "mallory" && observed.words[0] == "reply")
            .map(|observed| observed.words[1].parse().unwrap())
            .collect();
        ids.sort_unstable();
        // A logout ends the session and its socket: pending calls then have no other answer, and
        // later ones have no receiver.
        let logout = calls.iter().position(|(function, _)| function == "user_logout");
        let end = 1000 + logout.map_or(calls.len(), |at| at + 1);
        let all: Vec<usize> = (1000..end).filter(|id| logout.is_none() || *id == end - 1 || ids.contains(id)).collect();
        prop_assert_eq!(ids, all);
        assert_usable(&mut sim)?;
    }
}

/// Checks that Alice and Bob can still communicate.
fn assert_usable(sim: &mut Sim) -> Result<(), TestCaseError> {
    sim.client("alice")
        .documented("messageChannelSend", &["room", "still here"])
        .expect("a call");
    sim.settle();
    let observed = sim.take_observed();
    let received: Vec<&str> = observed
        .iter()
        .filter(|observed| observed.who != "mallory")
        .map(|observed| &*observed.words[0])
        .collect();
    prop_assert_eq!(
        received,
        [
            "onMessageSendSuccess",
            "onMessageChannelReceive",
            "onMessageChannelReceive"
        ]
    );
    Ok(())
}
