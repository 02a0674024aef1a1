//! Malformed traffic among good traffic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Pair, figures};
use crate::fuzz::case::{Case, corpus};
use crate::support::{PATIENCE, config, serve_with_config};

const MESSAGES: usize = 100;

/// Sends cases in turn, each on a connection of its own, until the end.
async fn disturb(to: SocketAddr, cases: Vec<Case>, ends: Arc<AtomicBool>, count: Arc<AtomicU64>) {
    for case in cases.iter().cycle() {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut stream) = TcpStream::connect(to).await else {
            continue;
        };
        for piece in &case.0 {
            if stream.write_all(piece).await.is_err() {
                break;
            }
        }
        let _ = stream.shutdown().await;
        let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "the connection does not end: {case:?}");
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_traffic_disturbs_nobody() {
    let mut config = config();
    config.embedded.rate_scale = 1_000_000;
    config.limits.messages_per_second = 1_000_000;
    let running = serve_with_config(config).await;
    let (ends, count): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
    let fronts = [
        ("websocket", running.http),
        ("http", running.http),
        ("packets", running.tcp.expect("native clients")),
        ("tls", running.http),
    ];
    let foreign: Vec<_> = fronts
        .into_iter()
        .map(|(front, to)| {
            let cases = corpus(front).into_iter().map(|(_, case)| case).collect();
            tokio::spawn(disturb(to, cases, ends.clone(), count.clone()))
        })
        .collect();
    let mut pairs = Vec::new();
    for n in 0..4 {
        pairs.push(Pair::login(running.http, &format!("good{n}")).await);
    }
    let talking = pairs.iter_mut().map(async |pair| {
        for _ in 0..MESSAGES {
            pair.exchange().await;
        }
    });
    join_all(talking).await;
    // Each of them has seen every case.
    let least = corpus("websocket").len() as u64 * 2;
    crate::support::eventually("all cases were sent", || count.load(Ordering::Relaxed) >= least).await;
    ends.store(true, Ordering::Relaxed);
    for connection in join_all(foreign).await {
        connection.expect("every connection has ended");
    }
    let mut times = Vec::new();
    for pair in &pairs {
        pair.check();
        times.extend(&pair.times);
    }
    let bad = running.server.metrics.text();
    assert!(bad.contains("sigbridge_bad_frames_total"), "bad frames are counted");
    println!(
        "malformed traffic: {} bad connections; {} messages of good clients, {}",
        count.load(Ordering::Relaxed),
        times.len(),
        figures(&mut times)
    );
}
