//! Sidecars and Redis killed and frozen under load: no accepted message is lost.
//!
//! `SIGBRIDGE_KILLS` is the number of kills; the default is small. `SIGBRIDGE_FREEZE` is the length of a freeze in seconds.

#![expect(
    clippy::disallowed_methods,
    reason = "interruptions are made by threads of their own"
)]
#![expect(clippy::print_stdout, reason = "figures")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rtm::upstream::{Upstream as _, UpstreamEvent};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::server::{RedisServer, is_installed};
use crate::upstream::{Instance, Sidecar, to};

/// Time between two messages: 500 a second.
const PACE: Duration = Duration::from_millis(2);
/// Messages between two interruptions.
const MESSAGES: usize = 150;
const PATIENCE: Duration = Duration::from_secs(30);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn kills() -> usize {
    number("SIGBRIDGE_KILLS").map_or(3, |kills| kills as usize)
}

/// Texts that are compared at the end.
#[derive(Default)]
struct Count {
    /// Texts that were received or stored, by the replies to their sender.
    accepted: Vec<String>,
    /// Texts of the receiver, in order, over all its logins.
    received: Vec<String>,
}

impl Count {
    fn report(&self, title: &str) -> (usize, usize, usize) {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for text in &self.received {
            *times.entry(text).or_default() += 1;
        }
        let lost = self
            .accepted
            .iter()
            .filter(|text| !times.contains_key(text.as_str()))
            .count();
        let doubled = times.values().filter(|&&n| n > 1).count();
        let mut first: Vec<usize> = Vec::new();
        for text in &self.received {
            let number = text.parse().expect("a number");
            if !first.contains(&number) {
                first.push(number);
            }
        }
        let disorder = first.windows(2).filter(|pair| pair[0] > pair[1]).count();
        println!(
            "{title}: {} accepted, {lost} lost, {doubled} doubled, {disorder} out of order",
            self.accepted.len()
        );
        (lost, doubled, disorder)
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Sends numbered texts at a pace. Returns their calls.
async fn send(alice: &mut Instance, next: &mut usize) -> HashMap<u64, String> {
    let begun = Instant::now();
    let mut calls = HashMap::new();
    for at in 0..MESSAGES {
        tokio::time::sleep_until(begun + PACE * u32::try_from(at).expect("a small number")).await;
        let text = next.to_string();
        *next += 1;
        calls.insert(alice.begin(to("bob", text.clone())), text);
    }
    calls
}

async fn accepted(alice: &Instance, calls: &HashMap<u64, String>, count: &mut Count) {
    let until = Instant::now() + PATIENCE;
    while alice.answered() < alice.begun() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut numbers: Vec<u64> = alice
        .stored()
        .into_iter()
        .filter(|number| calls.contains_key(number))
        .collect();
    numbers.sort_unstable();
    count
        .accepted
        .extend(numbers.iter().map(|number| calls[number].clone()));
}

#[test]
fn sidecars_are_killed_under_load() {
    if !is_installed() {
        return;
    }
    let server = RedisServer::start(&[]);
    let main = runtime();
    let (steady, mut alice) = main.block_on(async {
        let steady = Sidecar::start(&server.url()).await;
        let alice = Instance::login(&steady, "alice").await;
        (steady, alice)
    });
    let (mut count, mut next) = (Count::default(), 0);
    for _ in 0..kills() {
        // The receiver is at a sidecar with a runtime of its own, which ends at once.
        let victim = runtime();
        let bob = victim.block_on(async {
            let sidecar = Sidecar::start(&server.url()).await;
            (Instance::login(&sidecar, "bob").await, sidecar)
        });
        main.block_on(async {
            let middle = next + MESSAGES / 2;
            let calls = {
                let sending = send(&mut alice, &mut next);
                tokio::pin!(sending);
                let killed = tokio::time::sleep(PACE * (MESSAGES / 2) as u32);
                tokio::select! {
                    _ = &mut sending => unreachable!("the kill is earlier"),
                    () = killed => {}
                }
                victim.shutdown_background();
                sending.await
            };
            assert!(middle < next);
            accepted(&alice, &calls, &mut count).await;
        });
        count.received.extend(bob.0.texts());
        // The receiver logs in elsewhere.
        main.block_on(async {
            let back = Instance::login(&steady, "bob").await;
            let until = Instant::now() + Duration::from_secs(12);
            loop {
                let texts = back.texts();
                let missing = count
                    .accepted
                    .iter()
                    .any(|text| !count.received.contains(text) && !texts.contains(text));
                if !missing || Instant::now() > until {
                    count.received.extend(texts);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            steady.upstream.close(&back.key);
            tokio::time::sleep(Duration::from_millis(150)).await;
        });
        std::mem::forget(bob.1);
    }
    let (lost, _, _) = count.report(&format!("{} sidecars killed", kills()));
    assert_eq!(lost, 0);
    steady.shutdown.cancel();
}

/// Interrupts Redis under load.
fn interrupt(
    title: &str,
    times: usize,
    args: &[&str],
    interruption: impl Fn(&mut RedisServer) + Send + Copy + 'static,
) {
    let server = Arc::new(Mutex::new(RedisServer::start(args)));
    let url = server.lock().url();
    let main = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (one, two, mut alice, bob) = main.block_on(async {
        let (one, two) = (Sidecar::start(&url).await, Sidecar::start(&url).await);
        let (alice, bob) = (Instance::login(&one, "alice").await, Instance::login(&two, "bob").await);
        (one, two, alice, bob)
    });
    let (mut count, mut next) = (Count::default(), 0);
    for _ in 0..times {
        main.block_on(async {
            let interrupted = server.clone();
            let interrupting = tokio::task::spawn_blocking(move || {
                std::thread::sleep(PACE * (MESSAGES / 3) as u32);
                interruption(&mut interrupted.lock());
            });
            let calls = send(&mut alice, &mut next).await;
            interrupting.await.expect("an interruption");
            accepted(&alice, &calls, &mut count).await;
        });
    }
    main.block_on(async {
        let until = Instant::now() + PATIENCE;
        while count.accepted.iter().any(|text| !bob.texts().contains(text)) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    count.received = bob.texts();
    let (lost, doubled, disorder) = count.report(&format!("{times} {title}"));
    assert_eq!((lost, doubled, disorder), (0, 0, 0));
    let outages = bob.count(|event| matches!(event, UpstreamEvent::Up(false)));
    println!("outages: {outages}");
    one.shutdown.cancel();
    two.shutdown.cancel();
}

#[test]
fn redis_is_killed_under_load() {
    if is_installed() {
        interrupt("kills of Redis", kills(), &["--appendonly", "yes"], |server| {
            server.kill();
            server.restart();
        });
    }
}

#[test]
fn redis_is_frozen_under_load() {
    if is_installed() {
        let time = Duration::from_secs(number("SIGBRIDGE_FREEZE").unwrap_or(1));
        let freeze = move |server: &mut RedisServer| server.freeze(time);
        interrupt("freezes of Redis", kills(), &[], freeze);
    }
}
