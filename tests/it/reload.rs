//! Reload of config and tables: what begins afterwards uses the new ones; what is bad changes nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sigbridge::config::Config;
use sigbridge::reload::Reloader;
use tables::Tables;

use crate::support::{ApiClient, Client, RawNative, config, counter, emit, serve_with_config, text};

mod connected;

/// Tables that translate alike, in which rows and signatures have other numbers.
fn renumbered() -> Tables {
    let mut sources = tables::embedded();
    sources.reverse();
    let (tables, diags) = tables::compile(&sources);
    assert!(diags.is_empty(), "{diags}");
    let built_in = Tables::built_in().expect("the built-in tables compile");
    assert_ne!(tables.row_named("peer.received"), built_in.row_named("peer.received"));
    assert_ne!(
        tables.signature_named("onMessageInstantReceive"),
        built_in.signature_named("onMessageInstantReceive")
    );
    tables
}

#[tokio::test]
async fn live_sessions_keep_their_limits_and_new_ones_get_others() {
    let running = serve_with_config(config()).await;
    let reloader = Reloader::new(&running);
    let mut old = Client::login(running.http, "old").await;
    let mut new = config();
    new.limits.messages_per_second = 2;
    new.listen.http = ([127, 0, 0, 1], 1).into();
    let reloaded = reloader.apply(&new, None).await.expect("it can be used");
    let names: Vec<_> = reloaded
        .changed
        .iter()
        .map(|changed| (&*changed.name, changed.change.name()))
        .collect();
    assert_eq!(
        names,
        [("limits.messages_per_second", "reload"), ("listen.http", "restart")]
    );
    let config: Arc<Config> = running.server.config();
    assert_eq!((config.limits.messages_per_second, config.listen.http.port()), (2, 0));
    let mut fresh = Client::login(running.http, "fresh").await;
    let mut refused = [0, 0];
    for (at, client) in [&mut old, &mut fresh].into_iter().enumerate() {
        for n in 0..10 {
            let msg =
                json!({"peer": "nobody", "msg": format!("{n}"), "flag": "v1:E:3600", "t": "instant", "content": "x"});
            refused[at] += usize::from(client.call("user_sendmsg", msg).await.err == "too often");
        }
    }
    assert_eq!(refused, [0, 8]);
}

/// Sessions of both tables meet, and a client resumes its session of the old ones.
#[tokio::test]
async fn sessions_of_old_and_new_tables_work_side_by_side() {
    let running = serve_with_config(config()).await;
    let reloader = Reloader::new(&running);
    let mut alice = Client::login(running.http, "alice").await;
    let mut waiting = Client::connect(running.http).await;
    let native = running.tcp.expect("native clients");
    let mut bob = RawNative::connect(native).await;
    bob.log_in("bob", "").await;
    let _api = ApiClient::login(running.http, "carol").await;
    let before = running.server.tables();
    reloader
        .apply(&config(), Some(renumbered()))
        .await
        .expect("it can be used");
    assert!(!Arc::ptr_eq(&before, &running.server.tables()));
    // A client that has connected before gets a session of the new tables.
    assert_eq!(waiting.log_in("dora").await.err, "");
    for (from, to) in [("alice", "dora"), ("dora", "alice")] {
        let (sender, receiver) = if from == "alice" {
            (&mut alice, &mut waiting)
        } else {
            (&mut waiting, &mut alice)
        };
        emit(sender, to, &format!("from {from}")).await;
        let (_, lines) = receiver.poll(0).await;
        let got = lines.last().map(|(_, line)| text(line).to_owned());
        assert_eq!(got, Some(format!("from {from}")));
    }
    // Her session is resumed, by then with the new tables, with the message that came meanwhile.
    drop(alice);
    crate::support::eventually("she is away", || running.server.metrics.sockets.get() == 3).await;
    emit(&mut waiting, "alice", "meanwhile").await;
    let mut alice = Client::login(running.http, "alice").await;
    assert_eq!(alice.call("channel_join", json!({"name": "room"})).await.err, "");
    let (_, lines) = alice.poll(0).await;
    assert_eq!(
        lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>().last(),
        Some(&"meanwhile")
    );
    // The login of a client of the documented API replaces its session, which is connected.
    let mut carol = ApiClient::login(running.http, "carol").await;
    carol.call("channelJoin", json!({"channelID": "room"})).await;
    let (_, coverage) = running.server.sets.coverage();
    assert_eq!(coverage.sessions, 5, "of both tables");
}

/// A session whose client is away and that waits for nothing takes the new tables, with all that it has.
#[tokio::test]
async fn a_session_without_a_client_takes_new_tables() {
    let running = serve_with_config(config()).await;
    let reloader = Reloader::new(&running);
    let key = |name: &str| {
        let app = rtm::AppId::new("app").expect("an app id");
        (app, identity::Account::new(name).expect("an account"))
    };
    let set_of = |name: &str| running.server.registry.session(&key(name)).expect("a session").set;
    let is_current = |name: &str| Arc::ptr_eq(&set_of(name), &running.server.sets.current());
    let mut alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    let mut carol = Client::login(running.http, "carol").await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.call("channel_join", json!({"name": "room"})).await.err, "");
    }
    // Her message waits for an offline user: its row is one of the old tables.
    let kept = json!({"peer": "nobody", "content": "later", "flag": "v1:E:3600", "t": "instant"});
    assert_eq!(carol.call("user_sendmsg", kept).await.err, "");
    drop((alice, carol));
    let closed = || running.server.metrics.sockets.get() == 1;
    crate::support::eventually("their sockets are closed", closed).await;
    emit(&mut bob, "alice", "before").await;
    reloader
        .apply(&config(), Some(renumbered()))
        .await
        .expect("it can be used");
    crate::support::eventually("her session takes the new tables", || is_current("alice")).await;
    assert!(!is_current("bob"), "he has sent nothing yet");
    assert!(!is_current("carol"), "her message refers to a row");
    emit(&mut bob, "alice", "after").await;
    assert!(is_current("bob"), "his session has taken them with his call");
    let mut alice = Client::login(running.http, "alice").await;
    let (_, lines) = alice.poll(0).await;
    let texts: Vec<_> = lines.iter().map(|(_, line)| text(line)).collect();
    assert_eq!(texts, ["before", "after"]);
    // She is still in the channel, and her calls are those of the new tables.
    let sent = bob.call("channel_sendmsg", json!({"name": "room", "msg": "hi"})).await;
    assert_eq!(sent.err, "");
    let joined = alice.call("channel_join", json!({"name": "room"})).await;
    assert_eq!(joined.err, "");
    let sent = alice
        .call("channel_sendmsg", json!({"name": "room", "msg": "hello"}))
        .await;
    assert_eq!(sent.err, "");
    let calls = running.server.sets.current().usage.coverage().calls;
    assert!(!calls.is_empty(), "calls are counted with the new tables");
}

/// A viewer of a session reads its rows by the tables of the session.
#[tokio::test]
async fn a_viewer_uses_the_tables_of_the_session() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = serve_with_config(crate::support::with_admin()).await;
    let admin = crate::support::admin(&running);
    let reloader = Reloader::new(&running);
    let mut alice = Client::login(running.http, "alice").await;
    let config = (*running.server.config()).clone();
    reloader
        .apply(&config, Some(renumbered()))
        .await
        .expect("it can be used");
    let id = running.server.sessions.views()[0].id;
    let mut stream = tokio::net::TcpStream::connect(admin).await.expect("it listens");
    let request = format!("GET /sessions/{id}/live HTTP/1.1\r\nhost: {admin}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let is_watched = || running.server.sessions.views()[0].is_watched();
    crate::support::eventually("the session is watched", is_watched).await;
    emit(&mut alice, "nobody", "hi").await;
    let (mut seen, mut chunk) = (String::new(), vec![0; 65_536]);
    while !seen.contains("\"kind\":\"reply\"") {
        let read = tokio::time::timeout(crate::support::PATIENCE, stream.read(&mut chunk)).await;
        let length = read.expect("an event").expect("no error");
        assert!(length > 0, "{seen}");
        seen += &String::from_utf8_lossy(&chunk[..length]);
    }
    assert!(seen.contains("\"row\":\"peer.send\""), "{seen}");
}

/// Messages that wait for an absent account are those of another session's tables.
#[tokio::test]
async fn waiting_messages_survive_new_tables() {
    let mut config = config();
    config.session.grace = Duration::ZERO;
    let running = serve_with_config(config.clone()).await;
    let reloader = Reloader::new(&running);
    let alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    emit(&mut bob, "alice", "unread").await;
    drop(alice);
    crate::support::eventually("her session is over", || running.server.registry.len() == 1).await;
    reloader
        .apply(&config, Some(renumbered()))
        .await
        .expect("it can be used");
    let mut alice = Client::login(running.http, "alice").await;
    let (_, lines) = alice.poll(0).await;
    assert_eq!(lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>(), ["unread"]);
    let lost = "sigbridge_dropped_total{what=\"kept lines without a row in the new tables\"}";
    assert_eq!(counter(&running, lost), 0);
}

#[tokio::test]
async fn unusable_values_change_nothing() {
    let mut config = crate::support::behind_a_link(config());
    config.auth.app_id = rtm::AppId::new("970CA35de60c44645bbae8a215061b33").ok();
    config.upstream.rtm_token = sigbridge::config::RtmToken::V006;
    let running = serve_with_config(config.clone()).await;
    let reloader = Reloader::new(&running);
    config.limits.sockets = 7;
    config.auth.app_id = rtm::AppId::new("short").ok();
    config.auth.certificate = Some("5CFd2fd1755d40ecb72977518be15d3b".into());
    let error = reloader
        .apply(&config, Some(renumbered()))
        .await
        .expect_err("no project of RTM");
    assert_eq!(error.to_string(), "cannot make tokens of RTM for the app short");
    assert_eq!(running.server.config().limits.sockets, 10_000);
}

#[cfg(unix)]
mod process {
    use super::*;
    use crate::support::{Program, empty_folder, eventually, free_address, http, to_file};

    fn copy_tables(to: &Path) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
        for part in ["", "wire", "platforms"] {
            let target = to.join(part);
            fs::create_dir_all(&target).expect("a folder of the test");
            for entry in fs::read_dir(from.join(part))
                .expect("the tables")
                .map(|entry| entry.expect("a file").path())
            {
                if entry.is_file() {
                    fs::copy(&entry, target.join(entry.file_name().expect("a name"))).expect("a copy");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_bad_file_is_reported_with_its_place_and_changes_nothing() {
        let folder = empty_folder("reload-process");
        copy_tables(&folder.join("mappings"));
        let admin = free_address();
        let config = format!("[admin]\nlisten = \"{admin}\"\n");
        let args = ["--mappings", "mappings"];
        let (mut program, addr) = Program::serve(&folder, (&config, &args), to_file(&folder, "log")).await;
        let path = folder.join("sigbridge.toml");
        let good = fs::read_to_string(&path).expect("the config");
        let reload = async || {
            let answer = http(admin, "POST /reload", &[], "").await;
            (answer.status, answer.body)
        };
        assert_eq!(reload().await, (200, "nothing has changed\n".to_owned()));
        // A bad config, by a signal.
        fs::write(&path, good.clone() + "[limits]\nsockets = 0\n").expect("the folder can be written");
        program.signal("HUP");
        let error = "`limits.sockets`: expected 1 to 10000000, got 0";
        eventually("it is reported", || program.text("log").contains(error)).await;
        eventually("and its place", || program.text("log").contains("sigbridge.toml:8:11")).await;
        // A bad table, with a caret.
        fs::write(&path, good.clone() + "[limits]\nsockets = 7\n").expect("the folder can be written");
        let table = folder.join("mappings/errors.toml");
        let tables = fs::read_to_string(&table).expect("a table");
        fs::write(&table, tables.replacen("\"onLoginFailed\"", "\"onLoginFaild\"", 1)).expect("a table");
        let (status, body) = reload().await;
        assert_eq!(status, 422, "{body}");
        assert!(
            body.contains("errors.toml:") && body.contains("^") && body.contains("onLoginFailed"),
            "{body}"
        );
        let metrics = http(admin, "GET /metrics", &[], "").await.body;
        assert!(
            metrics.contains("sigbridge_reloads_total{result=\"failed\"} 2"),
            "{metrics}"
        );
        // Good ones.
        fs::write(
            &table,
            tables.replacen("[reason]\n", "[reason]\n\"new\" = \"for a test\"\n", 1),
        )
        .expect("a table");
        let expected = "limits.sockets: 10000 -> 7\nnew calls use the new tables\n";
        assert_eq!(reload().await, (200, expected.to_owned()));
        let _client = Client::login(addr, "alice").await;
        let change = "config changed key=\"limits.sockets\" old=\"10000\" new=\"7\"";
        eventually("the change is logged", || program.text("log").contains(change)).await;
        assert_eq!(program.stop().await, Some(0));
    }
}
