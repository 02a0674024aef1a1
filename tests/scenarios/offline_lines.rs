//! Lines of an earlier session that arrive after the client's first poll.

use std::time::Duration;

use protocol::event::Event;

use crate::sim::{Config, Sim};
use crate::{set, tables};

#[test]
fn late_offline_lines_are_notified_at_once() {
    for family in ["web", "javasdk", "native"] {
        let mut sim = Sim::new(set(), Config::default());
        sim.family(family, "alice").expect("a family");
        sim.login("alice");
        sim.pass(Duration::from_secs(5));
        sim.take_observed();
        let event = Event {
            sig: tables().signature_named("onMessageInstantReceive").expect("an event"),
            row: 0,
            args: vec!["bob".into(), 0.into(), "late".into()],
        };
        sim.deliver_offline("alice", vec![event]).expect("a session");
        let observed: Vec<String> = sim.take_observed().iter().map(ToString::to_string).collect();
        assert_eq!(observed, ["> alice onMessageInstantReceive bob 0 late"], "{family}");
    }
}
