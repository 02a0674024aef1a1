//! Redacted traces: nothing of the secrets is in them, and they are played without a difference.

mod check;
mod real;
mod scenario;

use identity::attribute;
use proptest::prelude::*;
use rtm::value::Value;
use serde_json::{Value as Json, json};
use trace::{Dir, Leg, Policy, Record, Redaction, read, read_as_written};

use check::{check, holds_none, played, redacted};
use scenario::{LINE, SessionScenario, header, tables};

const ALICE: &str = "Quentin-Ærø/1";
const BOB: &str = "bobolink7781";
const DIGITS: &str = "77123456";
const LONG: &str = "a-very-long-account-name-of-somebody-who-has-one.0123456789.0123456789";
const ROOM: &str = "board_room_of_Quentin";
const ACCOUNTS: &[&str] = &[BOB, DIGITS, LONG, "ok"];
const CHANNELS: &[&str] = &[ROOM, "c2"];
const SECRETS: &[&str] = &[
    ALICE,
    "Quentin",
    BOB,
    DIGITS,
    LONG,
    ROOM,
    LINE,
    "10.77.66.55",
    "sugarplum",
    "marzipan",
    "5550199",
    "4455667788",
    "52.520008",
];

const PROFILES: &[&str] = &["web", "web-flagged", "java-python", "native"];

/// A text in which JSON has something to quote.
const NASTY: &str = "sugarplum \"Quentin\"\n\\ bobolink7781 \u{1f600} \u{1} %5F_ <account:1 len=5> é";

fn each_profile(write: impl Fn(&mut SessionScenario)) {
    for profile in PROFILES {
        let mut scenario = SessionScenario::begin(profile, ALICE, ACCOUNTS, CHANNELS);
        scenario.poll(0);
        write(&mut scenario);
        scenario.poll(1);
        check(&header(), &scenario.records, SECRETS);
    }
}

fn peer_message(scenario: &mut SessionScenario, from: &str, message: Json) {
    let fields = json!({"peerId": from, "message": message, "serverReceivedTs": 1, "isOfflineMessage": false});
    scenario.event("MessageFromPeer", fields);
}

fn text(text: &str) -> Json {
    json!({"messageType": "TEXT", "text": text})
}

fn bodies() -> Vec<String> {
    let nested = json!({"a": json!({"b": NASTY, "_timeout": "7"}).to_string(), "phone": 4_455_667_788_i64}).to_string();
    vec![
        NASTY.into(),
        BOB.into(),
        "ok".into(),
        "7".into(),
        "4455667788".into(),
        "52.520008".into(),
        " marzipan".into(),
        "{\"who\" : \"marzipan \\u00e9\\/\\\"\" ,\n \"at\": [52.520008, -1, 13.1e0, true, null], \"msg\": \"ok\"}"
            .into(),
        nested,
        "{not json marzipan".into(),
        "[\"marzipan\"]".into(),
        "msg-v2 marzipan b v1:E:3600 instant 7 sugarplum".into(),
        "notify recvmsg [1,\"marzipan\"]".into(),
        "\u{E000}marzipan".into(),
        "~h.marzipan".into(),
        "AgoraRTMLegacyEndcallCompatibleMessagePrefix_marzipan_x_sugarplum%5F".into(),
        "marzipan".repeat(1024),
        "marzipan ".repeat(911),
        format!("{{\"long\":\"{}\"}}", "\\u00e9marzipan".repeat(585)),
    ]
}

#[test]
fn messages_of_every_kind() {
    each_profile(|scenario| {
        for body in bodies() {
            scenario.call(
                "user_sendmsg",
                json!({"peer": BOB, "flag": "v1:E:3600", "t": "instant", "content": body}),
            );
            peer_message(scenario, BOB, text(&body));
        }
        for body in [
            json!({"x": ["marzipan", 4_455_667_788_i64]}),
            json!(4_455_667_788_i64),
            json!(52.520008),
            json!(true),
        ] {
            scenario.call("user_sendmsg", json!({"peer": DIGITS, "content": body}));
            scenario.call("user_sendmsg", json!({"peer": 77_123_456, "content": body}));
        }
        scenario.call("user_sendmsg", json!({"peer": ALICE, "content": "marzipan to oneself"}));
        scenario.call("user_sendmsg", json!({"peer": "marzipan and spaces", "content": "x"}));
        scenario.call("user_sendmsg", json!({"peer": {"of": "marzipan"}, "content": "x"}));
        scenario.call(
            "user_sendmsg",
            json!({"peer": BOB, "content": "x", "flag": "v1:E:marzipan"}),
        );
        scenario.call(
            "user_sendmsg",
            json!({"peer": BOB, "content": "x", "more": "marzipan", "sdkToken": "sugarplum"}),
        );
        scenario.call(
            "user_sendmsg",
            json!({"peer": BOB, "content": "x", "line": "another-line-marzipan"}),
        );
        scenario
            .replies
            .push(("sendMessageToPeer", json!("PEER_MESSAGE.PEER_UNREACHABLE")));
    });
}

#[test]
fn raw_messages() {
    each_profile(|scenario| {
        let raw = |bytes: &str, description: &str| {
            use base64::Engine as _;
            let raw = base64::engine::general_purpose::STANDARD.encode(bytes);
            json!({"messageType": "RAW", "rawMessage": raw, "description": description})
        };
        peer_message(scenario, BOB, raw("marzipan as bytes", "sugarplum"));
        peer_message(scenario, BOB, raw("", ""));
        let signal = json!({"type": "dtmf", "channelId": ROOM, "data": "5550199*#"}).to_string();
        peer_message(scenario, BOB, raw(&signal, "sigbridge/1"));
        peer_message(scenario, BOB, raw("marzipan", "sigbridge/1"));
    });
}

#[test]
fn channels_and_their_attributes() {
    let name = "an-attribute-whose-name-is-longer-than-32-bytes";
    each_profile(|scenario| {
        let members = json!([BOB, DIGITS, "a spaced marzipan", "ok"]);
        scenario.replies = vec![("getMembers", members)];
        let attr = |value: &str| json!({"value": value, "lastUpdateUserId": BOB, "lastUpdateTs": 7});
        let mut list = json!({"topic": attr("marzipan"), "_sendmsg_limit": attr("77"), "empty": attr("\u{E000}")});
        for (key, value) in attribute::encode(&name.into(), &"sugarplum".into()) {
            list[&*key] = attr(&value);
        }
        scenario.replies.push(("getChannelAttributes", list.clone()));
        scenario.call("channel_join", json!({"name": ROOM}));
        for body in bodies() {
            scenario.call("channel_sendmsg", json!({"name": ROOM, "msg": body}));
            let fields = json!({"channelId": ROOM, "memberId": BOB, "message": text(&body), "serverReceivedTs": 1});
            scenario.event("ChannelMessage", fields);
        }
        for (name, value) in [
            ("topic", "marzipan"),
            (name, "sugarplum"),
            ("e", ""),
            ("_auto_update_num", "5"),
        ] {
            scenario.call(
                "channel_set_attr",
                json!({"channel": ROOM, "name": name, "value": value}),
            );
        }
        scenario.call(
            "channel_set_attr",
            json!({"channel": ROOM, "name": "n", "value": 4_455_667_788_i64}),
        );
        list["topic"] = attr("{\"by\": \"bobolink7781\"}");
        list["_auto_update_num"] = attr("5");
        scenario.event("AttributesUpdated", json!({"channelId": ROOM, "attributes": list}));
        scenario.event("AttributesUpdated", json!({"channelId": ROOM, "attributes": {}}));
        scenario.event("MemberJoined", json!({"channelId": ROOM, "memberId": "marzipan lover"}));
        scenario.event("MemberLeft", json!({"channelId": ROOM, "memberId": BOB}));
        scenario.event("MemberCountUpdated", json!({"channelId": ROOM, "memberCount": 4}));
        scenario.call("channel_query_user_isin", json!({"name": ROOM, "account": DIGITS}));
        scenario.call("channel_query_userlist", json!({"name": ROOM}));
        scenario.call("channel_query_num", json!({"name": ROOM}));
        scenario.call("channel_del_attr", json!({"channel": ROOM, "name": name}));
        scenario.call("channel_join", json!({"name": "marzipan with spaces"}));
        scenario.call("channel_leave", json!({"name": ROOM}));
    });
}

#[test]
fn users_and_their_attributes() {
    let name = "an-attribute-whose-name-is-longer-than-32-bytes";
    each_profile(|scenario| {
        scenario.call("user_set_attr", json!({"name": name, "value": "marzipan"}));
        let mut list = json!({"mood": NASTY, "empty": "\u{E000}", "json": "{\"a\" : \"marzipan\"}"});
        for (key, value) in attribute::encode(&name.into(), &"sugarplum".into()) {
            list[&*key] = json!(&*value);
        }
        scenario.replies = vec![("getUserAttributes", list.clone()), ("getUserAttributesByKeys", list)];
        scenario.call("user_get_attr", json!({"account": BOB, "name": "mood"}));
        scenario.call("user_get_attr", json!({"account": BOB, "name": name}));
        scenario.call("user_get_attr_all", json!({"account": BOB}));
        scenario.call("user_query_user_status", json!({"account": DIGITS}));
        scenario.call("nonsense", json!({"of": "marzipan", "n": 4_455_667_788_i64}));
        scenario.call("log_put", json!({"text": "sugarplum", "deep": [{"x": "marzipan"}]}));
    });
}

#[test]
fn names_of_a_directory_only() {
    each_profile(|scenario| {
        scenario.call("user_sendmsg", json!({"peer": LONG, "content": "marzipan"}));
        let id = identity::lossy_codec::user_id(&LONG.into());
        assert!(id.starts_with("~h."), "{id}");
        scenario.replies = vec![("getUserAttributesByKeys", json!({"_sb.id": LONG}))];
        peer_message(scenario, &id, text("sugarplum"));
        scenario.replies = vec![("getUserAttributesByKeys", json!({}))];
        peer_message(
            scenario,
            "~h.lZgEV0CXjgHgbnA8rOQJjmZ7WFUOqIpM8ZJO5eDlvWk",
            text("sugarplum"),
        );
    });
}

#[test]
fn calls() {
    for extra in [
        "{\"_require_peer_online\": 1, \"_timeout\" : \"30\", \"who\":\"marzipan\", \"srcNum\": \"5550199\"}",
        "{\"_timeout\":30,\"uid\":4455667788,\"name\":\"Quentin\"}",
        NASTY,
        "",
    ] {
        each_profile(|scenario| {
            let args = || json!({"channelName": ROOM, "peer": BOB, "extra": extra});
            scenario.call("voip_invite", args());
            let out = json!({"invitation": 1, "calleeId": BOB, "channelId": ROOM, "content": extra, "response": ""});
            scenario.event("LocalInvitationReceivedByPeer", json!({"invitation": out}));
            scenario.event(
                "LocalInvitationAccepted",
                json!({"invitation": out, "response": "marzipan yes"}),
            );
            scenario.call(
                "voip_invite_msg",
                json!({"channelName": ROOM, "peer": BOB, "extra": {"msgtype": "dtmf", "msgdata": "5550199"}}),
            );
            scenario.call(
                "voip_invite_msg",
                json!({"channelName": ROOM, "peer": BOB, "extra": "{\"msgdata\": 123, \"x\": \"marzipan\"}"}),
            );
            scenario.call(
                "voip_invite_msg",
                json!({"channelName": ROOM, "peer": BOB, "extra": "{\"msgdata\": \"marzipan\"}"}),
            );
            scenario.call("voip_invite_bye", args());
            scenario.call("voip_invite", args());
            let mut out = out;
            out["invitation"] = json!(2);
            let bye = tables::bridge_messages::end_call(ROOM, "100%_marzipan");
            scenario.event("LocalInvitationRefused", json!({"invitation": out, "response": bye}));
            let come = json!({"invitation": 9, "callerId": BOB, "channelId": ROOM, "content": extra, "response": ""});
            scenario.event("RemoteInvitationReceived", json!({"invitation": come}));
            scenario.call("voip_invite_ack", args());
            scenario.call("voip_invite_refuse", args());
            let come = json!({"invitation": 10, "callerId": BOB, "channelId": ROOM, "content": extra, "response": ""});
            scenario.event("RemoteInvitationReceived", json!({"invitation": come}));
            scenario.call("voip_invite_accept", args());
            peer_message(scenario, BOB, text(&tables::bridge_messages::end_call(ROOM, extra)));
            scenario.replies = vec![("queryPeersOnlineStatus", json!({BOB: false}))];
            scenario.call("voip_invite", args());
            scenario.replies = vec![("LocalInvitation.send", json!("LOCAL_INVITATION_ERR.NOT_LOGGEDIN"))];
            scenario.call("voip_invite", args());
        });
    }
}

#[test]
fn stored_lines() {
    each_profile(|scenario| {
        let (tables, _) = tables();
        let row = tables
            .rows
            .iter()
            .map(|row| &row.id)
            .find(|id| ***id == *"peer.received");
        let row = row.expect("the row of received messages");
        let lines = bodies().into_iter().map(|body| {
            json!({"event": "onMessageInstantReceive", "row": &**row, "args": [BOB, 0, body], "at_ms": 1_593_475_200_000_u64})
        });
        scenario.come(Leg::Env, json!({"kept": lines.collect::<Vec<_>>()}));
        scenario.poll(0);
        scenario.call("user_logout", json!({}));
    });
}

#[test]
fn the_documented_api() {
    let mut scenario = SessionScenario::begin("api", ALICE, ACCOUNTS, CHANNELS);
    for body in bodies() {
        scenario.request("messageInstantSend", json!([BOB, 0, body]));
        scenario.request("messageInstantSend", json!({"account": DIGITS, "msg": body, "uid": 7}));
        peer_message(&mut scenario, BOB, text(&body));
        let request = json!({"name": ROOM, "of": body}).to_string();
        scenario.request(
            "invoke",
            json!(["io.agora.signal.channel_query_num", request, "marzipan-7"]),
        );
        scenario.request(
            "invoke",
            json!({"name": "io.agora.signal.user_set_attr", "req": {"name": "n", "value": body}}),
        );
        scenario.request("invoke", json!(["io.agora.signal.nonsense", body, 9]));
    }
    scenario.request("channelJoin", json!([ROOM]));
    scenario.request("channelSetAttr", json!([ROOM, "topic", "marzipan"]));
    scenario.request("channelSetAttr", json!([ROOM, "_sendmsg_limit", "77"]));
    let attr = |value: &str| json!({"value": value, "lastUpdateUserId": BOB, "lastUpdateTs": 7});
    let list = json!({"topic": attr("sugarplum"), "_sendmsg_limit": attr("77")});
    scenario.event("AttributesUpdated", json!({"channelId": ROOM, "attributes": list}));
    scenario.request("messageChannelSend", json!([ROOM, "marzipan"]));
    scenario.request(
        "channelInviteUser2",
        json!([ROOM, BOB, "{\"_timeout\": 30, \"who\": \"marzipan\"}"]),
    );
    scenario.request("channelInviteDTMF", json!([ROOM, BOB, "5550199"]));
    scenario.request("channelInviteEnd", json!([ROOM, BOB, 0, "100% marzipan"]));
    scenario.request("getUserAttr", json!([BOB, "mood"]));
    scenario.request("nonsense", json!(["marzipan"]));
    scenario.request("channelJoin", json!({"of": "marzipan"}));
    scenario.request("channelJoin", json!([1, 2, 3, 4, "marzipan"]));
    scenario.request("login", json!(["app", ALICE, "sugarplum", 0, ""]));
    for sent in [
        r#"[{"jsonrpc":"2.0","id":1e3,"method":"getStatus","more":"marzipan"},{"jsonrpc":"2.0","id":null,"method":"getStatus"},"marzipan"]"#,
        r#"{"jsonrpc":"1.0","params":["marzipan"]}"#,
        "not JSON",
        "[]",
    ] {
        scenario.received(sent);
    }
    check(&header(), &scenario.records, SECRETS);
}

/// Frames that are no calls: what they hold goes, whatever their name is.
#[test]
fn arguments_of_other_frames() {
    for profile in ["web", "java-python"] {
        let mut scenario = SessionScenario::begin(profile, ALICE, ACCOUNTS, CHANNELS);
        for frame in [
            json!(["set_flag", {"binary": "marzipan", "who": [ALICE, 4_455_667_788_i64]}]),
            json!(["set_flag", "sugarplum"]),
            json!(["set_flag", {"binary": 1}]),
            json!(["ping", "marzipan"]),
            json!(["hello", {"x": "sugarplum"}]),
        ] {
            scenario.received(&frame.to_string());
        }
        scenario.poll(0);
        check(&header(), &scenario.records, SECRETS);
    }
}

/// Other texts are kept.
#[test]
fn tokens_go() {
    for policy in [Policy::Keep, Policy::Placeholder, Policy::Hash] {
        let mut scenario = SessionScenario::begin("web", ALICE, ACCOUNTS, CHANNELS);
        let mut calls = Vec::new();
        for call in [
            json!({"login": {"uid": BOB, "token": "an-rtm-token"}}),
            json!({"renewToken": {"token": "an-rtm-token"}}),
        ] {
            let data = json!({"request": 99, "call": call}).to_string();
            calls.push(Record {
                leg: Leg::Rtm,
                dir: Dir::Out,
                data: Value::from_json(&data).expect("JSON"),
                ..scenario.records[0].clone()
            });
        }
        let second = json!({"vid": "app", "account": ALICE, "token": "_no_need_token", "device": "websdk"});
        scenario.received(&json!(["login", second]).to_string());
        scenario.records.extend(calls);
        let redaction = Redaction::new(&tables().0, policy, policy).expect("random bytes");
        let text = redacted(&header(), &scenario.records, &redaction);
        holds_none(
            "tokens",
            &text,
            &["an-rtm-token", "_no_need_token", "5ebe2294ecd0e0f08eab7690d2a6ee69"],
        );
        assert_eq!(text.matches("<token>").count(), 4, "{text}");
    }
}

#[test]
fn names_stay_what_they_are_over_the_trace() {
    let mut scenario = SessionScenario::begin("web", ALICE, ACCOUNTS, CHANNELS);
    scenario.call("user_sendmsg", json!({"peer": BOB, "content": "hi there"}));
    peer_message(&mut scenario, BOB, text(BOB));
    let redaction = Redaction::new(&tables().0, Policy::Placeholder, Policy::Placeholder).expect("random bytes");
    let text = redacted(&header(), &scenario.records, &redaction);
    let bob = "<account:2 len=12>";
    assert!(
        text.contains(&format!("\"text\":\"{bob}\"")) && text.contains(&format!("\"peerId\":\"{bob}\"")),
        "{text}"
    );
    assert!(text.contains("len=8 spaced>"), "{text}");
    let trace = read_as_written(text.as_bytes()).expect("a trace");
    assert_eq!(&*trace.header.redaction, "names=placeholder bodies=placeholder");
}

/// A replay with stand-ins can be written with the original placeholders.
#[test]
fn stand_ins_become_their_placeholders_again() {
    let mut scenario = SessionScenario::begin("web", ALICE, ACCOUNTS, CHANNELS);
    scenario.poll(0);
    for body in bodies() {
        scenario.call("user_sendmsg", json!({"peer": BOB, "content": body}));
        peer_message(&mut scenario, DIGITS, text(&body));
    }
    let redaction = Redaction::new(&tables().0, Policy::Placeholder, Policy::Placeholder).expect("random bytes");
    let written = redacted(&header(), &scenario.records, &redaction);
    let trace = read(written.as_bytes()).expect("a trace");
    let mut redactor = trace::Redactor::new(redaction);
    let placeholders = read_as_written(written.as_bytes()).expect("a trace");
    placeholders
        .records
        .iter()
        .for_each(|(_, record)| redactor.learn_from(record));
    for ((_, played), (_, placed)) in trace.records.into_iter().zip(placeholders.records) {
        assert_eq!(redactor.redact(played), placed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_body_is_in_a_trace(
        body in prop_oneof!["\\PC{0,60}", "[\\[{}\\]\":,a-z0-9\\\\ <>_%.]{0,60}", "[0-9*#]{1,12}", "[a-z]{0,4}"],
        key in "[a-z]{1,5}",
    ) {
        let body = format!("marzipan{body}");
        let wrapped = json!({&key: &body, "l": [&body]}).to_string();
        let mut records: Vec<Record> = Vec::new();
        for profile in ["web", "native"] {
            let names = [BOB, &body, &wrapped];
            let mut scenario = SessionScenario::begin(profile, ALICE, &names, CHANNELS);
            scenario.poll(0);
            for body in [&body, &wrapped] {
                scenario.call("user_sendmsg", json!({"peer": BOB, "content": body}));
                scenario.call("voip_invite", json!({"channelName": ROOM, "peer": body, "extra": body}));
                peer_message(&mut scenario, BOB, text(body));
            }
            scenario.poll(1);
            records = scenario.records;
            check(&header(), &records, &["marzipan"]);
        }
        prop_assert!(!records.is_empty());
    }

    #[test]
    fn no_short_body_is_played_otherwise(bodies in proptest::collection::vec("[ -~]{0,4}|[0-9*#]{1,7}|\\PC{1,2}", 1..40)) {
        let names: Vec<&str> = bodies.iter().map(String::as_str).chain([BOB]).collect();
        let mut scenario = SessionScenario::begin("web", ALICE, &names, &names);
        scenario.poll(0);
        for body in &bodies {
            scenario.call("user_sendmsg", json!({"peer": BOB, "content": body}));
            scenario.call("user_set_attr", json!({"name": "n", "value": body}));
            scenario.call("voip_invite", json!({"channelName": body, "peer": body, "extra": body}));
            peer_message(&mut scenario, BOB, text(body));
        }
        check(&header(), &scenario.records, &[]);
    }
}
