use std::sync::Arc;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;

use crate::client::repl::{BadInput, ReplInput};
use crate::client::{CallError, Catalog, LegacyClient, Login, MAX_PENDING_CALLS, Output};

/// A client on virtual time, with its outputs as lines.
struct Script {
    client: LegacyClient,
    now: Time,
}

impl Script {
    fn new() -> Self {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
        let wire = tables.wire("web").expect("the web wire").clone();
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

    /// Returns a logged-in client whose first poll is answered.
    fn ready() -> Self {
        let mut script = Self::new();
        script.client.connected();
        script.receive(r#"["login_ret",["","{\"result\":\"ok\",\"uid\":1001,\"line\":\"L\"}"]]"#);
        script.receive(r#"["call2-ret",[1,"","{\"result\":\"ok\",\"ver_clear\":0,\"msgs\":[]}"]]"#);
        script
    }

    fn receive(&mut self, frame: &str) -> Vec<String> {
        lines(self.client.frame(frame, self.now))
    }

    /// Delivers a successful answer.
    fn answers(&mut self, id: i64, reply: &str) -> Vec<String> {
        let reply = Value::from(reply).to_json();
        self.receive(&format!(r#"["call2-ret",[{id},"",{reply}]]"#))
    }

    fn after(&mut self, time: Duration) -> Vec<String> {
        self.now = self.now + time;
        lines(self.client.tick(self.now))
    }

    /// Enters an input line; returns the resulting frame.
    fn types(&mut self, line: &str) -> String {
        match ReplInput::read(line, self.client.catalog()).expect(line) {
            ReplInput::Call { name, args } => self.client.call(&name, &args).expect(line).1,
            ReplInput::Function { name, args } => self.client.invoke(&name, args).expect(line).1,
            ReplInput::Frame(frame) => frame,
            other => panic!("{line} is {other:?}"),
        }
    }
}

pub(super) fn lines(outputs: Vec<Output>) -> Vec<String> {
    let line = |output| match output {
        Output::Send(frame) => format!("> {frame}"),
        Output::LoggedIn => "logged in".into(),
        Output::Refused(reason) => format!("refused: {reason}"),
        Output::Event(emitted) => emitted.to_string(),
        Output::Reply(reply) => match reply.result {
            Ok(value) => format!("{} {} ok {value}", reply.id, reply.call),
            Err(reason) => format!("{} {} failed {reason}", reply.id, reply.call),
        },
        Output::Unknown(frame) => format!("? {frame}"),
        Output::LoggedOut => "logged out".into(),
    };
    outputs.into_iter().map(line).collect()
}

#[test]
fn a_login_matches_the_sdk_and_is_followed_by_a_poll() {
    let mut script = Script::new();
    assert_eq!(
        lines(script.client.connected()),
        [r#"> ["login",{"vid":"app","account":"alice","token":"t","uid":0,"device":"websdk","ip":""}]"#]
    );
    assert_eq!(
        script.receive(r#"["login_ret",["","{\"result\":\"ok\",\"uid\":1001,\"line\":\"L\"}"]]"#),
        [
            "logged in",
            "onLoginSuccess uid=1001 fd=0",
            r#"> ["call2",["user_getmsg",1,{"line":"L","max":30,"ver_clear":0}]]"#
        ]
    );
}

#[test]
fn a_refused_login_has_the_familys_number() {
    for (error, reply, event, reason) in [
        (
            "TokenErrorExpired",
            "{}",
            "onLoginFailed ecode=204",
            "refused: TokenErrorExpired",
        ),
        (
            "",
            r#"{\"result\":\"failed\",\"reason\":\"kick\"}"#,
            "onLoginFailed ecode=201",
            "refused: kick",
        ),
    ] {
        let mut script = Script::new();
        script.client.connected();
        let frame = format!(r#"["login_ret",["{error}","{reply}"]]"#);
        assert_eq!(script.receive(&frame), [event, reason]);
        assert_eq!(script.client.call("logout", &[]), Err(CallError::NotLoggedIn));
        assert_eq!(script.client.next_tick(), None);
    }
}

#[test]
fn documented_calls_become_frames() {
    for (line, frame) in [
        (
            r#"messageInstantSend bob 0 "hi there""#,
            r#"["call2",["user_sendmsg",2,{"line":"L","peer":"bob","content":"hi there","flag":"v1:E:3600","t":"instant"}]]"#,
        ),
        (
            r#"messageInstantSend msg="hi there" account=bob"#,
            r#"["call2",["user_sendmsg",2,{"line":"L","peer":"bob","content":"hi there","flag":"v1:E:3600","t":"instant"}]]"#,
        ),
        (
            r#"messageInstantSend bob msg='a=b "c"'"#,
            r#"["call2",["user_sendmsg",2,{"line":"L","peer":"bob","content":"a=b \"c\"","flag":"v1:E:3600","t":"instant"}]]"#,
        ),
        (
            "channelJoin room",
            r#"["call2",["channel_join",2,{"line":"L","name":"room"}]]"#,
        ),
        ("logout", r#"["call2",["user_logout",2,{"line":"L"}]]"#),
        (
            "channelInviteAccept r bob",
            r#"["call2",["voip_invite_accept",2,{"line":"L","channelName":"r","peer":"bob","extra":""}]]"#,
        ),
        // A row with several calls: each one by its own arguments.
        (
            "channelInviteUser r bob 0",
            r#"["call2",["voip_invite",2,{"line":"L","channelName":"r","peer":"bob","extra":""}]]"#,
        ),
        (
            r#"channelInviteUser2 r bob '{"_timeout":5}'"#,
            r#"["call2",["voip_invite",2,{"line":"L","channelName":"r","peer":"bob","extra":"{\"_timeout\":5}"}]]"#,
        ),
        // Functions outside the tables, and literal frames.
        (
            r#"user_x {"account":"bob"}"#,
            r#"["call2",["user_x",2,{"line":"L","account":"bob"}]]"#,
        ),
        (r#"user_x {"line":"mine"}"#, r#"["call2",["user_x",2,{"line":"mine"}]]"#),
        (r#"["set_flag", {"binary":1}]"#, r#"["set_flag",{"binary":1}]"#),
    ] {
        assert_eq!(Script::ready().types(line), frame, "{line}");
    }
}

fn catalog() -> Catalog {
    Script::new().client.catalog().clone()
}

#[test]
fn invalid_input_lines_have_a_reason() {
    for (line, error) in [
        (
            "messageInstantSent bob",
            "unknown call `messageInstantSent`; did you mean `messageInstantSend`?",
        ),
        ("zzz", "unknown call `zzz`"),
        (
            "channelJoin a b",
            "`channelJoin` has no argument `b`; it takes (channelID)",
        ),
        (
            "messageInstantSend account=bob hi",
            "`hi` is positional, but follows named arguments",
        ),
        ("channelJoin 'a", "the quote ' is not closed"),
        ("wait soon", "`wait` takes whole seconds, at most 3600"),
        ("[1,", "not JSON: end of the text inside a value at line 1 column 4"),
    ] {
        let got = ReplInput::read(line, &catalog()).map_err(|e: BadInput| e.to_string());
        assert_eq!(got, Err(error.into()), "{line}");
    }
    let mut script = Script::ready();
    let uid = [(Text::from("uid"), "many".into())];
    let error = script.client.call("messageInstantSend", &uid).unwrap_err();
    assert_eq!(error.to_string(), r#"`uid` takes int, got "many""#);
}

#[test]
fn every_call_of_the_tables_has_help_and_a_frame() {
    let calls = catalog().calls();
    assert!(calls.len() > 8, "{calls:?}");
    for call in calls {
        let mut script = Script::ready();
        assert!(script.client.call(&call.name, &[]).unwrap().1.contains(&*call.function));
    }
    let send = catalog()
        .calls()
        .into_iter()
        .find(|call| &*call.name == "messageInstantSend")
        .unwrap();
    let carried: Vec<_> = send.args.iter().map(|arg| (&*arg.name, arg.carried)).collect();
    assert_eq!(
        carried,
        [
            ("account", true),
            ("uid", false),
            ("msg", true),
            ("msgID", false),
            ("ttl", true)
        ]
    );
    assert_eq!(catalog().logout().map(|name| &**name), Some("logout"));
}

#[test]
fn answers_generate_the_sdks_events() {
    for (line, reply, expected) in [
        (
            "messageInstantSend bob 0 hi m1",
            r#"{"result":"ok"}"#,
            &[r#"onMessageSendSuccess messageID="m1""#][..],
        ),
        (
            "channelJoin room",
            r#"{"result":"ok","list":[["bob",2],["alice",1]],"attrs":{"topic":"cats","x":"y"},"cid":1,"num":2}"#,
            &[
                r#"onChannelJoined channelID="room""#,
                r#"onChannelUserList accounts=["bob","alice"] uids=[2,1]"#,
                r#"onChannelAttrUpdated channelID="room" name="topic" value="cats" type="update""#,
                r#"onChannelAttrUpdated channelID="room" name="x" value="y" type="update""#,
            ],
        ),
        (
            "channelLeave room",
            r#"{"result":"ok"}"#,
            &[r#"onChannelLeaved channelID="room" ecode=602"#],
        ),
        (
            "channelQueryUserNum room",
            r#"{"result":"ok","num":5}"#,
            &[r#"onChannelQueryUserNumResult channelID="room" ecode=0 num=5"#],
        ),
        // The client does not know the uid.
        (
            "channelInviteEnd r bob 0 bye",
            r#"{"result":"ok"}"#,
            &[r#"onInviteEndByMyself channelID="r" account="bob""#],
        ),
        ("channelInviteUser2 r bob x", r#"{"result":"ok"}"#, &[]),
        // The event is sent over the wire.
        ("channelSetAttr room a b", r#"{"result":"ok"}"#, &[]),
        ("logout", r#"{"result":"ok"}"#, &["onLogout ecode=101", "logged out"]),
    ] {
        let mut script = Script::ready();
        script.types(line);
        let outputs = script.answers(2, reply);
        assert_eq!(outputs[0], format!("2 {} ok {reply}", line.split(' ').next().unwrap()));
        assert_eq!(outputs[1..], *expected, "{line}");
    }
}

#[test]
fn refusals_generate_the_sdks_events() {
    for (line, reason, expected) in [
        (
            "messageInstantSend bob 0 hi m1",
            "timeout",
            r#"onMessageSendError messageID="m1" ecode=401"#,
        ),
        (
            "channelJoin room",
            "failed",
            r#"onChannelJoinFailed channelID="room" ecode=300"#,
        ),
        // The family shows the text and has no number.
        (
            "channelInviteUser2 r bob x",
            "peer is not online",
            r#"onInviteFailed channelID="r" account="bob" extra="{\"reason\":\"peer is not online\"}""#,
        ),
        (
            "channelSetAttr r a b",
            "large param",
            r#"onError name="attr" ecode=1005 desc="large param""#,
        ),
    ] {
        let mut script = Script::ready();
        script.types(line);
        let outputs = script.answers(2, &format!(r#"{{"result":"failed","reason":"{reason}"}}"#));
        let call = line.split(' ').next().unwrap();
        assert_eq!(
            outputs,
            [format!("2 {call} failed {reason}"), expected.into()],
            "{line}"
        );
    }
}

#[test]
fn lines_become_documented_events() {
    for (line, expected) in [
        (
            "msg-v2 bob alice v1:E:3600 instant 1 hi  there",
            r#"onMessageInstantReceive account="bob" uid=0 msg="hi  there""#,
        ),
        (
            r#"msg-v2 bob alice - voip_invite 1 {"channel":"r","peer":"bob","extra":"x","peeruid":7}"#,
            r#"onInviteReceived channelID="r" account="bob" uid=7 extra="x""#,
        ),
        (
            r#"msg-v2 bob alice - voip_invite_ack 1 {"channel":"r","peer":"bob","extra":"","peeruid":7}"#,
            r#"onInviteReceivedByPeer channelID="r" account="bob" uid=7"#,
        ),
        (
            r#"msg-v2 bob alice - voip_invite_failed 1 {"channel":"r","peer":"bob","extra":"{}","peeruid":7}"#,
            r#"onInviteFailed channelID="r" account="bob" uid=7 extra="{}""#,
        ),
        (
            r#"msg-v2 bob r - channel_msg 1 {"channel":"r","account":"bob","uid":7,"msg":{"a":1}}"#,
            r#"onMessageChannelReceive channelID="r" account="bob" uid=7 msg="{\"a\":1}""#,
        ),
        (
            r#"msg-v2 bob r - channel_user_join 1 {"channel":"r","account":"bob","uid":7}"#,
            r#"onChannelUserJoined account="bob" uid=7"#,
        ),
        (
            r#"msg-v2 bob r - channel_attr_update 1 {"channel":"r","account":"bob","uid":0,"name":"n","value":"","type":"del"}"#,
            r#"onChannelAttrUpdated channelID="r" name="n" value="" type="del""#,
        ),
    ] {
        let json = Value::from(line).to_json();
        let frame = format!(r#"["notify",["channel2",1,1,{json}]]"#);
        assert_eq!(Script::ready().receive(&frame), [expected], "{line}");
    }
    for line in [
        "msg-v2 bob alice - cmd_report 1 x",
        "msg-v3 1 bob alice - instant 1 x",
        "msg-v2 bob",
    ] {
        let frame = format!(r#"["notify",["channel2",1,1,"{line}"]]"#);
        assert_eq!(Script::ready().receive(&frame), [format!("? {frame}")]);
    }
}

fn mailbox_line(version: i64, text: &str) -> String {
    let line = Value::text(format!(r#"[{version},"msg-v2 bob alice f instant 1 {text}"]"#)).to_json();
    format!(r#"["notify",["recvmsg",{line}]]"#)
}

fn poll(id: i64, version: i64) -> String {
    format!(r#"> ["call2",["user_getmsg",{id},{{"line":"L","max":30,"ver_clear":{version}}}]]"#)
}

#[test]
fn the_mailbox_is_polled_as_the_sdk_does() {
    let mut script = Script::ready();
    assert_eq!(script.receive(r#"["notify",["msg",2]]"#), [poll(2, 0)]);
    assert_eq!(
        script.receive(r#"["notify",["msg",3]]"#),
        Vec::<String>::new(),
        "a poll is out"
    );
    let reply = r#"{"result":"ok","ver_clear":0,"msgs":[[1,"msg-v2 bob alice f instant 1 a"],[2,"msg-v2 bob alice f instant 1 b"]]}"#;
    assert_eq!(
        script.answers(2, reply),
        [
            r#"onMessageInstantReceive account="bob" uid=0 msg="a""#,
            r#"onMessageInstantReceive account="bob" uid=0 msg="b""#,
            &poll(3, 2),
        ]
    );
    // Repeated lines are already known.
    assert_eq!(script.answers(3, reply), Vec::<String>::new());
    assert_eq!(script.receive(r#"["notify",["msg",2]]"#), Vec::<String>::new());
}

#[test]
fn pushed_lines_are_acknowledged_after_a_second() {
    let mut script = Script::ready();
    assert_eq!(
        script.receive(&mailbox_line(1, "a")),
        [r#"onMessageInstantReceive account="bob" uid=0 msg="a""#]
    );
    assert_eq!(script.client.next_tick(), Some(Time::from_millis(2_000)));
    assert_eq!(script.after(Duration::from_millis(999)), Vec::<String>::new());
    assert_eq!(script.after(Duration::from_millis(1)), [poll(2, 1)]);
    assert_eq!(
        script.answers(2, r#"{"result":"ok","ver_clear":1,"msgs":[]}"#),
        Vec::<String>::new()
    );
    // After a gap the mailbox is polled.
    assert_eq!(script.receive(&mailbox_line(3, "c")), [poll(3, 1)]);
}

#[test]
fn pings_and_idle_polls_are_periodic() {
    let mut script = Script::ready();
    assert_eq!(script.after(Duration::from_millis(9_999)), Vec::<String>::new());
    let mut outputs = script.after(Duration::from_millis(1));
    for _ in 0..5 {
        outputs.extend(script.after(Duration::from_secs(10)));
    }
    let pings = (1..=6).map(|n| format!(r#"> ["ping",{n}]"#));
    assert_eq!(outputs, pings.chain([poll(2, 0)]).collect::<Vec<_>>());
    assert_eq!(
        script.client.next_tick(),
        Some(Time::from_millis(71_000)),
        "not for the poll that is out"
    );
}

#[test]
fn control_frames_form_one_event() {
    let mut script = Script::ready();
    assert_eq!(script.receive(r#"["kick",""]"#), Vec::<String>::new());
    assert_eq!(script.receive(r#"["close",""]"#), ["onLogout ecode=103"]);
    assert_eq!(script.after(Duration::from_secs(100)), Vec::<String>::new(), "over");
    assert_eq!(Script::ready().receive(r#"["close",""]"#), ["onLogout ecode=102"]);
}

#[test]
fn unknown_frames_are_reported() {
    for frame in [
        r#"["call2-ret",[99,"","{}"]]"#,
        r#"["odd",1]"#,
        "x",
        r#"["login_ret",["","{}"]]"#,
    ] {
        assert_eq!(Script::ready().receive(frame), [format!("? {frame}")]);
    }
}

#[test]
fn pending_calls_are_bounded_without_polls() {
    let mut script = Script::ready();
    for _ in 0..MAX_PENDING_CALLS {
        script.types("logout");
    }
    assert_eq!(script.client.call("logout", &[]), Err(CallError::TooMany));
    assert_eq!(script.receive(r#"["notify",["msg",1]]"#).len(), 1);
    assert_eq!(script.client.pending_calls(), MAX_PENDING_CALLS);
}
