//! Figures for docs/guide/cluster.md: logins, memory and CPU. Printed; a few users by default, 10 000 with `SIGBRIDGE_USERS`.

use std::time::Duration;

use rtm::upstream::Upstream as _;
use rtm::{Message, RtmCall, RtmEvent};
use tokio::time::Instant;

use crate::server::RedisServer;
use crate::upstream::{Instance, Sidecar, to, user};

/// Returns the CPU time of this process; `None` without such figures of the system.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

fn memory(server: &RedisServer) -> u64 {
    let mut connection = server.connect().expect("it answers");
    let info: String = redis::cmd("INFO").arg("memory").query(&mut connection).expect("memory");
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|line| line.trim().parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_many_users() {
    let users: usize = std::env::var("SIGBRIDGE_USERS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500);
    let Some(server) = RedisServer::start_if_installed() else {
        return;
    };
    let sidecars = [Sidecar::start(&server.url()).await, Sidecar::start(&server.url()).await];
    let mut first = Instance::login(&sidecars[0], "first").await;
    let mut others = Vec::new();
    let (before, begun) = (memory(&server), Instant::now());
    for number in 0..users {
        let mut instance = Instance::open(&sidecars[number % 2]);
        let uid = user(&format!("user-{number:06}"));
        instance.begin(RtmCall::Login { uid, token: None });
        others.push(instance);
    }
    for instance in &others {
        instance.event(|event| matches!(event, RtmEvent::ConnectionStateChanged { reason, .. } if *reason == rtm::ConnectionReason::LoginSuccess)).await;
    }
    println!("{users} logins at two sidecars in {:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!(
        "{} bytes of Redis for a user",
        memory(&server).saturating_sub(before) / users as u64
    );
    let messages: u64 = 8000;
    let (cpu_before, begun) = (cpu(), Instant::now());
    for number in 0..messages {
        tokio::time::sleep_until(begun + Duration::from_micros(500 * number)).await;
        first.begin(to(&format!("user-{:06}", 1), number.to_string()));
    }
    let last = (messages - 1).to_string();
    others[1]
        .event(
            |event| matches!(event, RtmEvent::MessageFromPeer { message: Message::Text(text), .. } if **text == *last),
        )
        .await;
    if let (Some(before), Some(after)) = (cpu_before, cpu()) {
        let each = (after - before).as_micros() as f64 / messages as f64;
        println!(
            "{each:.1} us of CPU for a message at 2000/s with {users} users, both sidecars and this test together"
        );
    }
    for sidecar in &sidecars {
        sidecar.shutdown.cancel();
    }
    for instance in others.iter().chain([&first]) {
        sidecars[0].upstream.close(&instance.key);
    }
}
