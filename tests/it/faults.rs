//! Faults that a running sidecar survives: no good client loses an accepted message beyond docs/limits.md.
//!
//! Each test prints figures. `SIGBRIDGE_CLIENTS=5000` is the size of the storm; the default is one for every run of the
//! tests. Kills, and a frozen Redis, are in `fleet.rs`; cut links and lost agents in `link.rs`.

mod certificates;
mod clock;
#[cfg(target_os = "linux")]
mod disk;
mod mixed;
mod restart;
mod storm;
mod upstream;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Client, PATIENCE, emit, text};

/// One sender and one receiver with numbered messages.
struct Pair {
    from: Client,
    to: Client,
    name: String,
    sent: usize,
    got: Vec<String>,
    acknowledged: u64,
    /// Times between a message and its arrival.
    times: Vec<Duration>,
}

impl Pair {
    async fn login(http: SocketAddr, name: &str) -> Self {
        Self::login_with(http, name, "").await
    }

    async fn login_with(http: SocketAddr, name: &str, token: &str) -> Self {
        let login = async |account: &str| {
            let mut client = Client::connect(http).await;
            client.send_login(account, token).await;
            assert_eq!(client.login_ret().await.err, "", "{account}");
            client
        };
        let to_name = format!("{name}-to");
        Self {
            from: login(&format!("{name}-from")).await,
            to: login(&to_name).await,
            name: to_name,
            sent: 0,
            got: Vec::new(),
            acknowledged: 0,
            times: Vec::new(),
        }
    }

    /// Sends a message, which must be accepted.
    async fn send(&mut self) {
        emit(&mut self.from, &self.name, &self.sent.to_string()).await;
        self.sent += 1;
    }

    /// Fetches and acknowledges until all messages have arrived.
    async fn receive(&mut self) {
        let all = async {
            while self.got.len() < self.sent {
                self.poll().await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, all).await;
        assert!(
            arrived.is_ok(),
            "{}: {} of {} messages",
            self.name,
            self.got.len(),
            self.sent
        );
    }

    async fn poll(&mut self) {
        for (version, line) in self.to.poll(self.acknowledged).await.1 {
            self.got.push(text(&line).to_owned());
            self.acknowledged = version;
        }
    }

    /// Sends a message and waits for it.
    async fn exchange(&mut self) {
        let begun = Instant::now();
        self.send().await;
        self.receive().await;
        self.times.push(begun.elapsed());
    }

    /// Each message once, in order.
    fn check(&self) {
        let expected: Vec<String> = (0..self.sent).map(|n| n.to_string()).collect();
        assert_eq!(self.got, expected, "{}", self.name);
    }
}

/// Median and maximum, in milliseconds.
fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!(
        "median {:.1} ms, most {:.1} ms",
        ms(times.len() / 2),
        ms(times.len().saturating_sub(1))
    )
}
