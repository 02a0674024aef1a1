//! The documented API over real sockets: every call and every event by its name, its arguments in their order.

mod resume;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{ApiClient, Client, PATIENCE, QUIET, config, counter, emit, eventually, notified, serve, text};
use identity::Account;
use rtm::AppId;
use rtm::upstream::UpstreamEvent;
use serde_json::json;
use sigbridge::server::Message;
use sigbridge::startup::Running;
use tokio_tungstenite::tungstenite::Message as Frame;

/// The uids of these accounts.
const ALICE: i64 = 1_868_405_786;
const BOB: i64 = 1_745_343_677;

async fn pair(running: &Running) -> (ApiClient, ApiClient) {
    let alice = ApiClient::login(running.http, "alice").await;
    (alice, ApiClient::login(running.http, "bob").await)
}

#[tokio::test]
async fn a_login_returns_the_documented_fields() {
    let running = serve(config()).await;
    let mut alice = ApiClient::connect(running.http).await;
    assert_eq!(alice.call("getStatus", json!([])).await, "0");
    assert_eq!(alice.call("isOnline", json!({})).await, "0");
    assert_eq!(alice.call("getSdkVersion", json!([])).await, "1010404000");
    assert_eq!(alice.call("getInstance", json!(["app"])).await, "null");
    alice
        .start("login2", json!({"appId": "app", "account": "alice", "token": "t"}))
        .await;
    alice
        .expect(&["#5 null", &format!(r#"onLoginSuccess {{"uid":{ALICE},"fd":0}}"#)])
        .await;
    assert_eq!(alice.call("getStatus", json!([])).await, "2");
    assert_eq!(alice.call("isOnline", json!([])).await, "1");
    assert_eq!(alice.log_in("alice").await, "error 208 already login onLoginFailed");
    alice.expect(&[r#"onLoginFailed {"ecode":208}"#]).await;
    alice.start("logout", json!([])).await;
    alice
        .expect(&["#9 null", r#"onLogout {"ecode":101}"#, "closed 1000"])
        .await;
    eventually("the session is over", || running.server.registry.is_empty()).await;
}

#[tokio::test]
async fn two_users_in_a_channel() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    alice.start("channelJoin", json!(["room"])).await;
    let list = format!(r#"onChannelUserList {{"accounts":["alice"],"uids":[{ALICE}]}}"#);
    alice
        .expect(&["#2 null", r#"onChannelJoined {"channelID":"room"}"#, &list])
        .await;
    alice.start("channelSetAttr", json!(["room", "topic", "cats"])).await;
    let set = r#"onChannelAttrUpdated {"channelID":"room","name":"topic","value":"cats","type":"update"}"#;
    alice.expect(&["#3 null", set]).await;
    bob.start("channelJoin", json!({"channelID": "room"})).await;
    let list = format!(r#"onChannelUserList {{"accounts":["alice","bob"],"uids":[{ALICE},{BOB}]}}"#);
    bob.expect(&["#2 null", r#"onChannelJoined {"channelID":"room"}"#, &list, set])
        .await;
    alice
        .expect(&[&format!(r#"onChannelUserJoined {{"account":"bob","uid":{BOB}}}"#)])
        .await;
    bob.start("messageChannelSend", json!(["room", "hello", "m1"])).await;
    let event = format!(r#"onMessageChannelReceive {{"channelID":"room","account":"bob","uid":{BOB},"msg":"hello"}}"#);
    bob.expect(&["#3 null", r#"onMessageSendSuccess {"messageID":"m1"}"#, &event])
        .await;
    alice.expect(&[&event]).await;
    bob.start("channelQueryUserNum", json!(["room"])).await;
    bob.expect(&[
        "#4 null",
        r#"onChannelQueryUserNumResult {"channelID":"room","ecode":0,"num":2}"#,
    ])
    .await;
    bob.start("channelQueryUserIsIn", json!(["room", "alice"])).await;
    bob.expect(&[
        "#5 null",
        r#"onChannelQueryUserIsIn {"channelID":"room","account":"alice","isIn":1}"#,
    ])
    .await;
    bob.start("channelLeave", json!(["room"])).await;
    bob.expect(&["#6 null", r#"onChannelLeaved {"channelID":"room","ecode":602}"#])
        .await;
    alice
        .expect(&[&format!(r#"onChannelUserLeaved {{"account":"bob","uid":{BOB}}}"#)])
        .await;
    bob.start("messageChannelSend", json!(["room", "hello", "m2"])).await;
    bob.expect(&[
        "#7 error 400 not in channel onMessageSendError",
        r#"onMessageSendError {"messageID":"m2","ecode":400}"#,
    ])
    .await;
    alice.start("channelClearAttr", json!(["room"])).await;
    alice
        .expect(&[
            "#4 null",
            r#"onChannelAttrUpdated {"channelID":"room","name":"","value":"","type":"clear"}"#,
        ])
        .await;
}

#[tokio::test]
async fn two_users_in_a_call() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    let to_bob = |rest: &str| format!(r#"{{"channelID":"room","account":"bob","uid":{BOB}{rest}}}"#);
    let to_alice = |rest: &str| format!(r#"{{"channelID":"room","account":"alice","uid":{ALICE}{rest}}}"#);
    for (answer, event) in [
        ("channelInviteAccept", "onInviteAcceptedByPeer"),
        ("channelInviteRefuse", "onInviteRefusedByPeer"),
    ] {
        assert_eq!(
            alice
                .call("channelInviteUser2", json!(["room", "bob", r#"{"a":1}"#]))
                .await,
            "null"
        );
        let extra = r#","extra":"{\"a\":1}""#;
        assert_eq!(bob.event("onInviteReceived").await, to_alice(extra));
        assert_eq!(alice.event("onInviteReceivedByPeer").await, to_bob(""));
        assert_eq!(bob.call(answer, json!(["room", "alice", 0, "ok"])).await, "null");
        assert_eq!(alice.event(event).await, to_bob(r#","extra":"ok""#));
    }
    assert_eq!(
        alice.call("channelInviteDTMF", json!(["room", "bob", "1#"])).await,
        "null"
    );
    let digits = r#","msgType":"dtmf","msgData":"1#","extra":"{\"msgtype\":\"dtmf\",\"msgdata\":\"1#\"}""#;
    assert_eq!(bob.event("onInviteMsg").await, to_alice(digits));
    assert_eq!(alice.call("channelInviteUser", json!(["room", "bob", 0])).await, "null");
    bob.event("onInviteReceived").await;
    alice.event("onInviteReceivedByPeer").await;
    assert_eq!(alice.call("channelInviteEnd", json!(["room", "bob", 0])).await, "null");
    alice.expect(&[&format!("onInviteEndByMyself {}", to_bob(""))]).await;
    assert!(
        bob.event("onInviteEndByPeer")
            .await
            .starts_with(to_alice("").trim_end_matches('}'))
    );
    let call = json!(["room", "carol", r#"{"_require_peer_online":1}"#]);
    assert_eq!(
        alice.call("channelInviteUser2", call).await,
        "error 703 peer is not online onInviteFailed"
    );
    let failed = alice.event("onInviteFailed").await;
    assert!(
        failed.starts_with(r#"{"channelID":"room","account":"carol","uid":"#),
        "{failed}"
    );
    assert!(
        failed.ends_with(r#","ecode":703,"extra":"{\"reason\":\"peer is not online\"}"}"#),
        "{failed}"
    );
}

#[tokio::test]
async fn messages_attributes_and_statuses() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    alice.start("messageInstantSend", json!(["bob", 0, "hi", "m1"])).await;
    alice
        .expect(&["#2 null", r#"onMessageSendSuccess {"messageID":"m1"}"#])
        .await;
    bob.expect(&[r#"onMessageInstantReceive {"account":"alice","uid":0,"msg":"hi"}"#])
        .await;
    assert_eq!(bob.call("setAttr", json!(["mood", "fine"])).await, "null");
    alice.start("getUserAttr", json!(["bob", "mood"])).await;
    alice
        .expect(&[
            "#3 null",
            r#"onUserAttrResult {"account":"bob","name":"mood","value":"fine"}"#,
        ])
        .await;
    bob.start("getAttr", json!(["mood"])).await;
    bob.expect(&[
        "#3 null",
        r#"onUserAttrResult {"account":"bob","name":"mood","value":"fine"}"#,
    ])
    .await;
    alice.start("getUserAttrAll", json!(["bob"])).await;
    alice
        .expect(&[
            "#4 null",
            r#"onUserAttrAllResult {"account":"bob","json":"{\"mood\":\"fine\"}"}"#,
        ])
        .await;
    alice.start("queryUserStatus", json!(["bob"])).await;
    alice
        .expect(&["#5 null", r#"onQueryUserStatusResult {"name":"bob","status":"1"}"#])
        .await;
    alice.start("getUserAttr", json!(["carol", "mood"])).await;
    alice
        .expect(&[
            "#6 error 1001 no such attr onError",
            r#"onError {"name":"attr","ecode":1001,"desc":"no such attr"}"#,
        ])
        .await;
    // Notifications are not answered; their events come all the same.
    bob.send(r#"{"jsonrpc":"2.0","method":"queryUserStatus","params":["alice"]}"#)
        .await;
    bob.send(r#"{"jsonrpc":"2.0","method":"queryUserStatus","params":["a b"]}"#)
        .await;
    bob.send(r#"{"jsonrpc":"2.0","method":"nothing"}"#).await;
    assert_eq!(
        bob.event("onQueryUserStatusResult").await,
        r#"{"name":"alice","status":"1"}"#
    );
    let refused = r#"{"name":"query_user_status","ecode":1004,"desc":"wrong param"}"#;
    assert_eq!(bob.event("onError").await, refused);
    assert_eq!(bob.within(QUIET).await, None);
}

#[tokio::test]
async fn functions_are_invoked_by_name() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    bob.call("setAttr", json!(["mood", "fine"])).await;
    for (function, request, id, response, resumed) in [
        (
            "user_query_user_status",
            json!(r#"{"account":"bob"}"#),
            "c1",
            "null",
            r#"{"callID":"c1","err":"","resp":"{\"result\":\"ok\",\"account\":\"bob\",\"status\":1}"}"#,
        ),
        (
            "user_get_attr",
            json!({"account": "bob", "name": "mood"}),
            "",
            "null",
            r#"{"callID":"","err":"","resp":"{\"result\":\"ok\",\"account\":\"bob\",\"name\":\"mood\",\"value\":\"fine\"}"}"#,
        ),
        (
            "user_query_user_status",
            json!("no JSON"),
            "c2",
            "error 1004 wrong param onError",
            r#"{"callID":"c2","err":"wrong param","resp":"{\"result\":\"failed\",\"reason\":\"wrong param\"}"}"#,
        ),
        (
            "user_nothing",
            json!("{}"),
            "c3",
            "error -32601 unknown func user_nothing",
            r#"{"callID":"c3","err":"unknown func user_nothing","resp":"{\"result\":\"failed\",\"reason\":\"unknown func user_nothing\"}"}"#,
        ),
    ] {
        let params = json!([format!("io.agora.signal.{function}"), request, id]);
        assert_eq!(alice.call("invoke", params).await, response, "{function}");
        assert_eq!(alice.event("onInvokeRet").await, resumed);
    }
    alice.call("channelJoin", json!(["room"])).await;
    alice
        .call(
            "invoke",
            json!(["io.agora.signal.channel_query_userlist", {"name": "room"}]),
        )
        .await;
    let list = format!(r#"{{\"result\":\"ok\",\"num\":1,\"list\":[[\"alice\",{ALICE}]]}}"#);
    assert_eq!(
        alice.event("onInvokeRet").await,
        format!(r#"{{"callID":"","err":"","resp":"{list}"}}"#)
    );
    assert_eq!(
        alice.call("user_get_attr", json!({})).await,
        "error -32601 there is no method `user_get_attr`"
    );
}

#[tokio::test]
async fn a_web_user_and_an_api_user() {
    let running = serve(config()).await;
    let mut web = Client::login(running.http, "web").await;
    let mut api = ApiClient::login(running.http, "api").await;
    web.call("channel_join", json!({"name": "room"})).await;
    web.poll(0).await;
    api.call("channelJoin", json!(["room"])).await;
    web.frame("notify").await;
    api.call("messageChannelSend", json!(["room", "hello", ""])).await;
    assert!(
        web.frame("notify").await[3]
            .as_str()
            .expect("a line")
            .contains("\"msg\":\"hello\"")
    );
    web.call("channel_sendmsg", json!({"name": "room", "msg": "hi"})).await;
    api.event("onMessageChannelReceive").await;
    assert!(
        api.event("onMessageChannelReceive")
            .await
            .contains(r#""account":"web""#)
    );
    emit(&mut web, "api", "one").await;
    assert!(api.event("onMessageInstantReceive").await.ends_with(r#""msg":"one"}"#));
    api.call("messageInstantSend", json!({"account": "web", "msg": "two"}))
        .await;
    loop {
        let notify = web.frame("notify").await;
        if notify.is_string() {
            assert_eq!(text(&notified(&notify).2), "two");
            break;
        }
    }
    // Either family takes the account over from the other.
    let mut web = Client::login(running.http, "api").await;
    assert_eq!(api.event("onLogout").await, r#"{"ecode":103}"#);
    api.closed("closed 1000").await;
    let mut api = ApiClient::login(running.http, "api").await;
    web.frame("kick").await;
    assert_eq!(api.call("getStatus", json!([])).await, "2");
}

#[tokio::test]
async fn a_later_login_kicks_the_first() {
    let running = serve(config()).await;
    let mut first = ApiClient::login(running.http, "alice").await;
    let second = ApiClient::login(running.http, "alice").await;
    first.expect(&[r#"onLogout {"ecode":103}"#, "closed 1000"]).await;
    eventually("the first session is over", || running.server.registry.len() == 1).await;
    drop(second);
}

#[tokio::test]
async fn a_lost_rtm_connection_is_reported() {
    let mut config = config();
    config.session.grace = Duration::from_millis(500);
    let running = serve(config).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    let key = (AppId::new("app").unwrap(), Account::new("alice").unwrap());
    let session = running.server.registry.session(&key).expect("it is logged in");
    let upstream = async |up| {
        let message = Message::UpstreamEvent(Box::new(UpstreamEvent::Up(up)));
        session.inbox.send(message).expect("the session works");
    };
    upstream(false).await;
    alice.expect(&[r#"onReconnecting {"nretry":1}"#]).await;
    assert_eq!(alice.call("getStatus", json!([])).await, "3");
    assert_eq!(alice.call("isOnline", json!([])).await, "0");
    let refused = "error 400 failed onMessageSendError";
    assert_eq!(
        alice.call("messageInstantSend", json!(["bob", 0, "hi", "m"])).await,
        refused
    );
    alice.event("onMessageSendError").await;
    upstream(true).await;
    alice.expect(&[r#"onReconnected {"fd":0}"#]).await;
    assert_eq!(alice.call("getStatus", json!([])).await, "2");
    upstream(false).await;
    alice
        .expect(&[
            r#"onReconnecting {"nretry":1}"#,
            r#"onLogout {"ecode":102}"#,
            "closed 1000",
        ])
        .await;
}

#[tokio::test]
async fn clients_are_notified_of_a_restart() {
    let running = serve(config()).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    let mut silent = ApiClient::connect(running.http).await;
    silent.call("getStatus", json!([])).await;
    let server = running.server.clone();
    let stopping = tokio::spawn(async move { server.stop(PATIENCE).await });
    alice.expect(&[r#"onLogout {"ecode":102}"#, "closed 1001", "cut"]).await;
    silent.expect(&["closed 1001", "cut"]).await;
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn an_invalid_request_is_refused_and_ends_no_session() {
    let running = serve(config()).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    for (sent, answer) in [
        ("x", "#null error -32700 not JSON"),
        ("[]", "#null error -32600 a batch must not be empty"),
        ("7", "#null error -32600 a request is an object"),
        (
            r#"{"jsonrpc":"2.0","id":"a","method":"m"}"#,
            "#\"a\" error -32601 there is no method `m`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"channelJoin","params":["a","b"]}"#,
            "#7 error -32602 `channelJoin` takes (channelID)",
        ),
        (r#"{"jsonrpc":"2.0","id":8,"method":"getStatus"}"#, "#8 2"),
    ] {
        alice.send(sent).await;
        alice.expect(&[answer]).await;
    }
    // Documented refusals have documented numbers.
    let long = "x".repeat(8_193);
    for (method, params, answer) in [
        (
            "messageInstantSend",
            json!(["bob", 0, long, "m"]),
            "error 400 large param onMessageSendError",
        ),
        (
            "messageInstantSend",
            json!(["b b", 0, "x", "m"]),
            "error 400 wrong param onMessageSendError",
        ),
        ("channelJoin", json!([]), "error 300 wrong param onChannelJoinFailed"),
        (
            "setAttr",
            json!(["k", "x".repeat(8_097)]),
            "error 1005 large param onError",
        ),
        (
            "channelInviteAccept",
            json!(["room", "bob", 0, ""]),
            "error 1001 no such call onError",
        ),
    ] {
        assert_eq!(alice.call(method, params).await, answer, "{method}");
    }
    assert_eq!(
        alice.event("onMessageSendError").await,
        r#"{"messageID":"m","ecode":400}"#
    );
    let mut unknown = ApiClient::connect(running.http).await;
    assert_eq!(
        unknown.call("channelJoin", json!(["room"])).await,
        "error 300 not login onChannelJoinFailed"
    );
    assert_eq!(
        unknown.event("onChannelJoinFailed").await,
        r#"{"channelID":"room","ecode":300}"#
    );
    assert_eq!(
        unknown.call("setAttr", json!(["a", "b"])).await,
        "error 1003 not login onError"
    );
    assert_eq!(unknown.call("logout", json!([])).await, "error 108 not login onLogout");
    assert_eq!(unknown.log_in("a b").await, "error 209 wrong account onLoginFailed");
    assert_eq!(unknown.event("onLoginFailed").await, r#"{"ecode":209}"#);
}

#[tokio::test]
async fn texts_that_were_cut_and_long_numbers_arrive() {
    let running = serve(config()).await;
    let (mut alice, mut bob) = pair(&running).await;
    let send = |id: u64, msg: &str| {
        let params = format!(r#"{{"account":"bob","uid":0,"msg":{msg},"msgID":"m"}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"messageInstantSend","params":{params}}}"#)
    };
    for (id, msg, arrives) in [
        (101, r#""cut \ud83d""#, "\"cut \u{fffd}\""),
        (102, "18446744073709551615", r#""18446744073709551615""#),
        (103, r#"{"of":[1e400]}"#, r#""{\"of\":[1e400]}""#),
    ] {
        alice.send(&send(id, msg)).await;
        assert!(
            !alice
                .answer(i64::try_from(id).expect("small"))
                .await
                .starts_with("error"),
            "{msg}"
        );
        let event = bob.event("onMessageInstantReceive").await;
        assert!(event.ends_with(&format!("\"msg\":{arrives}}}")), "{event}");
    }
    alice.send(&send(104, "1").replace("bob", "bob\\udc00")).await;
    assert!(alice.answer(104).await.starts_with("error 400 wrong param"));
}

#[tokio::test]
async fn excessive_input_closes_the_connection() {
    let mut config = config();
    config.session.login_timeout = Duration::from_millis(200);
    let running = serve(config).await;
    let mut client = ApiClient::login(running.http, "alice").await;
    client.send(&"x".repeat(64 * 1024 + 1)).await;
    client.expect(&["onLogout {\"ecode\":102}", "closed 1009"]).await;
    let mut client = ApiClient::login(running.http, "alice").await;
    client.send_raw(Frame::binary(vec![1, 2])).await;
    client.expect(&["onLogout {\"ecode\":102}", "closed 1003"]).await;
    let mut silent = ApiClient::connect(running.http).await;
    silent.call("getStatus", json!([])).await;
    silent.expect(&["closed 1008"]).await;
}

#[tokio::test]
async fn batches_are_answered_together() {
    let running = serve(config()).await;
    let mut alice = ApiClient::login(running.http, "alice").await;
    let request = |id: i64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method});
    let silent = json!({"jsonrpc": "2.0", "method": "getAttrAll"});
    alice
        .send(&json!([request(1, "getStatus"), 7, request(2, "nothing"), silent]).to_string())
        .await;
    alice
        .expect(&["#1 2; #null error -32600 a request is an object; #2 error -32601 there is no method `nothing`"])
        .await;
    alice.event("onUserAttrAllResult").await;
    alice.send(&json!([7]).to_string()).await;
    alice.expect(&["#null error -32600 a request is an object"]).await;
    alice.send(&json!([silent]).to_string()).await;
    alice.event("onUserAttrAllResult").await;
    alice.send(&json!(vec![request(1, "getStatus"); 33]).to_string()).await;
    alice
        .expect(&["#null error -32600 a batch has at most 32 requests"])
        .await;
}

/// The exchanges of the document, word for word.
#[tokio::test]
async fn the_openrpc_document_matches_the_server() {
    let running = serve(config()).await;
    let mut clients: BTreeMap<&str, ApiClient> = BTreeMap::new();
    let text = include_str!("../../docs/api.md");
    let mut exchanged = 0;
    for block in text.split("```api\n").skip(1) {
        let (block, _) = block.split_once("```").expect("a block has an end");
        for line in block.lines() {
            let (who, sent) = line.split_once(' ').expect("a name");
            if !clients.contains_key(who) {
                clients.insert(who, ApiClient::connect(running.http).await);
            }
            let client = clients.get_mut(who).expect("it is there");
            match sent.split_once(' ').expect("a direction") {
                (">", sent) => client.send(sent).await,
                (_, emitted) => assert_eq!(client.next_text().await, emitted),
            }
            exchanged += 1;
        }
    }
    assert!(exchanged > 40, "only {exchanged}");
    for (who, mut client) in clients {
        let end = if who == "bob" {
            Some("closed 1000".to_owned())
        } else {
            None
        };
        assert_eq!(client.within(QUIET).await, end, "{who} got all events");
    }
}
