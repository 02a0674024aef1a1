//! The native wire's lines as text (signaling-wire 10).

use rtm::value::{Text, Value};

use crate::client::web_codec::{Answer, Inbound, Notice, mailbox_line};

/// The constant after the line of a resume; its meaning is unknown.
const RESUME_SUFFIX: &str = "2 0";

/// `login {…}`.
pub(super) fn login(args: &Value) -> String {
    format!("login {}", args.to_json())
}

/// `call <function> <id> <retry> {…}`.
pub(super) fn call(function: &str, id: i64, args: &Value) -> String {
    format!("call {function} {id} 0 {}", args.to_json())
}

/// `line_ping:<n>`.
pub(super) fn ping(n: i64) -> String {
    format!("line_ping:{n}")
}

/// `line_login2 <line> 2 0`.
pub(super) fn line_login(line: &str) -> String {
    format!("line_login2 {line} {RESUME_SUFFIX}")
}

/// `channel_sub {…}`, its keys sorted as the SDK's are; the number is sent back as a text.
pub(super) fn channel_sub(cid: &Text, name: &Text, msgid: i64, vid: &Text) -> String {
    let fields = vec![
        ("cid".into(), Value::Text(cid.clone())),
        ("cname".into(), Value::Text(name.clone())),
        ("msgid".into(), msgid.into()),
        ("vid".into(), Value::Text(vid.clone())),
    ];
    format!("channel_sub {}", Value::Map(fields).to_json())
}

/// Reads a line; `None` if the server does not send such lines.
pub(super) fn read(line: &str) -> Option<Inbound> {
    if let Some(number) = line.strip_prefix("line_pong:") {
        number.parse::<i64>().ok()?;
        return Some(Inbound::Pong);
    }
    let (name, rest) = line.split_once(' ')?;
    match name {
        "login_res" => login_res(rest),
        "line_login_res" => Some(Inbound::Resumed(rest.into())),
        "call_ret" => {
            let mut words = rest.splitn(4, ' ');
            let (_, id, _, json) = (words.next()?, words.next()?, words.next()?, words.next()?);
            Some(Inbound::CallRet(id.parse().ok()?, answer(json)?))
        }
        "notify" => notify(rest),
        _ => None,
    }
}

/// Reads a login answer. Words are counted: two and the JSON after a success, one and the JSON
/// after a refusal.
fn login_res(rest: &str) -> Option<Inbound> {
    let words: Vec<&str> = rest.split(' ').collect();
    let answer = match words[..] {
        ["ok", _, json] => answer(json)?,
        [_, json] => Answer {
            error: "failed".into(),
            ..answer(json)?
        },
        _ => return None,
    };
    Some(Inbound::LoginRet(answer))
}

fn answer(json: &str) -> Option<Answer> {
    let reply = Value::from_json(json).ok()?;
    reply.as_map()?;
    Some(Answer {
        error: "".into(),
        reply,
    })
}

fn notify(rest: &str) -> Option<Inbound> {
    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Inbound::Notify(match kind {
        "msg" => Notice::Hint(rest.parse().ok()?),
        "recvmsg" => mailbox_line(&Value::from_json(rest).ok()?)?,
        "channel2" => {
            let (msgid, line) = rest.split_once(' ')?;
            Notice::Channel(Some(msgid.parse().ok()?), line.into())
        }
        "channel" => Notice::Channel(None, rest.into()),
        // The SDK handles both in the same way: another client has the session.
        "wrong_line" => return Some(Inbound::Other("kick".into())),
        word if rest.is_empty() => return Some(Inbound::Other(word.into())),
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(json: &str) -> Answer {
        answer(json).expect("an object")
    }

    fn check(line: &str, expected: Option<Inbound>) {
        assert_eq!(read(line), expected, "{line}");
    }

    #[test]
    fn answers() {
        let ok = r#"{"result":"ok","uid":7,"line":"L"}"#;
        check(&format!("login_res ok ok {ok}"), Some(Inbound::LoginRet(reply(ok))));
        let refused = Answer {
            error: "failed".into(),
            ..reply(r#"{"reason":"wrong\u0020account"}"#)
        };
        assert_eq!(refused.result(), Err("wrong account".into()));
        check(
            r#"login_res failed {"reason":"wrong\u0020account"}"#,
            Some(Inbound::LoginRet(refused)),
        );
        // The SDK crashes on fewer words, or on a space in the JSON.
        check(r#"login_res {"reason":"x"}"#, None);
        check(r#"login_res failed {"reason":"wrong account"}"#, None);
        check("line_login_res ok", Some(Inbound::Resumed("ok".into())));
        check("line_login_res kick", Some(Inbound::Resumed("kick".into())));
        check("line_pong:7", Some(Inbound::Pong));
        check("line_pong:x", None);
        check(
            r#"call_ret f 7 0 {"result":"ok","a":"b c"}"#,
            Some(Inbound::CallRet(7, reply(r#"{"result":"ok","a":"b c"}"#))),
        );
        check("call_ret f 7 0 []", None);
        check("call_ret f 7 {}", None);
    }

    #[test]
    fn notifications() {
        let line = || "msg-v2 a b f instant 1 hi there".into();
        check("notify msg 7", Some(Inbound::Notify(Notice::Hint(7))));
        check(
            r#"notify recvmsg [3,"msg-v2 a b f instant 1 hi there"]"#,
            Some(Inbound::Notify(Notice::Mailbox(3, line()))),
        );
        check(
            "notify channel2 5 msg-v2 a b f instant 1 hi there",
            Some(Inbound::Notify(Notice::Channel(Some(5), line()))),
        );
        check(
            "notify channel msg-v2 a b f instant 1 hi there",
            Some(Inbound::Notify(Notice::Channel(None, line()))),
        );
        for word in ["kick", "TokenErrorExpired", "outofsync"] {
            check(&format!("notify {word}"), Some(Inbound::Other(word.into())));
        }
        check("notify wrong_line", Some(Inbound::Other("kick".into())));
        for line in ["notify", "notify msg", "notify msg x", "notify odd x", "odd x", ""] {
            check(line, None);
        }
    }
}
