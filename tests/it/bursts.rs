//! Bursts of valid traffic: clients that read get all accepted messages; others get the frames of a close.

use std::time::Duration;

use protocol::memory_budget::MemoryUser;
use serde_json::json;
use sigbridge::config::{Config, OverRate};
use sigbridge::startup::Running;

use crate::support::{
    ApiClient, Client, Got, PATIENCE, RawNative, config, counter, emit, eventually, notified, serve, serve_with_config,
    text,
};

const SLOW: &str = "sigbridge_dropped_total{what=\"frames of a slow client\",intentional=\"false\"}";

/// Without RTM's own rates, which are not what this is about.
fn quick() -> Config {
    let mut config = config();
    config.embedded.rate_scale = 0;
    config
}

async fn members(running: &Running, names: impl Iterator<Item = String>) -> Vec<Client> {
    let mut members = Vec::new();
    for name in names {
        let mut client = Client::login(running.http, &name).await;
        assert_eq!(client.call("channel_join", json!({"name": "room"})).await.err, "");
        members.push(client);
    }
    members
}

/// Each sends `times` messages without waiting for an answer; how many were accepted in the end.
async fn all_talk(senders: &mut [Client], times: usize) -> usize {
    let mut calls = Vec::new();
    for n in 0..times {
        for sender in &mut *senders {
            let msg = json!({"name": "room", "msg": format!("m{n}")});
            calls.push(sender.send_call("channel_sendmsg", msg).await);
        }
    }
    let mut accepted = 0;
    for (at, call) in calls.into_iter().enumerate() {
        let reply = senders[at % senders.len()].reply(call).await;
        accepted += usize::from(reply.err.is_empty());
        assert!(["", "too often"].contains(&&*reply.err), "{reply:?}");
    }
    accepted
}

async fn messages(client: &mut Client, expected: usize) {
    let mut got = 0;
    while got < expected {
        let notify = client.frame("notify").await;
        got += usize::from(notify[3].as_str().is_some_and(|line| line.contains(" channel_msg ")));
    }
}

#[tokio::test]
async fn a_burst_reaches_all_members_and_closes_no_socket() {
    let mut config = quick();
    config.limits.channel_messages_per_second = 0;
    let running = serve(config).await;
    let mut senders = members(&running, (0..6).map(|n| format!("s{n}"))).await;
    let mut bystanders = members(&running, (0..6).map(|n| format!("b{n}"))).await;
    assert_eq!(all_talk(&mut senders, 60).await, 360);
    for client in senders.iter_mut().chain(&mut bystanders) {
        messages(client, 360).await;
    }
    assert_eq!((counter(&running, SLOW), running.server.metrics.sockets.get()), (0, 12));
}

#[tokio::test]
async fn a_channel_has_a_rate_of_its_own() {
    for policy in [OverRate::Fail, OverRate::Discard] {
        let mut config = quick();
        config.limits.channel_messages_per_second = 20;
        config.policy.over_rate = policy;
        let running = serve(config).await;
        let mut senders = members(&running, (0..3).map(|n| format!("s{n}"))).await;
        let begun = tokio::time::Instant::now();
        let accepted = all_talk(&mut senders, 30).await;
        // The time of a slow machine refills the bucket.
        let most = 20 + 20 * (begun.elapsed().as_millis() as usize + 1) / 1000 + 1;
        let over = counter(
            &running,
            "sigbridge_dropped_total{what=\"messages over a channel's rate\",intentional=\"true\"}",
        ) as usize;
        assert!((20..=most).contains(&(90 - over)), "{} of at most {most}", 90 - over);
        assert_eq!(accepted, if policy == OverRate::Fail { 90 - over } else { 90 });
        messages(&mut senders[0], 90 - over).await;
    }
}

#[tokio::test]
async fn everybody_may_join_at_once() {
    let running = serve(quick()).await;
    let mut clients = Vec::new();
    for n in 0..60 {
        clients.push(Client::login(running.http, &format!("c{n}")).await);
    }
    let mut calls = Vec::new();
    for client in &mut clients {
        calls.push(client.send_call("channel_join", json!({"name": "room"})).await);
    }
    for (client, call) in clients.iter_mut().zip(calls) {
        assert_eq!(client.reply(call).await.err, "");
    }
    assert_eq!((counter(&running, SLOW), running.server.metrics.sockets.get()), (0, 60));
}

/// It has filled what the system buffers for it; its client begins to read when it is closed.
async fn fill(running: &Running, speaker: &mut Client) {
    const MOST: usize = 3_000;
    // Text that deflates badly.
    let mut noise = 1_u64;
    let mut letter = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + (noise >> 33) as u8 % 57)
    };
    for _ in 0..MOST {
        let msg: String = (0..7_000).map(|_| letter()).collect();
        let reply = speaker
            .call("channel_sendmsg", json!({"name": "room", "msg": msg}))
            .await;
        assert_eq!(reply.err, "");
        messages(speaker, 1).await;
        if counter(running, SLOW) > 0 {
            return;
        }
    }
    panic!("it is never closed");
}

fn little() -> Config {
    let mut config = quick();
    config.limits.messages_per_second = 0;
    config.limits.channel_messages_per_second = 0;
    config.limits.outbound_bytes = 64 * 1024;
    config
}

#[tokio::test]
async fn a_slow_client_gets_its_profiles_farewell() {
    let running = serve(little()).await;
    let mut speaker = members(&running, ["speaker".to_owned()].into_iter()).await.remove(0);
    // Builds before 1.3.3 stay logged in for ever without a `close` frame.
    let mut web = Client::connect_with(running.http, Some(4 * 1024)).await;
    web.log_in("web").await;
    web.call("channel_join", json!({"name": "room"})).await;
    fill(&running, &mut speaker).await;
    let mut last = Got::Cut;
    let end = loop {
        match web.next().await {
            Got::Frame(frame) => last = Got::Frame(frame),
            end => break end,
        }
    };
    assert_eq!((last, end), (Got::Frame(json!(["close", ""])), Got::Closed(Some(1008))));
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
    assert_eq!(
        running.server.registry.len(),
        2,
        "its session waits for it to come back"
    );
}

#[tokio::test]
async fn so_is_a_native_one() {
    let running = serve(little()).await;
    let mut speaker = members(&running, ["speaker".to_owned()].into_iter()).await.remove(0);
    let mut native = RawNative::connect_with(running.tcp.expect("native clients"), Some(4 * 1024)).await;
    native.log_in("native", "").await;
    native.call("channel_join", json!({"name": "room"})).await;
    fill(&running, &mut speaker).await;
    let mut last = None;
    while let Some(line) = native.next().await {
        last = Some(line);
    }
    assert_eq!(last.as_deref(), Some("notify outofsync"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed_in_time() {
    let mut config = little();
    config.limits.outbound_bytes = 64 << 20;
    config.limits.write_stall = Duration::from_secs(1);
    let running = serve(config).await;
    let mut speaker = members(&running, ["speaker".to_owned()].into_iter()).await.remove(0);
    let mut slow = Client::connect_with(running.http, Some(4 * 1024)).await;
    slow.log_in("slow").await;
    slow.call("channel_join", json!({"name": "room"})).await;
    fill(&running, &mut speaker).await;
    eventually("its socket is closed", || running.server.metrics.sockets.get() == 1).await;
}

/// The connection is full when the server stops. Unacknowledged messages are saved all the same.
#[tokio::test]
async fn a_slow_reader_receives_all_messages() {
    let folder = std::env::temp_dir().join(format!("sigbridge-blocked-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = little();
    config.limits.outbound_bytes = 64 << 20;
    config.mailbox.file = Some(folder.join("mailbox.jsonl"));
    let running = serve_with_config(config.clone()).await;
    let mut speaker = members(&running, ["speaker".to_owned()].into_iter()).await.remove(0);
    let mut slow = Client::connect_with(running.http, Some(4 * 1024)).await;
    slow.log_in("slow").await;
    slow.call("channel_join", json!({"name": "room"})).await;
    emit(&mut speaker, "slow", "unread").await;
    let msg = "x".repeat(8_000);
    let held = || running.server.memory.of(MemoryUser::Connections);
    for n in 0.. {
        assert!(n < 3_000, "its connection is never full");
        speaker
            .call("channel_sendmsg", json!({"name": "room", "msg": msg}))
            .await;
        messages(&mut speaker, 1).await;
        if held() > 100_000 {
            break;
        }
    }
    running.server.stop(PATIENCE).await;
    assert!(running.server.registry.is_empty());
    let running = serve_with_config(config).await;
    let mut slow = Client::login(running.http, "slow").await;
    let (_, lines) = slow.poll(0).await;
    assert_eq!(lines.iter().map(|(_, line)| text(line)).collect::<Vec<_>>(), ["unread"]);
}

#[tokio::test]
async fn one_sender_cannot_fill_a_mailbox() {
    let mut config = quick();
    config.mailbox.limit = 40;
    let running = serve(config).await;
    let mut victim = Client::login(running.http, "victim").await;
    victim.poll(0).await;
    let mut crowd = Client::login(running.http, "crowd").await;
    let mut caller = Client::login(running.http, "caller").await;
    let mut friend = Client::login(running.http, "friend").await;
    for n in 0..50 {
        emit(&mut crowd, "victim", &format!("crowd {n}")).await;
        let call = json!({"channelName": format!("c{n}"), "peer": "victim", "extra": ""});
        assert_eq!(caller.call("voip_invite", call).await.err, "");
    }
    for n in 0..3 {
        emit(&mut friend, "victim", &format!("friend {n}")).await;
    }
    let (mut version, mut got) = (0, Vec::new());
    loop {
        let (_, lines) = victim.poll(version).await;
        let Some((last, _)) = lines.last() else { break };
        version = *last;
        got.extend(lines.iter().map(|(_, line)| text(line).to_owned()));
    }
    let friends = got.iter().filter(|text| text.starts_with("friend")).count();
    assert_eq!(friends, 3, "{got:?}");
    let full = counter(
        &running,
        "sigbridge_limitations_total{row=\"peer.received\",code=\"MAILBOX-FULL\"}",
    );
    let crowded = got.iter().filter(|text| text.starts_with("crowd")).count();
    assert_eq!(full as usize + crowded, 50, "what is dropped is noted");
}

#[tokio::test]
async fn a_reader_loses_nothing_of_what_many_send_at_once() {
    const MANY: usize = 120;
    let mut config = quick();
    config.mailbox.limit = MANY * 4 / 3 + 1;
    let running = serve(config).await;
    let mut teacher = Client::login(running.http, "teacher").await;
    teacher.poll(0).await;
    let mut students = Vec::new();
    for n in 0..MANY {
        students.push(Client::login(running.http, &format!("s{n}")).await);
    }
    let mut calls = Vec::new();
    for student in &mut students {
        let message = json!({"peer": "teacher", "content": "hello"});
        calls.push(student.send_call("user_sendmsg", message).await);
    }
    for (student, call) in students.iter_mut().zip(calls) {
        assert_eq!(student.reply(call).await.err, "");
    }
    for version in 1..=MANY as u64 {
        assert_eq!(notified(&teacher.frame("notify").await).1, version);
    }
}

/// A client of the documented API may only listen; a browser answers pings without its page.
#[tokio::test]
async fn a_silent_api_client_is_kept_while_it_answers_pings() {
    let running = serve_with_config(config()).await;
    let mut listens = ApiClient::login(running.http, "listens").await;
    let _silent = ApiClient::login(running.http, "silent").await;
    tokio::time::pause();
    let sockets = || running.server.metrics.sockets.get();
    for (seconds, left) in [(119, 2), (60, 1)] {
        for _ in 0..seconds {
            assert_eq!(listens.within(Duration::from_secs(1)).await, None);
        }
        // Whoever does not read does not answer.
        assert_eq!(sockets(), left);
    }
}

/// Each waits for RTM's rate, with a number of the app's that is as long as a frame may be.
#[tokio::test]
async fn requests_that_wait_are_bounded() {
    let running = serve_with_config(config()).await;
    let mut client = ApiClient::login(running.http, "alice").await;
    let number = "n".repeat(60_000);
    let mut requests = Vec::new();
    for n in 0..200 {
        let params = json!(["io.agora.signal.channel_query_num", {"name": format!("r{n}")}, number]);
        requests.push(client.start("invoke", params).await);
    }
    let busy = || counter(&running, "sigbridge_bad_frames_total{reason=\"too many open calls\"}");
    eventually("most are refused", || busy() > 150).await;
    let held = running.server.memory.of(MemoryUser::Requests);
    assert!((100_000..300_000).contains(&held), "{held} bytes");
    let answer = client.answer(requests[199]).await;
    assert!(
        answer.starts_with("error -32000 too many requests are pending"),
        "{answer}"
    );
}

#[tokio::test]
async fn sessions_that_wait_for_their_clients_are_bounded() {
    let mut config = quick();
    config.limits.sockets = 4;
    let running = serve_with_config(config).await;
    for n in 0..8 {
        drop(Client::login(running.http, &format!("c{n}")).await);
        eventually("its socket is closed", || running.server.metrics.sockets.get() == 0).await;
    }
    eventually("the oldest have given up", || running.server.registry.len() == 4).await;
    let mut last = Client::login(running.http, "c7").await;
    assert_eq!(
        counter(&running, "sigbridge_logins_total{result=\"resume\",reason=\"\"}"),
        1
    );
    let status = last.call("user_query_user_status", json!({"account": "c0"})).await;
    assert_eq!(status.json["status"], 0);
}

/// With full memory a session keeps little, and the sidecar first drops sessions without a client for the longest time.
#[tokio::test]
async fn queued_data_is_bounded_in_all() {
    const BOUND: usize = 1 << 20;
    let mut config = quick();
    config.limits.messages_per_second = 0;
    config.limits.memory = BOUND;
    config.session.grace = Duration::ZERO;
    let running = serve_with_config(config).await;
    let mut speaker = Client::login(running.http, "speaker").await;
    let big = "x".repeat(8_000);
    let memory = &running.server.memory;
    let held = || {
        MemoryUser::ALL
            .iter()
            .map(|(holder, _)| memory.of(*holder))
            .sum::<usize>()
    };
    for n in 0..6 {
        let away = Client::login(running.http, &format!("away{n}")).await;
        for _ in 0..40 {
            emit(&mut speaker, &format!("away{n}"), &big).await;
        }
        drop(away);
        eventually("its lines are kept", || running.server.registry.len() == 1).await;
    }
    assert!(held() <= BOUND, "{} bytes", held());
    assert!(
        counter(
            &running,
            "sigbridge_dropped_total{what=\"oldest kept lines\",intentional=\"false\"}"
        ) > 0
    );
    let mut newest = Client::login(running.http, "away5").await;
    assert!(!newest.poll(0).await.1.is_empty());
    let mut oldest = Client::login(running.http, "away0").await;
    assert_eq!(oldest.poll(0).await.1, []);
}
