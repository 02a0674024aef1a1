//! The load against the toys: every message arrives once, every call is answered, and figures are there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use sigbridge_bench::load::Figures;

/// A server that ends with its test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("it prints its address");
        let address = address.trim().to_owned();
        Self { child, address }
    }

    fn load(&self, args: &str) -> Figures {
        let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
        command.args(args.split(' ')).args(["--address", &self.address]);
        let output = command
            .args(["--pid", &self.child.id().to_string()])
            .output()
            .expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).expect("figures")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn all_is_well(figures: &Figures, delivered_for_each: f64) {
    for name in ["lost", "refused", "repeated", "closed", "unanswered"] {
        assert!(
            figures.get(name).is_none_or(|value| *value == 0.0),
            "{name}: {figures:?}"
        );
    }
    assert!(figures["sent"] > 0.0);
    assert_eq!(figures["delivered"], figures["sent"] * delivered_for_each);
    for name in ["p50_us", "p99_us", "cpu_us", "per_second"] {
        assert!(figures[name] > 0.0, "{name}: {figures:?}");
    }
}

const SPAN: &str = "--warmup 0.1 --seconds 0.4";

#[test]
fn the_floor_delivers_peer_messages() {
    let floor = Server::start(env!("CARGO_BIN_EXE_floor"), &["127.0.0.1:0"]);
    let open = floor.load(&format!("peer --clients 10 --rate 500 {SPAN}"));
    all_is_well(&open, 1.0);
    assert_eq!(open["sent"], 250.0);
    all_is_well(
        &floor.load(&format!("peer --clients 10 --closed --bytes 2000 {SPAN}")),
        1.0,
    );
    let storm = floor.load("storm --clients 200");
    assert!(storm["all_ms"] >= 50.0 && storm["cpu_us"] > 0.0, "{storm:?}");
    let idle = floor.load("idle --steps 50,200 --after 0");
    assert!(idle["client_kib"] < 100.0, "{idle:?}");
}

#[test]
fn messages_are_acknowledged_after_a_second() {
    let floor = Server::start(env!("CARGO_BIN_EXE_floor"), &["127.0.0.1:0"]);
    let figures = floor.load("peer --clients 2 --rate 50 --warmup 0.1 --seconds 2.5 --json");
    all_is_well(&figures, 1.0);
    assert!(
        (2.0..=6.0).contains(&figures["polls"]),
        "2 clients, at 1 and 2 s: {figures:?}"
    );
}

#[test]
fn the_broadcast_delivers_to_all_members() {
    let broadcast = Server::start(env!("CARGO_BIN_EXE_broadcast"), &["127.0.0.1:0"]);
    let figures = broadcast.load(&format!("fanout --members 20 --rate 1000 {SPAN}"));
    all_is_well(&figures, 20.0);
    assert_eq!(figures["sent"], 25.0);
}

#[test]
fn a_member_that_stops_reading_is_closed_and_the_others_lose_nothing() {
    let broadcast = Server::start(env!("CARGO_BIN_EXE_broadcast"), &["127.0.0.1:0"]);
    let figures = broadcast.load("slow --members 3 --rate 600 --bytes 8000 --warmup 0 --seconds 0.4");
    assert_eq!((figures["lost"], figures["others_closed"]), (0.0, 0.0), "{figures:?}");
    assert_eq!(figures["slow_closed"], 1.0, "{figures:?}");
}

#[test]
fn the_relay_carries_round_trips() {
    let echo = Server::start(env!("CARGO_BIN_EXE_echo"), &["127.0.0.1:0"]);
    all_is_well(&echo.load(&format!("peer --echo --clients 10 --rate 500 {SPAN}")), 1.0);
    let relay = Server::start(env!("CARGO_BIN_EXE_relay"), &["127.0.0.1:0", &echo.address]);
    all_is_well(&relay.load(&format!("peer --echo --clients 10 --rate 500 {SPAN}")), 1.0);
    all_is_well(&relay.load(&format!("peer --echo --clients 10 --closed {SPAN}")), 1.0);
}
