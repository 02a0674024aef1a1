//! Sidecars that are killed between the delivery of a message to them and its save.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use rtm::upstream::Upstream;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Sidecar, linked_login, texts};
use crate::support::{
    Client, PATIENCE, QUIET, RedisServer, Wire, agent, config, embedded, emit, eventually, free_address, http,
};

/// The place of the save when its sidecar is killed.
#[derive(Clone, Copy, Debug)]
enum Save {
    /// On its way to Redis.
    Requested,
    /// In Redis, with the answer on its way to the sidecar.
    Executed,
}

/// A Redis, and two ways to it: a direct one, and one that can stop.
struct Ways {
    server: RedisServer,
    direct: String,
    wire: Wire,
    /// The URL by the wire.
    stoppable: String,
}

impl Ways {
    async fn start() -> Option<Self> {
        let server = RedisServer::start_if_installed()?;
        let wire = Wire::to_unix(server.socket().into()).await;
        Some(Self {
            direct: server.url(),
            stoppable: format!("redis://{}", wire.addr),
            server,
            wire,
        })
    }

    /// Stops the sidecar's requests, delivers a message to Bob's session there, and moves its save to that place.
    async fn deliver(&self, save: Save, admin: SocketAddr, alice: &mut Client, bob: &mut Client) {
        self.wire.freeze_requests(true);
        emit(alice, "bob", "between").await;
        let until = Instant::now() + PATIENCE;
        while mailbox_lines(admin).await != Some(2) {
            assert!(Instant::now() < until, "the message does not reach the sidecar");
            sleep(QUIET / 8).await;
        }
        if matches!(save, Save::Executed) {
            self.wire.freeze_answers(true);
            self.wire.freeze_requests(false);
            eventually("the save is executed", || self.saved_lines() == 2).await;
        }
        assert_eq!(
            bob.within(QUIET).await,
            None,
            "no line is shown before the answer to its save"
        );
    }

    /// The number of lines in Bob's record.
    fn saved_lines(&self) -> usize {
        let mut redis = self.server.connect().expect("it answers");
        let fields: Vec<String> = redis::cmd("HKEYS")
            .arg("{sb:app}:z:bob")
            .query(&mut redis)
            .expect("a record");
        fields.iter().filter(|field| field.starts_with('m')).count()
    }

    /// Drops what has stopped, as the death of the sidecar does.
    fn cut(&self) {
        self.wire.cut();
        self.wire.freeze(false);
    }
}

/// The number of Bob's mailbox lines at a sidecar.
async fn mailbox_lines(admin: SocketAddr) -> Option<u64> {
    let answer = http(admin, "GET /sessions?account=bob", &[], "").await;
    let page: Value = serde_json::from_str(&answer.body).expect("JSON");
    page["sessions"][0]["mailbox_lines"].as_u64()
}

/// Polls until a text arrives, and for a while after it.
async fn received(bob: &mut Client, last: &str) -> Vec<String> {
    let (mut version, mut got) = (0, Vec::new());
    let mut until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let (clear, lines) = bob.poll(version).await;
        version = lines.last().map_or(version.max(clear), |(version, _)| *version);
        let texts: Vec<String> = texts(&lines).into_iter().map(str::to_owned).collect();
        if texts.iter().any(|text| text == last) {
            until = Instant::now() + QUIET * 4;
        }
        got.extend(texts);
        sleep(QUIET / 4).await;
    }
    got
}

#[tokio::test]
async fn a_delivered_message_that_is_not_saved_arrives_once_at_another_sidecar() {
    for save in [Save::Requested, Save::Executed] {
        let Some(ways) = Ways::start().await else { return };
        let admin = free_address();
        let upstream =
            |redis: &str| format!("[upstream]\nkind = \"redis\"\n[redis]\nurl = \"{redis}\"\nrate_scale = 100000\n");
        let with_admin = format!("[admin]\nlisten = \"{admin}\"\n{}", upstream(&ways.stoppable));
        let mut first = Sidecar::start(&format!("unsaved-first-{save:?}"), &with_admin).await;
        let second = Sidecar::start(&format!("unsaved-second-{save:?}"), &upstream(&ways.direct)).await;
        let mut bob = linked_login(first.http, "bob").await;
        let mut alice = linked_login(second.http, "alice").await;
        bob.poll(0).await;
        emit(&mut alice, "bob", "before").await;
        bob.frame("notify").await;
        sleep(QUIET).await;
        ways.deliver(save, admin, &mut alice, &mut bob).await;
        first.kill();
        ways.cut();
        let mut bob = linked_login(second.http, "bob").await;
        emit(&mut alice, "bob", "after").await;
        let texts = received(&mut bob, "after").await;
        assert_eq!(texts, ["before", "between", "after"], "{save:?}");
    }
}

#[tokio::test]
async fn an_agent_delivers_again_to_the_sidecar_that_replaces_a_killed_one() {
    for save in [Save::Requested, Save::Executed] {
        let Some(ways) = Ways::start().await else { return };
        let admin = free_address();
        let rtm = embedded(&config());
        let (mut sidecars, mut agents) = (Vec::new(), Vec::new());
        for (n, redis) in [&ways.stoppable, &ways.direct].into_iter().enumerate() {
            let link = free_address();
            let mut upstream = format!(
                "[upstream]\nkind = \"agent\"\nrtm_token = \"none\"\n[upstream.agent]\nlisten = \"{link}\"\n[redis]\nurl = \"{redis}\"\n"
            );
            if n == 0 {
                upstream += &format!("[admin]\nlisten = \"{admin}\"\n");
            }
            sidecars.push(Sidecar::start(&format!("unsaved-agent-{n}-{save:?}"), &upstream).await);
            agents.push(agent("web", rtm.clone() as Arc<dyn Upstream>, link));
        }
        let mut bob = linked_login(sidecars[0].http, "bob").await;
        let mut alice = linked_login(sidecars[1].http, "alice").await;
        bob.poll(0).await;
        emit(&mut alice, "bob", "before").await;
        bob.frame("notify").await;
        sleep(QUIET).await;
        ways.deliver(save, admin, &mut alice, &mut bob).await;
        sidecars[0].kill();
        ways.cut();
        sidecars[0].restart().await;
        let mut bob = linked_login(sidecars[0].http, "bob").await;
        emit(&mut alice, "bob", "after").await;
        let mut texts = received(&mut bob, "after").await;
        // What is saved and not acknowledged to the agent arrives again (docs/limits.md). Nothing is lost.
        let mut seen = HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        assert_eq!(texts, ["before", "between", "after"], "{save:?}");
    }
}
