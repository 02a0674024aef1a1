//! Tables of a reload in sessions whose clients stay connected.

use std::sync::Arc;

use serde_json::json;
use sigbridge::reload::Reloader;
use sigbridge::startup::Running;
use tables::Tables;
use tables::diagnostics::Source;
use tokio::time::timeout;

use crate::support::{
    ApiClient, Client, PATIENCE, RawNative, Wire, agent, behind_a_link, config, database, embedded, emit, is_installed,
    linked, on_redis, reached, serve_with_config, text,
};

/// Tables by which each user has the status 7, and in which rows and signatures have other numbers.
fn changed() -> Tables {
    let old = "status = \"digit($value)\"";
    let mut sources = tables::embedded();
    sources.reverse();
    for source in &mut sources {
        if source.text.contains(old) {
            *source = Source::new(source.name.clone(), source.text.replace(old, "status = \"7\""));
        }
    }
    let (tables, diags) = tables::compile(&sources);
    assert!(diags.is_empty(), "{diags}");
    tables
}

fn has_current_tables(running: &Running, name: &str) -> bool {
    let app = rtm::AppId::new("app").expect("an app id");
    let key = (app, identity::Account::new(name).expect("an account"));
    let session = running.server.registry.session(&key).expect("a session");
    Arc::ptr_eq(&session.set, &running.server.sets.current())
}

async fn reload(running: &Running) {
    let config = (*running.server.config()).clone();
    let reloaded = Reloader::new(running).apply(&config, Some(changed())).await;
    reloaded.expect("it can be used");
}

const QUERY: &str = "user_query_user_status";

async fn web_status(client: &mut Client) -> i64 {
    let reply = client.call(QUERY, json!({"account": "nobody"})).await;
    reply.json["status"].as_i64().expect("a status")
}

async fn native_status(client: &mut RawNative) -> i64 {
    let reply = client.call(QUERY, json!({"account": "nobody"})).await;
    reply["status"].as_i64().expect("a status")
}

async fn api_status(client: &mut ApiClient) -> String {
    assert_eq!(client.call("queryUserStatus", json!(["nobody"])).await, "null");
    client.event("onQueryUserStatusResult").await
}

/// Clients of each wire make their next call by the new tables, on the connection that they have.
#[tokio::test]
async fn calls_after_a_reload_follow_the_changed_row() {
    let running = serve_with_config(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut java = Client::connect(running.http).await;
    let fields = json!({"vid": "app", "account": "java", "uid": 0, "token": "", "device": "javasdk", "ip": ""});
    java.send(json!(["login", fields])).await;
    assert_eq!(java.login_ret().await.err, "");
    let mut bob = RawNative::login(running.tcp.expect("native clients"), "bob").await;
    let mut carol = ApiClient::login(running.http, "carol").await;
    assert_eq!(web_status(&mut alice).await, 0);
    assert_eq!(web_status(&mut java).await, 0);
    assert_eq!(native_status(&mut bob).await, 0);
    assert_eq!(api_status(&mut carol).await, "{\"name\":\"nobody\",\"status\":\"0\"}");
    // A line that waits for her poll moves with the session.
    assert_eq!(alice.call("channel_join", json!({"name": "room"})).await.err, "");
    emit(&mut java, "alice", "before").await;
    let sessions = running.server.sets.coverage().1.sessions;
    reload(&running).await;
    for name in ["alice", "java", "bob", "carol"] {
        assert!(!has_current_tables(&running, name), "{name} has sent nothing yet");
    }
    assert_eq!(web_status(&mut alice).await, 7);
    assert_eq!(web_status(&mut java).await, 7);
    assert_eq!(native_status(&mut bob).await, 7);
    assert_eq!(api_status(&mut carol).await, "{\"name\":\"nobody\",\"status\":\"7\"}");
    for name in ["alice", "java", "bob", "carol"] {
        assert!(has_current_tables(&running, name), "{name}");
    }
    let (_, lines) = alice.poll(0).await;
    assert_eq!(lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>(), ["before"]);
    let sent = alice
        .call("channel_sendmsg", json!({"name": "room", "msg": "hi"}))
        .await;
    assert_eq!(sent.err, "");
    // Neither sessions nor logins are counted twice.
    assert_eq!(running.server.sets.coverage().1.sessions, sessions);
    let logins = running.server.sets.all().into_iter().flat_map(|set| {
        let groups = set.usage.groups().into_iter();
        groups.map(move |group| group.coverage(&set.tables).sessions)
    });
    assert_eq!(logins.sum::<u64>(), 4);
    assert_eq!(running.server.metrics.sockets.get(), 4, "nobody has reconnected");
}

/// A reply of RTM after a reload belongs to a call before it.
#[tokio::test]
async fn calls_under_way_finish_by_the_tables_of_their_beginning() {
    let rtm = embedded(&config());
    let running = serve_with_config(behind_a_link(config())).await;
    let wire = Wire::to(running.agents.expect("an agent upstream")).await;
    agent("flutter", rtm, wire.addr);
    linked(&running).await;
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = RawNative::login(running.tcp.expect("native clients"), "bob").await;
    let mut carol = ApiClient::login(running.http, "carol").await;
    // The agent's replies are held back.
    wire.freeze_requests(true);
    let args = json!({"account": "nobody"});
    let of_alice = alice.send_call(QUERY, args.clone()).await;
    let of_bob = bob.send_call(QUERY, args).await;
    let of_carol = carol.start("queryUserStatus", json!(["nobody"])).await;
    // The calls are with RTM, since later ones are answered.
    alice.poll(0).await;
    bob.call("user_getmsg", json!({"ver_clear": 0, "max": 30})).await;
    let unknown = carol.call("nothing", json!([])).await;
    assert!(unknown.starts_with("error -32601"), "{unknown}");
    reload(&running).await;
    // They keep the tables, for calls that come meanwhile, too.
    alice.poll(0).await;
    bob.call("user_getmsg", json!({"ver_clear": 0, "max": 30})).await;
    for name in ["alice", "bob", "carol"] {
        assert!(!has_current_tables(&running, name), "{name}");
    }
    wire.freeze_requests(false);
    assert_eq!(alice.reply(of_alice).await.json["status"], 0);
    assert_eq!(bob.reply(QUERY, of_bob).await["status"], 0);
    assert_eq!(carol.answer(of_carol).await, "null");
    let event = carol.event("onQueryUserStatusResult").await;
    assert_eq!(event, "{\"name\":\"nobody\",\"status\":\"0\"}");
    assert_eq!(web_status(&mut alice).await, 7);
    assert_eq!(native_status(&mut bob).await, 7);
    assert_eq!(api_status(&mut carol).await, "{\"name\":\"nobody\",\"status\":\"7\"}");
}

/// The record of a session in Redis has names, so later sidecars read it.
#[tokio::test]
async fn a_session_with_a_record_in_redis_takes_new_tables() {
    if !is_installed() {
        return;
    }
    let url = database();
    let first = serve_with_config(on_redis(config(), &url)).await;
    let second = serve_with_config(on_redis(config(), &url)).await;
    reached(&first).await;
    reached(&second).await;
    let mut alice = Client::login(first.http, "alice").await;
    let mut bob = Client::login(first.http, "bob").await;
    // Notifications begin with the first poll.
    alice.poll(0).await;
    emit(&mut bob, "alice", "before").await;
    alice.frame("notify").await;
    reload(&first).await;
    // An attempt fails while something waits for Redis.
    let follows = async { while web_status(&mut alice).await != 7 {} };
    timeout(PATIENCE, follows).await.expect("it takes the tables");
    emit(&mut bob, "alice", "after").await;
    alice.frame("notify").await;
    let mut alice = Client::login(second.http, "alice").await;
    let got = async {
        loop {
            let (_, lines) = alice.poll(0).await;
            if lines.len() == 2 {
                return lines;
            }
        }
    };
    let lines = timeout(PATIENCE, got).await.expect("both lines");
    assert_eq!(
        lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>(),
        ["before", "after"]
    );
}
