//! Bodies of HTTP requests that this program makes, and of their answers: RTM's RESTful API, webhooks, signatures.

use hyper::StatusCode;
use identity::Account;
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{AppId, ChannelId, UserId};
use secrecy::SecretString;
use sigbridge::upstream::rest::{ChannelMessage, Outcome};
use sigbridge::webhook::signature::{SuppliedSignatures, v1, v2, verify};
use sigbridge::webhook::{Notice, TraceEvent, User};

use super::{selected, text};

/// The first byte selects the reader or writer.
pub fn bodies(data: &[u8]) {
    let (choice, rest) = selected(data);
    match choice % 4 {
        0 => answer(rest),
        1 => message(&text(rest)),
        2 => notice(choice / 4, &text(rest)),
        _ => signatures(rest),
    }
}

/// Two bytes of status, and the body. Only an object with a status of success means that a message was sent.
fn answer(data: &[u8]) {
    let Some((status, body)) = data.split_at_checked(2) else {
        return;
    };
    let status = 100 + u16::from_be_bytes([status[0], status[1]]) % 900;
    let status = StatusCode::from_u16(status).expect("100 to 999");
    let outcome = Outcome::of(status, body);
    assert_eq!(outcome.result().is_ok(), outcome == Outcome::Sent);
    if outcome == Outcome::Sent {
        assert!(status.is_success(), "{status}");
        assert_eq!(body.trim_ascii_start().first(), Some(&b'{'));
    }
}

/// Lines of app, user, channel; the rest is the payload. No name changes the path or another member of the body.
fn message(text: &str) {
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (app, user, channel, payload) = (next(), next(), next(), next());
    let (Ok(app), Ok(user), Ok(channel)) = (AppId::new(app), UserId::new(user), ChannelId::new(channel)) else {
        return;
    };
    let message = ChannelMessage {
        user,
        channel: channel.clone(),
        payload: payload.into(),
    };
    let Some((path, body)) = message.parts(&app) else {
        return;
    };
    let steps: Vec<&str> = path.split('/').collect();
    let [_, _, "rtm", "users", _, "channel_messages"] = steps[..] else {
        panic!("{path}");
    };
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "/%-._~".contains(c);
    assert!(path.chars().all(is_legal), "{path}");
    let body = Value::from_json(&body).expect("JSON");
    let member = |name: &str| body.get(name).and_then(Value::as_text).map(|text| &**text);
    assert_eq!(
        (member("channel_name"), member("payload")),
        (Some(channel.as_str()), Some(payload))
    );
}

/// Lines of app, account, channel, reason. The body is one line of JSON with the same texts.
fn notice(choice: u8, text: &str) {
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (app, account, channel, reason) = (next(), next(), next(), next());
    let (Ok(app), Ok(account)) = (AppId::new(app), Account::new(account)) else {
        return;
    };
    let user = User {
        app,
        account: account.clone(),
        session: u64::MAX,
    };
    let (about, reason): (Text, Text) = (channel.into(), reason.into());
    let event = match choice % 3 {
        0 => TraceEvent::LoggedIn { user },
        1 => TraceEvent::Joined { user, channel: about },
        _ => TraceEvent::Undeliverable {
            user,
            about: Some(about),
            reason,
        },
    };
    let body = Notice::new(event, Time::from_millis(1)).body(9001, Time::from_millis(2));
    assert!(!body.contains('\n'), "{body}");
    let payload = Value::from_json(&body)
        .expect("JSON")
        .get("payload")
        .cloned()
        .expect("a payload");
    let member = |name: &str| payload.get(name).and_then(Value::as_text).map(|text| &**text);
    assert_eq!(member("account"), Some(account.as_str()));
    match choice % 3 {
        0 => {}
        1 => assert_eq!(member("channel"), Some(channel)),
        _ => assert_eq!(member("about"), Some(channel)),
    }
}

/// A line of a signature, and the body. Only its own signature is valid.
fn signatures(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (given, body) = (text(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let secret = SecretString::from("webhook secret");
    let is_valid = |v1: Option<&str>, v2: Option<&str>| verify(&secret, body, SuppliedSignatures { v1, v2 });
    let own = (v1(&secret, body), v2(&secret, body));
    assert!(is_valid(Some(&own.0), None) && is_valid(None, Some(&own.1)));
    assert_eq!(is_valid(Some(&given), None), given == own.0);
    assert_eq!(is_valid(None, Some(&given)), given == own.1);
    assert_eq!(
        is_valid(Some(&own.0), Some(&given)),
        given == own.1,
        "the stronger one decides"
    );
    assert!(!is_valid(None, None));
}
