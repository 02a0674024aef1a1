//! Brownouts: logins that are refused at given times.

use sigbridge::config::{Config, DiskFiles};
use sigbridge::reload::Reloader;

use crate::support::{ApiClient, Client, RawNative, config, counter, serve_with_config};

/// Refuses logins of these profiles from a time long ago.
fn refusing(profiles: &str) -> Config {
    let text = format!("[[sunset]]\nfrom = '2020-01-01T00:00:00Z'\nprofiles = [{profiles}]\n");
    let files = DiskFiles::beside("sunset".as_ref());
    let parsed = Config::parse(&Config::source("sunset", text), &files).expect("a config");
    Config {
        sunsets: parsed.sunsets,
        ..config()
    }
}

#[tokio::test]
async fn logins_of_a_profile_are_refused_with_the_documented_code() {
    let running = serve_with_config(refusing("'web', 'api'")).await;
    let mut web = Client::connect(running.http).await;
    assert_eq!(web.log_in("alice").await.err, "sunset");
    let mut api = ApiClient::connect(running.http).await;
    let answer = api.log_in("bob").await;
    assert!(answer.contains("202") && answer.contains("sunset"), "{answer}");
    let mut native = RawNative::connect(running.tcp.expect("native clients")).await;
    assert!(!native.log_in("carol", "").await.contains("sunset"));
    let refused = "sigbridge_logins_total{result=\"refused\",reason=\"sunset\"}";
    assert_eq!(counter(&running, refused), 2);
}

/// A reload begins and ends it; sessions stay.
#[tokio::test]
async fn a_reload_begins_and_ends_it() {
    let running = serve_with_config(config()).await;
    let reloader = Reloader::new(&running);
    let mut alice = Client::login(running.http, "alice").await;
    reloader.apply(&refusing("'web'"), None).await.expect("it can be used");
    let mut bob = Client::connect(running.http).await;
    assert_eq!(bob.log_in("bob").await.err, "sunset");
    let poll = serde_json::json!({"ver_clear": 0, "max": 1});
    assert_eq!(alice.call("user_getmsg", poll).await.err, "");
    reloader.apply(&config(), None).await.expect("it can be used");
    Client::login(running.http, "bob").await;
}
