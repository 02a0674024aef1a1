//! Lines of an earlier session that arrive after the client's first poll.

use std::time::Duration;

use engine::Input;
use protocol::event::Event;

use crate::sim::{Config, Sim};
use crate::tables;

#[test]
fn lines_that_come_late_are_told_of_at_once() {
    for family in ["web", "javasdk", "native"] {
        let mut sim = Sim::new(tables(), Config::default());
        sim.family(family, "alice").expect("a family");
        sim.login("alice");
        sim.pass(Duration::from_secs(5));
        sim.take_seen();
        let event = Event {
            sig: tables().signature_named("onMessageInstantReceive").expect("an event"),
            row: 0,
            args: vec!["bob".into(), 0.into(), "late".into()],
        };
        let session = sim.bridge.session_named("alice").expect("a session");
        let now = sim.now;
        sim.bridge.step(now, session, Input::Kept(vec![(event, now)]));
        sim.settle();
        let seen: Vec<String> = sim.take_seen().iter().map(ToString::to_string).collect();
        assert_eq!(seen, ["> alice onMessageInstantReceive bob 0 late"], "{family}");
    }
}
