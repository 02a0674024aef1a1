//! Whatever a client sends: nobody panics, nobody else is moved, every call has one answer.

use proptest::prelude::*;
use sigbridge::bridge::SessionLimits;

use crate::invent::{arguments, json};
use crate::sim::seen::Seen;
use crate::sim::{Config, Sim};
use crate::tables;

fn world() -> Sim {
    let limits = SessionLimits {
        messages_per_second: 5,
        ..SessionLimits::default()
    };
    let mut sim = Sim::new(
        tables(),
        Config {
            limits,
            ..Config::default()
        },
    );
    for name in ["mallory", "alice", "bob"] {
        sim.login(name);
    }
    for name in ["alice", "bob"] {
        sim.client(name).documented("channelJoin", &["room"]).expect("a call");
        sim.settle();
    }
    sim.pass(std::time::Duration::from_secs(10));
    sim.take_seen();
    sim
}

/// A call of a real function of a wire with any arguments; `$line` is the caller's line.
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

/// What the frame of somebody else may lead to for Alice: what a user may do to another.
fn is_moved(seen: &Seen) -> bool {
    let allowed = ["onMessage", "onInvite", "onChannelUser", "onChannelAttr", "note"];
    let word = seen.words.first().map_or("", String::as_str);
    seen.who != "mallory" && !allowed.iter().any(|name| word.starts_with(name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_moves_nobody(texts in proptest::collection::vec(prop_oneof![any::<String>(), json()], 1..6)) {
        let mut sim = world();
        for text in &texts {
            sim.client("mallory").raw_frame(text);
            sim.settle();
        }
        let seen = sim.take_seen();
        prop_assert!(seen.iter().all(|seen| seen.who == "mallory"), "{seen:?}");
        speaks(&mut sim)?;
    }

    #[test]
    fn every_call_has_one_answer(calls in proptest::collection::vec(call("web"), 1..12)) {
        let mut sim = world();
        for (at, (function, args)) in calls.iter().enumerate() {
            let args = args.replace("$line", &sim.client("mallory").line);
            let id = 1000 + at;
            sim.client("mallory").raw_frame(&format!(r#"["call2",["{function}",{id},{args}]]"#));
            sim.settle();
        }
        sim.pass(std::time::Duration::from_secs(70));
        let seen = sim.take_seen();
        let fault = seen.iter().find(|seen| seen.words.first().is_some_and(|word| word == "FAULT"));
        prop_assert!(fault.is_none(), "{fault:?}");
        let moved = seen.iter().find(|seen| is_moved(seen));
        prop_assert!(moved.is_none(), "{moved:?}");
        let mut ids: Vec<usize> = seen
            .iter()
            .filter(|seen| seen.who == "mallory" && seen.words[0] == "reply")
            .map(|seen| seen.words[1].parse().unwrap())
            .collect();
        ids.sort_unstable();
        // A logout ends the session and its socket: what still waits then has no other answer, and what comes behind it
        // reaches nobody.
        let logout = calls.iter().position(|(function, _)| function == "user_logout");
        let end = 1000 + logout.map_or(calls.len(), |at| at + 1);
        let all: Vec<usize> = (1000..end).filter(|id| logout.is_none() || *id == end - 1 || ids.contains(id)).collect();
        prop_assert_eq!(ids, all);
        speaks(&mut sim)?;
    }
}

/// Alice and Bob are as they were.
fn speaks(sim: &mut Sim) -> Result<(), TestCaseError> {
    sim.client("alice")
        .documented("messageChannelSend", &["room", "still here"])
        .expect("a call");
    sim.settle();
    let seen = sim.take_seen();
    let heard: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.who != "mallory")
        .map(|seen| &*seen.words[0])
        .collect();
    prop_assert_eq!(
        heard,
        [
            "onMessageSendSuccess",
            "onMessageChannelReceive",
            "onMessageChannelReceive"
        ]
    );
    Ok(())
}
