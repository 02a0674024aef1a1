//! All clients reconnect at once.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{FuturesUnordered, iter};
use tokio::time::Instant;

use super::{Pair, figures};
use crate::support::{Client, Program, emit, empty_folder, text, to_file};

/// Clients that log in at the same time, before the storm.
const AT_ONCE: usize = 64;

fn clients() -> usize {
    let given = std::env::var("SIGBRIDGE_CLIENTS").ok().and_then(|n| n.parse().ok());
    given.unwrap_or(300)
}

/// The sessions continue, with the message of the meantime. A pair that stays connected is served all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_clients_reconnect_at_once() {
    let folder = empty_folder("faults-storm");
    let config = "[limits]\nmessages_per_second = 1000000\nsockets = 30000\n[embedded]\nrate_scale = 1000000\n\
                  [session]\ngrace = \"2m\"\nlogin_timeout = \"60s\"\n";
    let (mut program, http) = Program::serve(&folder, (config, &[]), to_file(&folder, "log")).await;
    let count = clients();
    let first = iter(0..count).map(|n| async move { Client::login(http, &format!("user{n}")).await });
    let first: Vec<Client> = first.buffer_unordered(AT_ONCE).collect().await;
    drop(first);
    let mut sender = Client::login(http, "sender").await;
    for n in 0..count {
        emit(&mut sender, &format!("user{n}"), &format!("to {n}")).await;
    }
    let mut pair = Pair::login(http, "bystander").await;
    let (ends, mut ended) = tokio::sync::watch::channel(false);
    let bystanders = tokio::spawn(async move {
        while !*ended.borrow_and_update() {
            pair.exchange().await;
        }
        pair
    });
    let begun = Instant::now();
    let storm: FuturesUnordered<_> = (0..count)
        .map(|n| {
            tokio::spawn(async move {
                let mut client = Client::login(http, &format!("user{n}")).await;
                let took = begun.elapsed();
                let (_, lines) = client.poll(0).await;
                let texts: Vec<String> = lines.iter().map(|(_, line)| text(line).to_owned()).collect();
                assert_eq!(texts, [format!("to {n}")]);
                (client, took)
            })
        })
        .collect();
    let back: Vec<(Client, Duration)> = storm
        .map(|client| client.expect("a client that is served"))
        .collect()
        .await;
    ends.send_replace(true);
    let mut pair = bystanders.await.expect("served all the time");
    pair.check();
    let mut times: Vec<Duration> = back.iter().map(|(_, took)| *took).collect();
    println!(
        "storm: {count} clients were back after {}; {} messages of others meanwhile, {}",
        figures(&mut times),
        pair.times.len(),
        figures(&mut pair.times)
    );
    drop(back);
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    assert_eq!(
        log.matches("how=resume").count() + log.matches("how=\"resume\"").count(),
        count,
        "{log:.4000}"
    );
}
