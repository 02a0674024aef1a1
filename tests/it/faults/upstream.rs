//! An agent behind a link that freezes and flaps.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Pair, figures};
use crate::support::{Wire, agent, behind_a_link, config, counter, embedded, linked, serve_with_config};

const FREEZE: Duration = Duration::from_millis(1_200);
const FLAPS: usize = 20;

#[tokio::test]
async fn an_upstream_that_freezes_and_flaps_loses_nothing() {
    let mut config = config();
    config.embedded.rate_scale = 1_000_000;
    config.limits.messages_per_second = 1_000_000;
    let rtm = embedded(&config);
    let running = serve_with_config(behind_a_link(config)).await;
    let wire = Wire::to(running.agents.expect("an agent upstream")).await;
    agent("flutter", rtm, wire.addr);
    linked(&running).await;
    let mut pair = Pair::login(running.http, "pair").await;
    let mut pings = Vec::new();
    let begun = Instant::now();
    for _ in 0..2 {
        wire.freeze(true);
        let until = Instant::now() + FREEZE;
        while Instant::now() < until {
            // A message is accepted without RTM; a poll needs none.
            let begun = Instant::now();
            pair.send().await;
            timeout(Duration::from_secs(1), pair.poll())
                .await
                .expect("an answer without RTM");
            pings.push(begun.elapsed());
            sleep(Duration::from_millis(20)).await;
        }
        wire.freeze(false);
        pair.receive().await;
    }
    for _ in 0..FLAPS {
        wire.cut();
        for _ in 0..5 {
            pair.send().await;
            sleep(Duration::from_millis(10)).await;
        }
    }
    pair.receive().await;
    pair.check();
    assert_eq!(counter(&running, "sigbridge_agent_gaps_total"), 0);
    println!(
        "upstream: frozen twice for {FREEZE:?}, cut {FLAPS} times in {:?}; {} messages, none lost; calls meanwhile {}",
        begun.elapsed(),
        pair.sent,
        figures(&mut pings)
    );
}
