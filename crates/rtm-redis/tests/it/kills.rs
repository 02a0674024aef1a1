//! Sidecars and Redis killed and frozen under load: nothing that was accepted is lost.
//!
//! `SIGBRIDGE_KILLS` says how often; the default is a few, for every run of the tests.

#![expect(clippy::disallowed_methods, reason = "blows are struck by threads of their own")]
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

/// Between two messages: 500 a second.
const PACE: Duration = Duration::from_millis(2);
/// Messages between two blows.
const MESSAGES: usize = 150;
const PATIENCE: Duration = Duration::from_secs(30);

fn kills() -> usize {
    let given = std::env::var("SIGBRIDGE_KILLS").ok().and_then(|n| n.parse().ok());
    given.unwrap_or(3)
}

/// What is compared at the end.
#[derive(Default)]
struct Count {
    /// Texts whose sender was told that they are received, or that they are kept.
    accepted: Vec<String>,
    /// Texts that the receiver got, in order, over all its logins.
    got: Vec<String>,
}

impl Count {
    fn report(&self, what: &str) -> (usize, usize, usize) {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for text in &self.got {
            *times.entry(text).or_default() += 1;
        }
        let lost = self
            .accepted
            .iter()
            .filter(|text| !times.contains_key(text.as_str()))
            .count();
        let doubled = times.values().filter(|&&n| n > 1).count();
        let mut first: Vec<usize> = Vec::new();
        for text in &self.got {
            let number = text.parse().expect("a number");
            if !first.contains(&number) {
                first.push(number);
            }
        }
        let disorder = first.windows(2).filter(|pair| pair[0] > pair[1]).count();
        println!(
            "{what}: {} accepted, {lost} lost, {doubled} doubled, {disorder} out of order",
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

/// Sends numbered texts at a pace; which of them were accepted.
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
        // The receiver is at a sidecar of its own runtime, which is gone from one moment to the next.
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
                    _ = &mut sending => unreachable!("the half comes first"),
                    () = killed => {}
                }
                victim.shutdown_background();
                sending.await
            };
            assert!(middle < next);
            accepted(&alice, &calls, &mut count).await;
        });
        count.got.extend(bob.0.texts());
        // The receiver comes back elsewhere.
        main.block_on(async {
            let back = Instance::login(&steady, "bob").await;
            let until = Instant::now() + Duration::from_secs(12);
            loop {
                let texts = back.texts();
                let missing = count
                    .accepted
                    .iter()
                    .any(|text| !count.got.contains(text) && !texts.contains(text));
                if !missing || Instant::now() > until {
                    count.got.extend(texts);
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

/// Redis ends and begins again, or stands still, under load.
fn blows(what: &str, times: usize, args: &[&str], blow: impl Fn(&mut RedisServer) + Send + Copy + 'static) {
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
            let struck = server.clone();
            let striking = tokio::task::spawn_blocking(move || {
                std::thread::sleep(PACE * (MESSAGES / 3) as u32);
                blow(&mut struck.lock());
            });
            let calls = send(&mut alice, &mut next).await;
            striking.await.expect("a blow");
            accepted(&alice, &calls, &mut count).await;
        });
    }
    main.block_on(async {
        let until = Instant::now() + PATIENCE;
        while count.accepted.iter().any(|text| !bob.texts().contains(text)) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    count.got = bob.texts();
    let (lost, doubled, disorder) = count.report(&format!("{times} {what}"));
    assert_eq!((lost, doubled, disorder), (0, 0, 0));
    let outages = bob.count(|event| matches!(event, UpstreamEvent::Up(false)));
    println!("outages that were told: {outages}");
    one.shutdown.cancel();
    two.shutdown.cancel();
}

#[test]
fn redis_is_killed_under_load() {
    if is_installed() {
        blows("kills of Redis", kills(), &["--appendonly", "yes"], |server| {
            server.kill();
            server.restart();
        });
    }
}

#[test]
fn redis_stands_still_under_load() {
    if is_installed() {
        let secs = if kills() > 3 { 5 } else { 1 };
        let freeze = move |server: &mut RedisServer| server.freeze(Duration::from_secs(secs));
        blows("freezes of Redis", kills(), &[], freeze);
    }
}
