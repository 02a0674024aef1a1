//! A wall clock that jumps.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use identity::{Account, token};
use rtm::AppId;
use secrecy::SecretString;
use tables::Tables;
use tokio::time::Instant;

use super::Pair;
use crate::support::{Client, QUIET, config, eventually};
use runtime::clock::Clock;
use sigbridge::startup::start_with;

const DAY: i64 = 24 * 3600 * 1000;

static SHIFT: AtomicI64 = AtomicI64::new(0);

/// Sessions, timers and messages go by the monotonic clock; tokens expire by the wall clock.
#[tokio::test]
async fn a_clock_that_jumps_moves_no_timer() {
    let (app, certificate) = (AppId::new("app").expect("an app id"), SecretString::from("secret"));
    let mut config = config();
    (config.auth.app_id, config.auth.certificate) = (Some(app.clone()), Some(certificate.clone()));
    config.auth.allow_no_token = true;
    config.session.grace = Duration::from_millis(300);
    let tables = Tables::built_in().expect("the built-in tables compile");
    let clock = Clock::with_shift(&SHIFT);
    let running = start_with(config, tables, clock)
        .await
        .expect("any free port can be bound");
    let alice = Account::new("alice").expect("an account");
    let minted = || token::mint(&alice, &app, &certificate, clock.wall().as_secs() + 1_800);
    let login = async |token: &str| {
        let mut client = Client::connect(running.http).await;
        client.send_login("alice", token).await;
        client.login_ret().await.err
    };
    let old = minted();
    assert_eq!(login(&old).await, "");
    let mut pair = Pair::login_with(running.http, "pair", token::NO_TOKEN).await;
    pair.exchange().await;
    for jump in [DAY, -3 * DAY, 400 * DAY, 0] {
        let is_valid = jump <= 0;
        SHIFT.store(jump, Ordering::Relaxed);
        // Nothing is due, neither now nor a little later.
        tokio::time::sleep(QUIET).await;
        pair.exchange().await;
        assert_eq!(
            login(&old).await.is_empty(),
            is_valid,
            "a token of before, after {jump} ms"
        );
        assert_eq!(login(&minted()).await, "", "a token of now, after {jump} ms");
        // A session without a client ends after its grace time, as always.
        let mut away = Client::connect(running.http).await;
        away.send_login("away", token::NO_TOKEN).await;
        assert_eq!(away.login_ret().await.err, "");
        let left = Instant::now();
        drop(away);
        eventually("only the pair has sessions", || running.server.registry.len() == 2).await;
        let took = left.elapsed();
        assert!(
            took >= Duration::from_millis(250) && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
    pair.check();
    println!(
        "clock: {} jumps of up to 400 days; {} messages, none lost",
        4, pair.sent
    );
}
