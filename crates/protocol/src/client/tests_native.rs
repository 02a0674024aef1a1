//! Tests of the native family: lines instead of frames, polls only on notification, resume by
//! session line.

use std::sync::Arc;
use std::time::Duration;

use rtm::time::Time;
use tables::Tables;

use crate::client::repl::Line;
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
        script.says(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#);
        script.now = script.now + Duration::from_millis(1);
        script.says("line_pong:1");
        script
    }

    fn joined() -> Self {
        let mut script = Self::ready();
        let id = script.types("channelJoin room").split(' ').nth(2).unwrap().to_owned();
        script.says(&format!(
            r#"call_ret channel_join {id} 0 {{"result":"ok","list":[["alice",1]],"attrs":{{}},"cid":7,"num":1}}"#
        ));
        script
    }

    fn says(&mut self, line: &str) -> Vec<String> {
        lines(self.client.frame(line, self.now))
    }

    fn after(&mut self, time: Duration) -> Vec<String> {
        self.now = self.now + time;
        lines(self.client.tick(self.now))
    }

    fn types(&mut self, line: &str) -> String {
        match Line::read(line, self.client.catalog()).expect(line) {
            Line::Call { name, args } => self.client.call(&name, &args).expect(line).1,
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
        script.says(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#),
        ["logged in", "onLoginSuccess uid=1001 fd=0", "> line_ping:1"]
    );
    script.now = script.now + Duration::from_millis(1);
    assert_eq!(script.says("line_pong:1"), NOTHING);
    assert_eq!(script.after(Duration::from_millis(9_998)), NOTHING);
    assert_eq!(script.after(Duration::from_millis(1)), ["> line_ping:2"]);
}

#[test]
fn a_refused_login_tells_the_number_of_the_family() {
    for (reason, ecode) in [
        ("TokenErrorExpired", 204),
        ("TokenErrorDigest", 206),
        ("wrong\\u0020account", 201),
    ] {
        let mut script = Script::new("native");
        script.client.connected();
        let said = script.says(&format!(
            r#"login_res failed {{"result":"failed","reason":"{reason}"}}"#
        ));
        assert_eq!(said[0], format!("onLoginFailed ecode={ecode}"), "{reason}");
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
fn the_mailbox_is_asked_when_told_and_acknowledged_after_a_second() {
    let mut script = Script::ready();
    let msgs = |from: i64, to: i64| {
        let line = |n| format!(r#"[{n},"msg-v2 bob alice f instant 1 {n}"]"#);
        (from..=to).map(line).collect::<Vec<_>>().join(",")
    };
    assert_eq!(script.says("notify msg 31"), [poll(1, 0)]);
    let reply = format!(
        r#"call_ret user_getmsg 1 0 {{"result":"ok","ver_clear":0,"msgs":[{}]}}"#,
        msgs(1, 30)
    );
    let said = script.says(&reply);
    assert_eq!(said.len(), 31, "{said:?}");
    assert_eq!(said[30], poll(2, 30), "a full answer: it asks for more at once");
    let reply = format!(
        r#"call_ret user_getmsg 2 0 {{"result":"ok","ver_clear":30,"msgs":[{}]}}"#,
        msgs(31, 31)
    );
    assert_eq!(script.says(&reply).len(), 1);
    assert_eq!(script.after(Duration::from_millis(999)), NOTHING);
    assert_eq!(script.after(Duration::from_millis(1)), [poll(3, 31)]);
    script.says(r#"call_ret user_getmsg 3 0 {"result":"ok","ver_clear":31,"msgs":[]}"#);
    // A pushed line is accepted if it is the next one.
    let told = script.says(r#"notify recvmsg [32,"msg-v2 bob alice f instant 1 hi there"]"#);
    assert_eq!(told, [r#"onMessageInstantReceive account="bob" uid=0 msg="hi there""#]);
    assert_eq!(
        script.says(r#"notify recvmsg [34,"msg-v2 bob alice f instant 1 gap"]"#),
        [poll(4, 32)]
    );
    script.says(r#"call_ret user_getmsg 4 0 {"result":"ok","ver_clear":32,"msgs":[]}"#);
    for _ in 0..3 {
        let said = script.after(Duration::from_secs(40));
        assert!(said.iter().all(|line| line.starts_with("> line_ping")), "{said:?}");
        script.now = script.now + Duration::from_millis(1);
        script.says("line_pong:1");
    }
}

#[test]
fn words_make_the_numbers_of_a_logout() {
    for (word, ecode) in [
        ("kick", 103),
        ("wrong_line", 103),
        ("TokenErrorExpired", 105),
        ("outofsync", 102),
    ] {
        let mut script = Script::ready();
        assert_eq!(
            script.says(&format!("notify {word}")),
            [format!("onLogout ecode={ecode}")]
        );
        assert!(!script.client.can_return(), "{word}");
    }
}

#[test]
fn a_pong_of_the_same_millisecond_is_none() {
    let mut script = Script::new("native");
    script.client.connected();
    script.says(r#"login_res ok ok {"result":"ok","uid":1001,"line":"L"}"#);
    script.says("line_pong:1");
    assert_eq!(script.after(Duration::from_millis(179_999)), NOTHING, "no more pings");
    assert_eq!(script.after(Duration::from_millis(1)), ["onLogout ecode=102"]);
}

#[test]
fn a_lost_connection_is_gone_on_with_by_line() {
    let mut script = Script::joined();
    let line = "msg-v2 bob room f channel_msg 1 {\"channel\":\"room\",\"account\":\"bob\",\"uid\":2,\"msg\":\"hi\"}";
    assert_eq!(script.says(&format!("notify channel2 12 {line}")).len(), 1);
    script.types("channelQueryUserNum room");
    assert!(script.client.can_return());
    let lost = lines(script.client.lost(script.now));
    assert_eq!(lost, ["2 channelQueryUserNum failed connection lost"]);
    assert_eq!(lines(script.client.returning(1)), ["onReconnecting nretry=1"]);
    assert_eq!(lines(script.client.reconnected()), ["> line_login2 L 2 0"]);
    assert_eq!(
        script.says("line_login_res ok"),
        [
            "onReconnected fd=0",
            r#"> channel_sub {"cid":"7","cname":"room","msgid":12,"vid":"app"}"#,
            "> line_ping:2"
        ]
    );
    // The client has left the channel.
    let id = script.types("channelLeave room").split(' ').nth(2).unwrap().to_owned();
    script.says(&format!(r#"call_ret channel_leave {id} 0 {{"result":"ok"}}"#));
    script.client.lost(script.now);
    script.client.reconnected();
    assert_eq!(
        script.says("line_login_res ok"),
        ["onReconnected fd=0", "> line_ping:3"]
    );
    script.client.lost(script.now);
    script.client.reconnected();
    assert_eq!(script.says("line_login_res kick"), ["onLogout ecode=103"]);
    assert!(!script.client.can_return());
    for word in ["outofsync", "whatever"] {
        let mut script = Script::ready();
        script.client.lost(script.now);
        script.client.reconnected();
        assert_eq!(script.says(&format!("line_login_res {word}")), ["onLogout ecode=102"]);
    }
    let mut script = Script::ready();
    script.client.lost(script.now);
    assert_eq!(lines(script.client.give_up()), ["onLogout ecode=102"]);
}

#[test]
fn a_poll_that_was_lost_is_made_again() {
    let mut script = Script::ready();
    assert_eq!(script.says("notify msg 1"), [poll(1, 0)]);
    script.client.lost(script.now);
    script.client.reconnected();
    let said = script.says("line_login_res ok");
    assert_eq!(said.last(), Some(&poll(2, 0)), "{said:?}");
    assert!(matches!(
        script.client.frame("odd", script.now)[..],
        [Output::Unknown(_)]
    ));
}
