//! Sessions over real sockets: twins, kicks, coming back in time, restarts, clients that do not read.

use std::time::Duration;

use crate::support::{
    Client, Got, PATIENCE, QUIET, config, counter, emit, eventually, notified, serve, serve_with_config, text,
};
use identity::{Account, token};
use rtm::AppId;
use secrecy::SecretString;
use serde_json::{Value, json};
use sigbridge::startup::Running;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn logins(running: &Running, result: &str) -> u64 {
    counter(
        running,
        &format!("sigbridge_logins_total{{result=\"{result}\",reason=\"\"}}"),
    )
}

#[tokio::test]
async fn twins_share_a_session() {
    let running = serve(config()).await;
    let mut first = Client::connect(running.http).await;
    let mut second = Client::connect(running.http).await;
    first.send_login("alice", "token").await;
    second.send_login("alice", "token").await;
    let (one, two) = (first.login_ret().await, second.login_ret().await);
    assert_eq!(one, two, "the same uid, the same line");
    assert_eq!((logins(&running, "new"), logins(&running, "twin")), (1, 1));
    // Either socket may call; what comes unasked goes to one of them.
    assert_eq!(first.poll(0).await, (0, vec![]));
    let mut bob = Client::login(running.http, "bob").await;
    emit(&mut bob, "alice", "hi").await;
    assert_eq!(notified(&second.frame("notify").await).1, 1);
    assert_eq!(first.within(QUIET).await, None, "no kick, no close, no second copy");
    drop(first);
    emit(&mut bob, "alice", "still there").await;
    assert_eq!(notified(&second.frame("notify").await).1, 2);
}

#[tokio::test]
async fn a_client_that_has_settled_has_no_twin() {
    let mut config = config();
    config.session.twin_window = Duration::from_secs(3600);
    let running = serve(config).await;
    let mut caller = Client::login(running.http, "alice").await;
    caller.call("channel_join", json!({"name": "room"})).await;
    let mut flagged = Client::login(running.http, "alice").await;
    assert_eq!(caller.next().await, Got::Frame(json!(["kick", ""])));
    flagged.send(json!(["set_flag", {"binary": 1}])).await;
    flagged.send(json!(["ping", 1])).await;
    flagged.frame("pong").await;
    let mut polling = Client::login(running.http, "alice").await;
    assert_eq!(flagged.next().await, Got::Frame(json!(["kick", ""])));
    polling.poll(0).await;
    let _twin = Client::login(running.http, "alice").await;
    assert_eq!(polling.within(QUIET).await, None);
    let counts = ["new", "replace", "twin"].map(|result| logins(&running, result));
    assert_eq!(counts, [1, 2, 1]);
}

#[tokio::test]
async fn a_later_login_kicks_the_first() {
    let mut config = config();
    config.session.twin_window = Duration::ZERO;
    let running = serve(config).await;
    let mut first = Client::login(running.http, "alice").await;
    let mut second = Client::login(running.http, "alice").await;
    assert_eq!(first.next().await, Got::Frame(json!(["kick", ""])));
    assert_eq!(first.next().await, Got::Frame(json!(["close", ""])));
    assert_eq!(first.next().await, Got::Closed(Some(1000)));
    assert_ne!(first.line, second.line);
    assert_eq!(second.poll(0).await, (0, vec![]));
    let mut bob = Client::login(running.http, "bob").await;
    emit(&mut bob, "alice", "hi").await;
    assert_eq!(text(&notified(&second.frame("notify").await).2), "hi");
    eventually("the first session is over", || running.server.registry.len() == 2).await;
}

#[tokio::test]
async fn a_client_that_comes_back_in_time_has_missed_nothing() {
    let running = serve(config()).await;
    let mut bob = Client::login(running.http, "bob").await;
    let alice = Client::login(running.http, "alice").await;
    drop(alice);
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
    for text in ["1", "2"] {
        emit(&mut bob, "alice", text).await;
    }
    let mut alice = Client::login(running.http, "alice").await;
    assert_eq!(logins(&running, "resume"), 1, "the same session");
    let (_, lines) = alice.poll(0).await;
    assert_eq!(
        lines.iter().map(|(v, line)| (*v, text(line))).collect::<Vec<_>>(),
        [(1, "1"), (2, "2")]
    );
    assert_eq!(alice.poll(2).await, (2, vec![]));
    emit(&mut bob, "alice", "3").await;
    assert_eq!(notified(&alice.frame("notify").await).1, 3);
    assert_eq!(alice.within(QUIET).await, None, "each of them once");
}

/// Seconds from the end of a socket to the end of its session, after these frames of the client.
async fn seconds_of_grace(sent: Vec<Value>, close: Option<Option<CloseCode>>) -> u64 {
    let running = serve_with_config(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    for frame in sent {
        alice.send(frame).await;
    }
    alice.send(json!(["ping", 1])).await;
    alice.frame("pong").await;
    tokio::time::pause();
    match close {
        Some(code) => {
            let reason = "".into();
            let frame = code.map(|code| CloseFrame { code, reason });
            alice.send_raw(Message::Close(frame)).await;
            assert!(matches!(alice.next().await, Got::Closed(_)));
        }
        None => drop(alice),
    }
    let start = tokio::time::Instant::now();
    while !running.server.registry.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    start.elapsed().as_secs()
}

#[tokio::test]
async fn a_closed_page_is_soon_disconnected() {
    for code in [None, Some(CloseCode::Normal), Some(CloseCode::Away)] {
        assert_eq!(seconds_of_grace(vec![], Some(code)).await, 5, "{code:?}");
        tokio::time::resume();
    }
    let flag = json!(["set_flag", {"binary": 1}]);
    for (sent, close) in [
        // Its connection was lost; it may log in again. And a build that does so by itself.
        (vec![], None),
        (vec![], Some(Some(CloseCode::Error))),
        (vec![flag], Some(Some(CloseCode::Away))),
    ] {
        assert_eq!(seconds_of_grace(sent, close).await, 30, "{close:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_session_without_a_client_ends() {
    let mut config = config();
    config.session.grace = Duration::from_millis(50);
    let running = serve(config).await;
    let alice = Client::login(running.http, "alice").await;
    drop(alice);
    eventually("the grace is over", || running.server.registry.is_empty()).await;
    let alice = Client::login(running.http, "alice").await;
    assert_eq!((logins(&running, "new"), logins(&running, "resume")), (2, 0));
    drop(alice);
}

#[tokio::test]
async fn a_logout_is_answered_and_ends_the_session() {
    let running = serve(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    assert_eq!(alice.call("user_logout", json!({})).await.json, json!({"result": "ok"}));
    assert_eq!(
        alice.next().await,
        Got::Closed(Some(1000)),
        "the SDK has reported it already"
    );
    eventually("no grace time after a logout", || running.server.registry.is_empty()).await;
}

#[tokio::test]
async fn clients_without_reconnect_are_notified_of_a_restart() {
    let running = serve(config()).await;
    let mut old = Client::login(running.http, "old").await;
    let mut new = Client::login(running.http, "new").await;
    let mut unknown = Client::connect(running.http).await;
    new.send(json!(["set_flag", {"binary": 1}])).await;
    new.send(json!(["ping", 1])).await;
    new.frame("pong").await;
    let server = running.server.clone();
    let stopping = tokio::spawn(async move { server.stop(PATIENCE).await });
    assert_eq!(old.next().await, Got::Frame(json!(["close", ""])));
    assert_eq!(old.next().await, Got::Closed(Some(1001)));
    assert_eq!(
        new.next().await,
        Got::Closed(Some(1001)),
        "it would not log in again after a close frame"
    );
    assert_eq!(unknown.next().await, Got::Closed(Some(1001)));
    for client in [&mut old, &mut new, &mut unknown] {
        // A client that reads answers the close.
        assert_eq!(client.next().await, Got::Cut);
    }
    stopping.await.expect("it stops");
    assert!(running.server.registry.is_empty());
    assert!(
        tokio::net::TcpStream::connect(running.http).await.is_err(),
        "the listener is closed"
    );
}

#[tokio::test]
async fn a_blocked_client_does_not_delay_others() {
    // More than the system buffers for one connection.
    const MOST: usize = 2_000;
    let mut config = config();
    config.limits.messages_per_second = 0;
    config.limits.channel_messages_per_second = 0;
    config.limits.outbound_bytes = 64 * 1024;
    config.embedded.rate_scale = 0;
    let running = serve(config).await;
    let mut slow = Client::connect_with(running.http, Some(4 * 1024)).await;
    slow.log_in("slow").await;
    let mut quick = Client::login(running.http, "quick").await;
    let mut speaker = Client::login(running.http, "speaker").await;
    for client in [&mut slow, &mut quick, &mut speaker] {
        client.call("channel_join", json!({"name": "room"})).await;
    }
    let big = "x".repeat(8_000);
    let closed = || {
        counter(
            &running,
            "sigbridge_dropped_total{what=\"frames of a slow client\",intentional=\"false\"}",
        ) > 0
    };
    let mut sent = 0;
    let mut received = 0;
    let mut rest = 10;
    while rest > 0 {
        assert!(sent < MOST, "the slow one is never closed");
        let msg = format!("{sent} {big}");
        assert_eq!(
            speaker
                .call("channel_sendmsg", json!({"name": "room", "msg": msg}))
                .await
                .err,
            ""
        );
        sent += 1;
        rest -= usize::from(closed());
        while received < sent {
            let notify = quick.frame("notify").await;
            let line = notify[3].as_str().expect("a line");
            if line.contains(" channel_msg ") {
                assert!(
                    line.contains(&format!("\"msg\":\"{received} x")),
                    "all, in order: {line:.120}"
                );
                received += 1;
            }
        }
    }
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 2).await;
    // Frames on their way arrive before the close.
    while let Got::Frame(_) = slow.next().await {}
}

#[tokio::test]
async fn messages_wait_in_a_file_while_no_process_runs() {
    let folder = std::env::temp_dir().join(format!("sigbridge-restart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = config();
    config.mailbox.file = Some(folder.join("mailbox.jsonl"));
    let running = serve_with_config(config.clone()).await;
    let alice = Client::login(running.http, "alice").await;
    drop(alice);
    let mut bob = Client::login(running.http, "bob").await;
    emit(&mut bob, "alice", "before the restart").await;
    running.server.stop(PATIENCE).await;
    // Killed before and after its client has seen them: what is not acknowledged is there for the next.
    let _killed = serve_with_config(config.clone()).await;
    let killed = serve_with_config(config.clone()).await;
    let mut alice = Client::login(killed.http, "alice").await;
    assert_eq!(alice.poll(0).await.1.len(), 1);
    let running = serve_with_config(config.clone()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let (_, lines) = alice.poll(0).await;
    let texts: Vec<&str> = lines.iter().map(|line| text(&line.1)).collect();
    assert_eq!(texts, ["before the restart"]);
    alice.poll(1).await;
    let file = folder.join("mailbox.jsonl");
    eventually("nothing waits any more", || !file.exists()).await;
    running.server.stop(PATIENCE).await;
    assert!(!file.exists());
}

/// An invalid byte, from a full disk or a crash, does not prevent the start.
#[tokio::test]
async fn a_broken_mailbox_file_does_not_stop_the_start() {
    let folder = std::env::temp_dir().join(format!("sigbridge-broken-mailbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = config();
    let file = folder.join("mailbox.jsonl");
    config.mailbox.file = Some(file.clone());
    std::fs::write(&file, b"{\"app\":\"a\"}\n\xff\xfe\n\0\0").expect("a file");
    let running = serve_with_config(config).await;
    assert!(
        running
            .server
            .metrics
            .text()
            .contains("{what=\"messages in the mailbox file\",intentional=\"false\"} 1\n")
    );
    assert!(!file.exists() && folder.join("mailbox.jsonl.unread").exists());
}

/// Expired lines are neither kept nor written.
#[tokio::test]
async fn expired_lines_are_removed() {
    let folder = std::env::temp_dir().join(format!("sigbridge-old-mailbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = config();
    config.session.grace = Duration::ZERO;
    config.mailbox.ttl = Duration::from_secs(1);
    config.mailbox.file = Some(folder.join("mailbox.jsonl"));
    let running = serve_with_config(config.clone()).await;
    let alice = Client::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    emit(&mut bob, "alice", "too late").await;
    drop(alice);
    let expired = "{what=\"kept lines over their time\",intentional=\"true\"} 1\n";
    eventually("they are forgotten", || running.server.metrics.text().contains(expired)).await;
    running.server.stop(PATIENCE).await;
    assert!(!folder.join("mailbox.jsonl").exists());
}

/// A phone that has lost its network closes nothing: without this its user would stay online for ever.
#[tokio::test]
async fn a_silent_socket_is_closed() {
    let running = serve_with_config(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert_eq!(
        alice.within(Duration::from_secs(300)).await,
        Some(Got::Frame(json!(["close", ""]))),
        "in the way that its SDK notices"
    );
    // The login was a little before the clock stood still.
    assert_eq!(start.elapsed().as_secs_f64().round(), 120.0);
    assert_eq!(alice.next().await, Got::Closed(Some(1001)));
}

/// A clock that is set after the start moves no timer, and decides what has expired. Here the timers' clock runs ahead.
#[tokio::test]
async fn tokens_expire_by_the_wall_clock() {
    let (app, account) = (
        AppId::new("app").expect("an app id"),
        Account::new("alice").expect("an account"),
    );
    let certificate = SecretString::from("secret");
    let mut config = config();
    (config.auth.app_id, config.auth.certificate) = (Some(app.clone()), Some(certificate.clone()));
    let running = serve_with_config(config).await;
    let expires = running.server.clock.wall().as_secs() + 1_800;
    let valid = token::mint(&account, &app, &certificate, expires);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tokio::time::resume();
    let mut alice = Client::connect(running.http).await;
    alice.send_login("alice", &valid).await;
    assert_eq!(alice.login_ret().await.err, "");
}
