//! Limits of this sidecar: what is above them is refused in the documented form, counted and logged.

use serde_json::json;
use sigbridge::config::{App, Config, OwnLimits};
use sigbridge::startup::Running;

use crate::support::{Client, config, counter, eventually, serve_with_config};

fn reached(running: &Running, limit: &str) -> u64 {
    counter(running, &format!("sigbridge_limits_reached_total{{limit=\"{limit}\"}}"))
}

fn quick() -> Config {
    let mut config = config();
    config.embedded.rate_scale = 1000;
    config
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let mut config = config();
    config.limits.address_connections = 2;
    let running = serve_with_config(config).await;
    let held = [
        Client::login(running.http, "a").await,
        Client::login(running.http, "b").await,
    ];
    let over = tokio::net::TcpStream::connect(running.http)
        .await
        .expect("the system accepts it");
    eventually("it is closed", || reached(&running, "address_connections") == 1).await;
    drop((held, over));
    eventually("there is room again", || running.server.metrics.sockets.get() == 0).await;
    Client::login(running.http, "c").await;
}

#[tokio::test]
async fn logins_above_a_rate_are_refused() {
    for (key, accounts) in [
        ("address_logins_per_second", ["a", "b", "c"]),
        ("account_logins_per_second", ["a", "a", "a"]),
        ("app_logins_per_second", ["a", "b", "c"]),
        ("total_logins_per_second", ["a", "b", "c"]),
    ] {
        let text = format!("[limits]\n{key} = 2\n");
        let parsed = Config::parse(
            &Config::source("limits", text),
            &sigbridge::config::DiskFiles::beside("x".as_ref()),
        );
        let mut config = config();
        config.limits = parsed.expect("a config").limits;
        let running = serve_with_config(config).await;
        let begun = tokio::time::Instant::now();
        let mut refused = 0;
        for account in accounts.iter().cycle().take(12) {
            let mut client = Client::connect(running.http).await;
            match &*client.log_in(account).await.err {
                "" => {}
                "too often" => refused += 1,
                other => panic!("{key}: {other}"),
            }
        }
        // A slow machine fills the bucket again.
        let least = 10 - (2 * begun.elapsed().as_millis() as u64).div_ceil(1000).min(10);
        assert!(refused >= least.max(1), "{key}: {refused}");
        assert_eq!(reached(&running, key), refused, "{key}");
    }
}

#[tokio::test]
async fn an_app_has_so_many_sessions_and_channels() {
    let mut config = quick();
    let app = |id: &str, limits| App {
        id: rtm::AppId::new(id).expect("an app id"),
        auth: identity::TokenPolicy {
            app_id: rtm::AppId::new(id).ok(),
            ..Default::default()
        },
        upstream: Default::default(),
        allowed_origins: None,
        limits,
    };
    config.limits.app_sessions = 1;
    config.apps = vec![
        app(
            "app",
            OwnLimits {
                sessions: Some(2),
                channels: Some(1),
                ..OwnLimits::default()
            },
        ),
        app("other", OwnLimits::default()),
    ];
    let running = serve_with_config(config).await;
    let mut first = Client::login(running.http, "first").await;
    let _second = Client::login(running.http, "second").await;
    let mut third = Client::connect(running.http).await;
    assert_eq!(third.log_in("third").await.err, "too often");
    assert_eq!(reached(&running, "app_sessions"), 1);
    // The account of a session may log in again.
    let mut again = Client::connect(running.http).await;
    assert_eq!(again.log_in("second").await.err, "");
    assert_eq!(first.call("channel_join", json!({"name": "room"})).await.err, "");
    let refused = again.call("channel_join", json!({"name": "other"})).await.err;
    assert_ne!(refused, "");
    assert_eq!(again.call("channel_join", json!({"name": "room"})).await.err, "");
    assert_eq!(reached(&running, "app_channels"), 1);
}

#[tokio::test]
async fn messages_of_an_app_and_of_all_have_a_rate() {
    for key in ["app_messages_per_second", "total_messages_per_second"] {
        let mut config = quick();
        match key {
            "app_messages_per_second" => config.limits.app_messages_per_second = 5,
            _ => config.limits.total_messages_per_second = 5,
        }
        let running = serve_with_config(config).await;
        let mut clients = [
            Client::login(running.http, "a").await,
            Client::login(running.http, "b").await,
        ];
        let begun = tokio::time::Instant::now();
        let mut refused = 0;
        for n in 0..20 {
            let call = json!({"peer": "nobody", "flag": "v1:E:3600", "t": "instant", "content": format!("{n}")});
            let reply = clients[n % 2].call("user_sendmsg", call).await;
            refused += u64::from(reply.err == "too often");
            assert!(["", "too often"].contains(&&*reply.err), "{reply:?}");
        }
        let least = 15 - (5 * begun.elapsed().as_millis() as u64).div_ceil(1000).min(15);
        assert!(refused >= least.max(1), "{key}: {refused}");
        assert_eq!(reached(&running, key), refused, "{key}");
    }
}
