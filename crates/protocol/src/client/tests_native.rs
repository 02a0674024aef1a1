//! Tests of the native family: lines instead of frames, polls only on notification, resume by
//! session line.

use std::sync::Arc;
use std::time::Duration;

use rtm::time::Time;
use tables::Tables;

use crate::client::repl::ReplInput;
use crate::client::tests::lines;
use crate::client::{LegacyClient, Login, Output};

struct Script {
    client: LegacyClient,
    now: Time,
}

impl Script {
    fn new(family: &str) -> Self {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
        let wire = tables.wire(family).expect("its wire").clone();
        let login = Login {
            vid: "app".into(),
            account: "alice".into(),
            token: "t".into(),
        };
        Self {
            client: LegacyClient::new(tables, wire, login),
            now: Time::from_millis(1_000),
        }
    }

    /// Returns a logged-in client whose first ping is answered.
    fn ready() -> Self {
        let mut script = Self::new("native");
        script.client.connected();
        script.receive(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#);
        script.now = script.now + Duration::from_millis(1);
        script.receive("line_pong:1");
        script
    }

    fn joined() -> Self {
        let mut script = Self::ready();
        let id = script.types("channelJoin room").split(' ').nth(2).unwrap().to_owned();
        script.receive(&format!(
            r#"call_ret channel_join {id} 0 {{"result":"ok","list":[["alice",1]],"attrs":{{}},"cid":7,"num":1}}"#
        ));
        script
    }

    fn receive(&mut self, line: &str) -> Vec<String> {
        lines(self.client.frame(line, self.now))
    }

    fn after(&mut self, time: Duration) -> Vec<String> {
        self.now = self.now + time;
        lines(self.client.tick(self.now))
    }

    fn types(&mut self, line: &str) -> String {
        match ReplInput::read(line, self.client.catalog()).expect(line) {
            ReplInput::Call { name, args } => self.client.call(&name, &args).expect(line).1,
            other => panic!("{line} is {other:?}"),
        }
    }
}

const NOTHING: &[String] = &[];

#[test]
fn a_login_is_a_line_and_no_poll_follows() {
    let mut script = Script::new("native");
    assert_eq!(
        lines(script.client.connected()),
        [r#"> login {"vid":"app","account":"alice","token":"t","uid":0,"device":"","ip":"","ver":1010300009}"#]
    );
    assert_eq!(
        script.receive(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#),
        ["logged in", "onLoginSuccess uid=1001 fd=0", "> line_ping:1"]
    );
    script.now = script.now + Duration::from_millis(1);
    assert_eq!(script.receive("line_pong:1"), NOTHING);
    assert_eq!(script.after(Duration::from_millis(9_998)), NOTHING);
    assert_eq!(script.after(Duration::from_millis(1)), ["> line_ping:2"]);
}

#[test]
fn a_refused_login_has_the_familys_number() {
    for (reason, ecode) in [
        ("TokenErrorExpired", 204),
        ("TokenErrorDigest", 206),
        ("wrong\\u0020account", 201),
    ] {
        let mut script = Script::new("native");
        script.client.connected();
        let outputs = script.receive(&format!(
            r#"login_res failed {{"result":"failed","reason":"{reason}"}}"#
        ));
        assert_eq!(outputs[0], format!("onLoginFailed ecode={ecode}"), "{reason}");
    }
}

#[test]
fn calls_are_lines() {
    for (call, line) in [
        (
            "messageInstantSend bob 0 'hi there'",
            r#"call user_sendmsg 1 0 {"line":"L","peer":"bob","content":"hi there","flag":"v1:E:2592000","t":"instant"}"#,
        ),
        (
            "channelInviteEnd r bob",
            r#"call call_bye 1 0 {"line":"L","channelName":"r","destNum":"bob"}"#,
        ),
        ("logout", r#"call user_logout 1 0 {"line":"L","ver_clear":0}"#),
    ] {
        assert_eq!(Script::ready().types(call), line);
    }
    // The Python and Java clients use frames, with constants of their own.
    let mut java = Script::new("javasdk");
    assert_eq!(
        lines(java.client.connected()),
        [
            r#"> ["login",{"vid":"app","account":"alice","token":"t","uid":0,"device":"javasdk","ip":"","ver":1010002000}]"#
        ]
    );
}

fn poll(id: i64, version: i64) -> String {
    format!(r#"> call user_getmsg {id} 0 {{"line":"L","max":30,"ver_clear":{version}}}"#)
}

#[test]
fn the_mailbox_is_polled_on_notification() {
    let mut script = Script::ready();
    let msgs = |from: i64, to: i64| {
        let line = |n| format!(r#"[{n},"msg-v2 bob alice f instant 1 {n}"]"#);
        (from..=to).map(line).collect::<Vec<_>>().join(",")
    };
    assert_eq!(script.receive("notify msg 31"), [poll(1, 0)]);
    let reply = format!(
        r#"call_ret user_getmsg 1 0 {{"result":"ok","ver_clear":0,"msgs":[{}]}}"#,
        msgs(1, 30)
    );
    let outputs = script.receive(&reply);
    assert_eq!(outputs.len(), 31, "{outputs:?}");
    assert_eq!(outputs[30], poll(2, 30), "a full answer: it polls again at once");
    let reply = format!(
        r#"call_ret user_getmsg 2 0 {{"result":"ok","ver_clear":30,"msgs":[{}]}}"#,
        msgs(31, 31)
    );
    assert_eq!(script.receive(&reply).len(), 1);
    assert_eq!(script.after(Duration::from_millis(999)), NOTHING);
    assert_eq!(script.after(Duration::from_millis(1)), [poll(3, 31)]);
    script.receive(r#"call_ret user_getmsg 3 0 {"result":"ok","ver_clear":31,"msgs":[]}"#);
    // A pushed line is accepted if it is the next one.
    let emitted = script.receive(r#"notify recvmsg [32,"msg-v2 bob alice f instant 1 hi there"]"#);
    assert_eq!(
        emitted,
        [r#"onMessageInstantReceive account="bob" uid=0 msg="hi there""#]
    );
    assert_eq!(
        script.receive(r#"notify recvmsg [34,"msg-v2 bob alice f instant 1 gap"]"#),
        [poll(4, 32)]
    );
    script.receive(r#"call_ret user_getmsg 4 0 {"result":"ok","ver_clear":32,"msgs":[]}"#);
    for _ in 0..3 {
        let outputs = script.after(Duration::from_secs(40));
        assert!(
            outputs.iter().all(|line| line.starts_with("> line_ping")),
            "{outputs:?}"
        );
        script.now = script.now + Duration::from_millis(1);
        script.receive("line_pong:1");
    }
}

#[test]
fn close_words_select_the_logout_number() {
    for (word, ecode) in [
        ("kick", 103),
        ("wrong_line", 103),
        ("TokenErrorExpired", 105),
        ("outofsync", 102),
    ] {
        let mut script = Script::ready();
        assert_eq!(
            script.receive(&format!("notify {word}")),
            [format!("onLogout ecode={ecode}")]
        );
        assert!(!script.client.can_resume(), "{word}");
    }
}

#[test]
fn a_pong_in_the_same_millisecond_is_ignored() {
    let mut script = Script::new("native");
    script.client.connected();
    script.receive(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#);
    script.receive("line_pong:1");
    assert_eq!(script.after(Duration::from_millis(179_999)), NOTHING, "no more pings");
    assert_eq!(script.after(Duration::from_millis(1)), ["onLogout ecode=102"]);
}

#[test]
fn a_lost_connection_is_resumed_by_session_line() {
    let mut script = Script::joined();
    let line = "msg-v2 bob room f channel_msg 1 {\"channel\":\"room\",\"account\":\"bob\",\"uid\":2,\"msg\":\"hi\"}";
    assert_eq!(script.receive(&format!("notify channel2 12 {line}")).len(), 1);
    script.types("channelQueryUserNum room");
    assert!(script.client.can_resume());
    let lost = lines(script.client.lost(script.now));
    assert_eq!(lost, ["2 channelQueryUserNum failed connection lost"]);
    assert_eq!(lines(script.client.resuming(1)), ["onReconnecting nretry=1"]);
    assert_eq!(lines(script.client.reconnected()), ["> line_login2 L 2 0"]);
    assert_eq!(
        script.receive("line_login_res ok"),
        [
            "onReconnected fd=0",
            r#"> channel_sub {"cid":"7","cname":"room","msgid":12,"vid":"app"}"#,
            "> line_ping:2"
        ]
    );
    // The client has left the channel.
    let id = script.types("channelLeave room").split(' ').nth(2).unwrap().to_owned();
    script.receive(&format!(r#"call_ret channel_leave {id} 0 {{"result":"ok"}}"#));
    script.client.lost(script.now);
    script.client.reconnected();
    assert_eq!(
        script.receive("line_login_res ok"),
        ["onReconnected fd=0", "> line_ping:3"]
    );
    script.client.lost(script.now);
    script.client.reconnected();
    assert_eq!(script.receive("line_login_res kick"), ["onLogout ecode=103"]);
    assert!(!script.client.can_resume());
    for word in ["outofsync", "whatever"] {
        let mut script = Script::ready();
        script.client.lost(script.now);
        script.client.reconnected();
        assert_eq!(
            script.receive(&format!("line_login_res {word}")),
            ["onLogout ecode=102"]
        );
    }
    let mut script = Script::ready();
    script.client.lost(script.now);
    assert_eq!(lines(script.client.give_up()), ["onLogout ecode=102"]);
}

#[test]
fn a_lost_poll_is_repeated() {
    let mut script = Script::ready();
    assert_eq!(script.receive("notify msg 1"), [poll(1, 0)]);
    script.client.lost(script.now);
    script.client.reconnected();
    let outputs = script.receive("line_login_res ok");
    assert_eq!(outputs.last(), Some(&poll(2, 0)), "{outputs:?}");
    assert!(matches!(
        script.client.frame("odd", script.now)[..],
        [Output::Unknown(_)]
    ));
}
