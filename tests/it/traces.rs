//! Sessions of a real server, recorded and played again.

use crate::support::{
    ApiClient, Client, RawNative, exercise_all_calls, folder, played, recording, recording_with, tables,
    tests_use_redis, traces,
};
use serde_json::json;
use trace::coverage::Used;
use trace::{Coverage, Dir, Leg, Policy, Record, Scope, Trace, diff, replay_embedded};

#[tokio::test]
async fn recordings_replay_without_differences() {
    let folder = folder("same");
    let running = recording(&folder).await;
    exercise_all_calls(&running).await;
    let traces = traces(running, &folder).await;
    let outcome = played(&traces[0]);
    assert_eq!((traces.len(), outcome.sessions), (1, 2));
    assert!(outcome.records > 60, "{}", outcome.records);
    live(&traces[0], 2);
}

#[tokio::test]
async fn redacted_recordings_replay_live() {
    for (name, policy) in [("placeholders", Policy::Placeholder), ("hashes", Policy::Hash)] {
        let folder = folder(name);
        let running = recording_with(&folder, policy).await;
        exercise_all_calls(&running).await;
        live(&traces(running, &folder).await[0], 2);
    }
}

/// Clients of every family are logged in when the server stops.
#[tokio::test]
async fn a_server_that_stops_finishes_its_traces() {
    let folder = folder("stopped");
    let running = recording(&folder).await;
    let mut web = Client::login(running.http, "alice").await;
    let mut native = RawNative::login(running.tcp.expect("native clients are served"), "nat").await;
    let mut api = ApiClient::login(running.http, "carol").await;
    web.call("channel_join", json!({"name": "room"})).await;
    native.call("channel_join", json!({"name": "room"})).await;
    api.call("channelJoin", json!(["room"])).await;
    let traces = traces(running, &folder).await;
    let has = |name: &str| {
        let of = |(_, record): &&(usize, Record)| record.leg == Leg::Env && record.data.get(name).is_some();
        traces[0].records.iter().filter(of).count()
    };
    assert_eq!(
        (traces.len(), has("begin"), has("cut") + has("end"), has("lost")),
        (1, 3, 3, 0)
    );
    played(&traces[0]);
}

/// The legacy side alone, to an RTM that answers.
fn live(trace: &Trace, sessions: usize) {
    let (tables, encoders) = tables();
    let outcome = replay_embedded(&tables, &encoders, trace, 1).expect("it makes sense");
    assert!(outcome.differences.is_empty(), "{:#?}", outcome.differences);
    assert_eq!((outcome.sessions, outcome.passed_over), (sessions, 0));
}

/// A text of several requests, its answers in one text; some before the login, the login among them.
const ALL_AT_ONCE: &str = r#"[
    {"jsonrpc":"2.0","id":"early","method":"channelJoin","params":["room"]},
    {"jsonrpc":"2.0","id":1e0,"method":"login2","params":["app","carol","PLANTED",0,"",30,3]},
    {"jsonrpc":"2.0","id":3,"method":"channelJoin","params":["room"]},
    {"jsonrpc":"2.0","id":4,"method":"nonsense"},
    {"jsonrpc":"2.0","method":"messageInstantSend","params":["alice",0,"too early",""]},
    7
]"#;

#[tokio::test]
async fn sessions_of_the_documented_api_are_played_the_same() {
    if tests_use_redis() {
        return;
    }
    let folder = folder("api");
    let running = recording(&folder).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    let mut bob = Client::login(running.http, "bob").await;
    bob.poll(0).await;
    alice.call("nonsense", json!([])).await;
    alice.call("channelJoin", json!(["room"])).await;
    alice.event("onChannelJoined").await;
    alice.send("{ this is not JSON PLANTED").await;
    alice.next().await;
    alice
        .call("login2", json!(["app", "alice", "PLANTED", 0, "", 30, 3]))
        .await;
    alice
        .call(
            "invoke",
            json!(["io.agora.signal.user_query_user_attr", {"account": "bob", "name": "x"}, 9]),
        )
        .await;
    alice.call("messageInstantSend", json!(["bob", 0, "hi", ""])).await;
    alice
        .call(
            "channelInviteUser2",
            json!(["room", "nobody", "{\"_require_peer_online\":1}"]),
        )
        .await;
    alice.event("onInviteFailed").await;
    let mut carol = ApiClient::connect(running.http).await;
    carol.call("getStatus", json!([])).await;
    carol.send(ALL_AT_ONCE).await;
    carol.event("onLoginSuccess").await;
    carol
        .send(r#"[{"jsonrpc":"2.0","id":5,"method":"channelJoin","params":["room"]},{"jsonrpc":"2.0","method":"messageInstantSend","params":["alice",0,"hi","m"]}]"#)
        .await;
    alice.event("onMessageInstantReceive").await;
    // The second is answered at once, so the first one's answer, which has an event behind it, ends the batch.
    carol
        .send(r#"[{"jsonrpc":"2.0","id":6,"method":"channelInviteRefuse"},{"jsonrpc":"2.0","id":7,"method":"invoke","params":["nonsense",{},1]}]"#)
        .await;
    carol.event("onError").await;
    // No user of this sidecar is in the channel. The session gets this answer after the whole batch.
    carol
        .send(r#"[{"jsonrpc":"2.0","id":12,"method":"channelQueryUserIsIn","params":["empty","bob"]},{"jsonrpc":"2.0","id":13,"method":"channelInviteRefuse"}]"#)
        .await;
    carol.event("onError").await;
    carol.event("onError").await;
    carol
        .send(r#"[{"jsonrpc":"2.0","id":8,"method":"logout"},{"jsonrpc":"2.0","id":9,"method":"channelJoin","params":["x"]}]"#)
        .await;
    carol.closed("closed 1000").await;
    drop((alice, bob));
    let traces = traces(running, &folder).await;
    let text = std::fs::read_to_string(std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path());
    assert!(!text.expect("UTF-8").contains("PLANTED"));
    let outcome = played(&traces[0]);
    assert_eq!(outcome.sessions, 3);
    live(&traces[0], 3);
    let api = traces[0].records.iter().filter(|(_, record)| record.session != 2);
    assert!(api.count() > 40);
}

/// Two servers, other times, lines and sockets: the same story all the same, and what it uses is counted.
#[tokio::test]
async fn two_recordings_of_one_story_do_not_differ() {
    let mut recorded = Vec::new();
    for name in ["first", "second"] {
        let folder = folder(name);
        let running = recording(&folder).await;
        exercise_all_calls(&running).await;
        recorded.extend(traces(running, &folder).await);
    }
    let [first, second] = &mut recorded[..] else {
        panic!("a trace of each")
    };
    let found = diff(first, second, Scope::All);
    assert!(found.is_empty(), "{found}");
    assert_eq!(found.compared, 2);

    let (tables, _) = tables();
    let mut coverage = Coverage::default();
    coverage.add(&tables, first);
    let report = coverage.report(&tables);
    let count = |used: &[Used], name: &str| used.iter().find(|used| &*used.name == name).map(|used| used.count);
    let call = |name| count(&report.calls, name);
    assert_eq!(
        (call("login"), call("messageInstantSend"), call("channelJoin")),
        (Some(3), Some(1), Some(2)),
        "{report}"
    );
    let event = |name| count(&report.events, name);
    assert_eq!(
        (event("onMessageInstantReceive"), event("onChannelUserJoined")),
        (Some(1), Some(1)),
        "{report}"
    );
    let unknown: Vec<_> = report.unknown.iter().map(|named| (&*named.name, named.count)).collect();
    assert_eq!(unknown, [("nonsense", 1)]);

    // One answer is another, and one pushed line is missing.
    let change = |record: &mut Record, from: &str, to: &str| {
        let text = serde_json::to_string(&record.data).expect("JSON");
        record.data = serde_json::from_str(&text.replace(from, to)).expect("JSON");
        text.contains(from) && record.dir == Dir::Out
    };
    let unknown = second
        .records
        .iter_mut()
        .filter_map(|(_, record)| change(record, "unknown func", "no func").then_some(()));
    assert_eq!(unknown.count(), 1);
    let pushed = |record: &Record| record.dir == Dir::Out && record.data.to_json().contains(" instant ");
    second.records.retain(|(_, record)| !pushed(record));
    let found = diff(first, second, Scope::All);
    let shown: Vec<String> = found
        .sessions
        .iter()
        .flat_map(|s| {
            s.causes
                .iter()
                .map(move |c| format!("{} {} {:?}", s.account, c.kind, c.outputs[0].got.is_some()))
        })
        .collect();
    assert_eq!(
        shown,
        ["bob rtm event MessageFromPeer false", "bob legacy call nonsense true"],
        "{found}"
    );
}
