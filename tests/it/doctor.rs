//! `sigbridge doctor`: the way to RTM, step by step; and several apps, each on a way of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Client, agent, behind_a_link, config, embedded, emit, linked, serve_with_config};
use identity::TokenPolicy;
use identity::codec::{reserved_user, user_id_to_account};
use rtm::AppId;
use secrecy::SecretString;
use serde_json::json;
use sigbridge::config::{App, RtmToken, UpstreamKind};
use sigbridge::diagnostics::examine;
use sigbridge::startup::Running;

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

/// Results of the steps: `ok step`, or `FAIL step: reason`.
async fn steps(running: &Running, app: &str) -> Vec<String> {
    let app = AppId::new(app).expect("an app id");
    let findings = examine(&running.server, &app).await;
    let line = |finding: sigbridge::diagnostics::Finding| match finding.ok {
        true => format!("ok {}", finding.step),
        false => format!("FAIL {}: {}", finding.step, finding.found),
    };
    findings.into_iter().map(line).collect()
}

const WELL: [&str; 8] = [
    "ok link",
    "ok hello",
    "ok sdk",
    "ok token",
    "ok login",
    "ok login",
    "ok message",
    "ok logout",
];

#[tokio::test]
async fn all_is_well_with_an_agent() {
    for platform in ["flutter", "linux-java"] {
        let mut config = behind_a_link(config());
        config.auth.app_id = AppId::new(APP).ok();
        config.auth.certificate = Some(SecretString::from(CERTIFICATE));
        config.upstream.rtm_token = RtmToken::V006;
        let rtm = embedded(&config);
        let running = serve_with_config(config).await;
        agent(platform, rtm, running.agents.expect("an agent upstream"));
        linked(&running).await;
        assert_eq!(steps(&running, APP).await, WELL, "{platform}");
        // It leaves nothing behind.
        assert_eq!(running.driver.as_ref().expect("a link").status().sessions, 0);
    }
}

#[tokio::test]
async fn failures_are_reported_with_a_hint() {
    let running = serve_with_config(behind_a_link(config())).await;
    let missing = format!(
        "FAIL link: no agent is connected to {}",
        running.server.config().upstream.agent.listen
    );
    assert_eq!(steps(&running, "app").await, [missing]);
    let running = serve_with_config(config()).await;
    assert_eq!(
        steps(&running, "app").await.len(),
        WELL.len() - 1,
        "no hello of an RTM in this process"
    );
}

#[tokio::test]
async fn the_command_shows_the_steps() {
    let mut config = behind_a_link(config());
    config.admin.listen = Some("127.0.0.1:0".parse().expect("an address"));
    let rtm = embedded(&config);
    let running = serve_with_config(config).await;
    let admin = running.admin.expect("an admin address");
    let file: PathBuf = std::env::temp_dir().join(format!("sigbridge-doctor-{}.toml", std::process::id()));
    std::fs::write(&file, format!("[admin]\nlisten = '{admin}'\n")).expect("a file");
    let doctor = |file: PathBuf| async move {
        let run = || {
            Command::new(env!("CARGO_BIN_EXE_sigbridge"))
                .args(["doctor", "--config"])
                .arg(file)
                .output()
        };
        let output = tokio::task::spawn_blocking(run)
            .await
            .expect("it runs")
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, text) = doctor(file.clone()).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("FAIL  link     no agent is connected"), "{text}");
    assert!(text.contains("\n      hint: start an agent"), "{text}");
    agent("web", rtm, running.agents.expect("an agent upstream"));
    linked(&running).await;
    let (code, text) = doctor(file.clone()).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("ok    sdk      answered: LOGOUT.USER_NOT_LOGGED_IN (102)"),
        "{text}"
    );
    assert_eq!(text.lines().count(), WELL.len(), "{text}");
    let _ = std::fs::remove_file(file);
}

/// Its users are not legacy accounts, so a legacy user of any name stays logged in.
#[tokio::test]
async fn it_logs_out_no_user() {
    let running = serve_with_config(config()).await;
    let mut users = Vec::new();
    for account in ["sigbridge-doctor-1", "sigbridge-doctor-2", "~r.sigbridge-doctor-1"] {
        users.push(Client::login(running.http, account).await);
    }
    assert_eq!(steps(&running, "app").await.len(), WELL.len() - 1);
    for user in &mut users {
        assert_eq!(
            user.poll(0).await,
            (0, vec![]),
            "it is still connected, and got no event"
        );
    }
    let mut alias = Client::connect(running.http).await;
    let account = user_id_to_account(&reserved_user("sigbridge-doctor-1").expect("a legal id"));
    let login = json!(["login", {"vid": "app", "account": account.as_str(), "uid": 0, "token": "", "device": "websdk", "ip": ""}]);
    alias.send(login).await;
    assert_eq!(alias.login_ret().await.err, "wrong account");
}

#[tokio::test]
async fn each_app_has_its_own_way() {
    let app = |id: &str, upstream| App {
        id: AppId::new(id).expect("an app id"),
        auth: TokenPolicy::default(),
        allowed_origins: None,
        upstream,
        limits: Default::default(),
    };
    let mut config = behind_a_link(config());
    config.apps = vec![app("app", UpstreamKind::Embedded), app("far", UpstreamKind::Agent)];
    let rtm = embedded(&config);
    let running = serve_with_config(config).await;
    // The one needs no agent.
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    alice.poll(0).await;
    emit(&mut bob, "alice", "hi").await;
    alice.frame("notify").await;
    agent("flutter", rtm, running.agents.expect("an agent upstream"));
    linked(&running).await;
    let login = |vid: &str| json!(["login", {"vid": vid, "account": "alice", "uid": 0, "token": "", "device": "websdk", "ip": ""}]);
    let mut far = Client::connect(running.http).await;
    far.send(login("far")).await;
    assert_eq!(far.login_ret().await.err, "");
    assert_eq!(steps(&running, "far").await, WELL);
    assert_eq!(bob.poll(0).await, (0, vec![]), "apps are isolated");
    // An app that is not listed is not served.
    let mut other = Client::connect(running.http).await;
    other.send(login("other")).await;
    let refused = other.login_ret().await;
    assert!(refused.err.contains("TokenErrorVendor"), "{refused:?}");
}
