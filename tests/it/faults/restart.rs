//! A sidecar without Redis that is killed under load. What it had accepted and not delivered is lost (docs/limits.md);
//! clients resume, and nothing is lost from then on, nor doubled.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::figures;
use crate::durable::Sidecar;
use crate::support::{Client, text};

const KILLS: usize = 3;
const PACE: Duration = Duration::from_millis(5);

/// Logs in as soon as the sidecar accepts.
async fn resumed(http: std::net::SocketAddr, account: &str) -> Client {
    while std::net::TcpStream::connect(http).is_err() {
        sleep(Duration::from_millis(5)).await;
    }
    Client::login(http, account).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sidecar_loses_only_what_was_on_its_way() {
    let mut sidecar = Sidecar::start("faults-restart", "[embedded]\nrate_scale = 1000000\n").await;
    let http = sidecar.http;
    let (mut sent, mut lost, mut outages) = (0, 0, Vec::new());
    for kill in 0..=KILLS {
        let mut bob = resumed(http, "bob").await;
        let mut alice = resumed(http, "alice").await;
        bob.poll(0).await;
        let first = sent;
        let mut got: Vec<String> = Vec::new();
        let mut acknowledged = 0;
        for n in 0..60 {
            let args = serde_json::json!({"peer": "bob", "content": sent.to_string()});
            // The last ones may or may not be accepted: the process is killed meanwhile.
            if n == 50 && kill < KILLS {
                break;
            }
            assert_eq!(alice.call("user_sendmsg", args).await.err, "");
            sent += 1;
            if n % 3 == 0 {
                for (version, line) in bob.poll(acknowledged).await.1 {
                    got.push(text(&line).to_owned());
                    acknowledged = version;
                }
            }
            sleep(PACE).await;
        }
        if kill < KILLS {
            let killed = Instant::now();
            sidecar.kill();
            sidecar.restart().await;
            outages.push(killed.elapsed());
        } else {
            let end = Instant::now() + crate::support::PATIENCE;
            while got.len() < sent - first && Instant::now() < end {
                for (version, line) in bob.poll(acknowledged).await.1 {
                    got.push(text(&line).to_owned());
                    acknowledged = version;
                }
            }
        }
        // Once each, in order, from the first on: only the end may be missing.
        let expected: Vec<String> = (first..first + got.len()).map(|n| n.to_string()).collect();
        assert_eq!(got, expected);
        let missing = sent - first - got.len();
        assert!(missing <= 3, "{missing} messages between two polls");
        assert!(kill < KILLS || missing == 0, "nothing is lost without a kill");
        lost += missing;
    }
    println!(
        "kills: {KILLS} of a sidecar without Redis, back after {}; {sent} messages, {lost} lost between two polls",
        figures(&mut outages)
    );
}
