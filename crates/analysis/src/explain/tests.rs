use rtm::AppId;
use tables::Tables;

use crate::explain::{ExplainError, Explanation, explain};

fn requested(request: &str) -> Result<Explanation, ExplainError> {
    let tables = Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false)));
    explain(&tables, &tables.documented(), request, None)
}

#[test]
fn a_request_of_the_documented_api_by_position() {
    let request = r#"{"jsonrpc":"2.0","id":7,"method":"getUserAttr","params":["bob","mood"]}"#;
    let text = requested(request).expect("a request").to_string();
    for expected in [
        "getUserAttr of the api wire, call 7",
        "account <- account = \"bob\"",
        "name <- name = \"mood\"",
        "event onUserAttrResult (a notification with this name)",
        "the text is the error's message, the number its code",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    for (request, error) in [
        ("[]", "not a request: expected an object with a method, got []"),
        (
            r#"{"method":"getUserAttr","params":1}"#,
            "not a request: expected params (array or object), got 1",
        ),
        (
            r#"{"method":"x"}"#,
            "the api wire has no function `x`; clients get `unknown func x`",
        ),
    ] {
        assert_eq!(requested(request).expect_err(request).to_string(), error);
    }
}

fn explained(frame: &str, vid: Option<&str>) -> Result<Explanation, ExplainError> {
    let tables = Tables::built_in().expect("the built-in tables");
    let wire = tables.wire("web").expect("the web wire");
    explain(&tables, wire, frame, vid.map(|vid| AppId::new(vid).expect("an app id")))
}

/// The whole text with `LINE` for line numbers, which change with every edit of the tables.
fn text(frame: &str, vid: Option<&str>) -> String {
    let mut text = explained(frame, vid).expect("a frame of the wire").to_string();
    for row in Tables::built_in().unwrap().rows {
        let (file, _) = row.place.rsplit_once(':').expect("file:line");
        text = text.replace(
            &format!("{} at {}\n", row.id, row.place),
            &format!("{} at {file}:LINE\n", row.id),
        );
    }
    text
}

/// Returns the lines that contain one of `words`.
fn lines(frame: &str, vid: Option<&str>, words: &[&str]) -> String {
    let text = text(frame, vid);
    let lines = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.collect::<Vec<_>>().join("\n")
}

const MESSAGE: &str =
    r#"["call2",["user_sendmsg",7,{"line":"l","peer":"bob","flag":"v1:E:3600","t":"instant","content":"hi"}]]"#;

#[test]
fn a_message() {
    insta::assert_snapshot!(text(MESSAGE, None), @r#"
        user_sendmsg of the web wire, call 7
          is messageInstantSend(account, uid, msg, msgID, ttl)
          row peer.send at mappings/peer.toml:LINE
          status emulated, with the emulation outbox
          source signaling-api 9.2, rtm-api 3.2, decisions H11
          code SEND-ACK: Signaling confirms what its server took; a later failure in RTM has no legacy event
          code PEER-OFFLINE: the peer was offline and RTM kept nothing; Signaling would have stored the message
          code END-PREFIX: RTM ends an accepted call by a peer message with a fixed beginning; a message of an app with this beginning has the same effect
          code MAILBOX-FULL: a mailbox is bounded, and each sender has a share of it: messages above the bound are dropped without a notice to the sender

        arguments
          account <- peer = "bob"
          uid is not sent on this wire
          msg <- content = "hi"
          msgID is not sent on this wire
          ttl <- flag~v1:E: = "v1:E:3600"
          flag = "v1:E:3600", as sent by every client
          t = "instant", as sent by every client
          keep <- $ttl as seconds, else 3600, within 0 and 2592000 = 3600

        steps
          1. if self: -> loopback
          2. if !self, offline-messages: RTM sendMessageToPeer
             peerId <- $account = "bob"
             message <- $msg = {"messageType":"TEXT","text":"hi"}
             after TOO_OFTEN retries in 3s
             error CACHED_BY_SERVER -> continue
             error any other -> lost
          3. if !self, !offline-messages: RTM sendMessageToPeer
             peerId <- $account = "bob"
             message <- $msg = {"messageType":"TEXT","text":"hi"}
             expects that the result is true, else offline
             after TOO_OFTEN retries in 3s
             error PEER_UNREACHABLE -> offline
             error CACHED_BY_SERVER -> continue
             error any other -> lost

        answer
          before the first step, if the arguments are valid, with accepted

        outcomes
          accepted
            event onMessageSendSuccess (derived by the client from the answer)
              messageID <- $msgID = ""
          loopback
            event onMessageInstantReceive (mailbox line of type instant)
              account <- $self
              uid <- 0
              msg <- $msg = "hi"
          offline
            stores the message until its peer is online
          undelivered
            notes PEER-OFFLINE
          lost
            notes SEND-ACK
          end-text
            notes END-PREFIX

        refusals that the row does not define
          on the wire the text is in err and in the JSON's reason
          fails as send
            "timeout" -> api 401, web 401
            "any other" -> api 400, web 400
            event onMessageSendError (derived by the client from the answer)
              messageID <- $msgID = ""
              ecode <- $ecode
        "#);
}

#[test]
fn a_function_without_a_row() {
    let frame = r#"["call2",["user_getmsg",2,{"line":"l","ver_clear":3,"max":30,"odd":1}]]"#;
    insta::assert_snapshot!(text(frame, None), @r"
        user_getmsg of the web wire, call 2
          no row: the wire acknowledges and fetches mailbox lines

        arguments
          ver_clear = 3; clients initially send 0
          max = 30, as sent by every client
          odd is ignored
        ");
}

#[test]
fn values_out_of_json_and_conditions_that_are_known() {
    let frame =
        r#"["call2",["voip_invite",1,{"line":"l","channelName":"r","peer":"zoë","extra":"{\"_timeout\":180}"}]]"#;
    insta::assert_snapshot!(lines(frame, Some("app"), &["online", "timeout", "Id <-", "content <-", "uid"]), @r#"
        code INVITE-ABANDONED: a user that RTM has logged out (other login, ban) cannot withdraw a call: it rings for its `_timeout`, else until RTM ends it after 60 s
        extra <- extra = "{\"_timeout\":180}"
        uid is not sent on this wire
        online <- $extra#json._require_peer_online as flag, else false = false
        timeout <- $extra#json._timeout as seconds above 0, else config.invite.timeout, within 1 and 55 = 55
        3. if online: RTM queryPeersOnlineStatus (skipped here)
           calleeId <- $account = "~b.em_Dqw"
           channelId <- $channelID = "r"
           content <- $extra = "{\"_timeout\":180}"
              uid <- uid($account) = 1019320742
            "peer is not online" -> api 703, web the text, as extra, javasdk 700, native 703
              uid <- uid($account) = 1019320742
              extra <- '{"reason":"$reason"}' = "{\"reason\":\"peer is not online\"}"
              uid <- uid($account) = 1019320742
              uid <- uid($account) = 1019320742
            content <- ""
            "timeout" -> api 700, web the text, as extra, javasdk 700, native 700
              uid <- uid($account) = 1019320742
              extra <- '{"reason":"$reason"}' = "{\"reason\":\"timeout\"}"
            peerId <- $account = "~b.em_Dqw"
          "peer is not online" -> api 703, web the text, as extra, javasdk 700, native 703
            uid <- uid($account) = 1019320742
        "#);
}

#[test]
fn a_row_inside_a_row_reads_its_arguments() {
    let frame = r#"["call2",["channel_join",1,{"line":"l","name":"room"}]]"#;
    insta::assert_snapshot!(lines(frame, None, &["in silence", "channelID <-", "channelId <-"]), @r#"
        channelID <- name = "room"
           channelID <- $state.channel
              channelId <- $channelID
           channelId <- $channelID = "room"
           channelId <- $channelID = "room"
           channelId <- $channelID = "room"
            channelID <- $channelID = "room"
            channelID <- $channelID = "room"
              channelID <- $channelID = "room"
            channelID <- $channelID = "room"
        "#);
}

#[test]
fn calls_that_travel_together_show_what_they_carry() {
    let frame = r#"["call2",["channel_query_num",1,{"line":"l","name":"room"}]]"#;
    insta::assert_snapshot!(lines(frame, None, &["refused", "channelIds", "$value"]), @r#"
        1. if joined: $value = $state.memberCount
           channelIds <- [$channelID] = ["room"]
           gathered: $channelID is batched in channelIds, at most 32 per call, one call per 1s
           $value is the result's [$channelID]
            num <- $value
        "#);
}

#[test]
fn refused_arguments_are_explained() {
    for (name, expected) in [
        ("a b", "wrong param"),
        ("", "wrong param"),
        (&*"x".repeat(129), "wrong param"),
    ] {
        let frame = format!(r#"["call2",["channel_query_num",1,{{"line":"l","name":"{name}"}}]]"#);
        assert_eq!(
            lines(&frame, None, &["refused"]),
            format!("  refused before any step: {expected}")
        );
    }
    let frame = format!(
        r#"["call2",["user_sendmsg",1,{{"peer":"bob","content":"{}"}}]]"#,
        "x".repeat(8193)
    );
    assert_eq!(
        lines(&frame, None, &["refused"]),
        "  refused before any step: large param"
    );
    let frame = r#"["call2",["user_sendmsg",1,{"peer":"bob","content":{"a":1}}]]"#;
    assert_eq!(lines(frame, None, &["refused"]), "", "texts may be anything");
}

#[test]
fn refusals_by_error_have_the_numbers_of_each_family() {
    let frame = r#"["login",{"vid":"app","account":"alice","token":"","uid":1}]"#;
    insta::assert_snapshot!(lines(frame, None, &["REJECTED", "EXPIRED", "uid", "device"]), @r#"
        is login(appId, account, token, uid, deviceID)
        code UID-HASH: uids are derived from the account and differ from those that Signaling gave out
        uid is not sent on this wire
        deviceID is not sent on this wire
        uid = 1; clients initially send 0
        device is missing; clients send "websdk"
           uid <- $account = "alice"
        uid <- onLoginSuccess.uid
            uid <- uid($self) = 1868405786
            REJECTED: "login rejected" -> api 202, web 201, javasdk 201, native 201
            TOKEN_EXPIRED: "TokenErrorExpired" -> api 204, web 204, javasdk 201, native 204
        "#);
}

#[test]
fn every_function_of_the_tables_can_be_explained() {
    let tables = Tables::built_in().unwrap();
    for function in &tables.wire("web").unwrap().functions {
        let frame = format!(r#"["call2",["{}",1,{{}}]]"#, function.name);
        let explanation = explained(&frame, None).unwrap();
        assert_eq!(explanation.row.is_none(), explanation.local.is_some(), "{frame}");
        serde_json::to_string(&explanation).unwrap();
    }
}

fn check_error(frame: &str, error: &str, hint: &str) {
    let got = explained(frame, None).expect_err(frame);
    assert_eq!((&*got.to_string(), &*got.hint()), (error, hint), "{frame}");
}

#[test]
fn errors_say_what_was_expected() {
    let example = r#"write ["call2",["function",1,{"line":"…"}]] or ["login",{"account":"…"}]"#;
    check_error(
        "{",
        "not JSON: end of the text inside a value at line 1 column 2",
        example,
    );
    check_error("7", r#"not a frame: expected ["name",argument], got 7"#, example);
    check_error(
        r#"["call2",["f",{}]]"#,
        r#"not a frame: expected ["function",number,{…}], got ["f",{}]"#,
        example,
    );
    check_error(
        r#"["login",1]"#,
        "not a frame: expected an object of arguments, got 1",
        example,
    );
    check_error(
        r#"["ping",1]"#,
        "no row handles the frame `ping`; only `login` and `call2` enter rows",
        example,
    );
    check_error(
        r#"["call2",["user_sendmgs",1,{}]]"#,
        "the web wire has no function `user_sendmgs`; clients get `unknown func user_sendmgs`",
        "did you mean `user_sendmsg`?",
    );
}

#[test]
fn texts_that_clients_cut_are_shown_as_they_arrive() {
    let frame = r#"["call2",["user_sendmsg",1,{"peer":"bob","content":"cut \ud83d","flag":"v1:E:1e400"}]]"#;
    let text = explained(frame, None).expect("a frame").to_string();
    assert!(text.contains("msg <- content = \"cut \u{fffd}\""), "{text}");
}

#[test]
fn an_argument_may_tell_functions_of_one_name_apart() {
    for (args, row) in [
        ("{}", "channel-msg.send"),
        (r#"{"force":true}"#, "channel-msg.send-force"),
    ] {
        let frame = format!(r#"["call2",["channel_sendmsg",1,{args}]]"#);
        let explanation = explained(&frame, None).unwrap();
        assert_eq!(
            explanation.row.map(|row| row.id.to_string()).as_deref(),
            Some(row),
            "{frame}"
        );
    }
}

#[test]
fn a_native_client_sends_lines() {
    let tables = Tables::built_in().expect("the built-in tables");
    let wire = tables.wire("native").expect("the native wire");
    let explained = |line: &str| explain(&tables, wire, line, None);
    for line in [
        r#"call user_sendmsg 7 0 {"line":"l","peer":"bob","content":"hi there"}"#,
        r#"["call2",["user_sendmsg",7,{"line":"l","peer":"bob","content":"hi there"}]]"#,
    ] {
        let text = explained(line).expect("a line of the wire").to_string();
        assert!(text.contains("msg <- content = \"hi there\""), "{text}");
    }
    assert!(explained(r#"login {"account":"alice"}"#).is_ok());
    for (line, error) in [
        ("call user_sendmsg 7", "`call` needs a function, a number, 0 and JSON"),
        ("call user_sendmsg x 0 {}", "the call number is invalid"),
        ("call user_sendmsg 7 0 {", "its last part is not JSON"),
        ("line_ping:1", "only `login` and `call` enter rows"),
    ] {
        let got = explained(line).expect_err(line);
        assert_eq!(got.to_string(), format!("not a line of the native wire: {error}"));
        let hint = r#"write call function 1 0 {"line":"…"}, or login {"account":"…"}"#;
        assert_eq!(got.hint(), hint);
    }
}
