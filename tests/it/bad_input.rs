//! Input that breaks the Web wire's rules, over sockets: the sender's answer, and no effect on other clients.

mod cases;

use std::time::Duration;

use crate::support::{Client, Got, QUIET, Reply, config, counter, notified, serve, text};
use cases::{AFTER_LOGIN, BEFORE_LOGIN, Case, Gets};
use serde_json::json;
use sigbridge::config::OverRate;
use sigbridge::startup::Running;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

#[tokio::test]
async fn before_the_login() {
    let mut hall = Harness::open().await;
    for case in BEFORE_LOGIN {
        let client = Client::connect(hall.running.http).await;
        hall.check(case, client).await;
    }
}

#[tokio::test]
async fn after_the_login() {
    let mut hall = Harness::open().await;
    for (i, case) in AFTER_LOGIN.iter().enumerate() {
        let client = Client::login(hall.running.http, &format!("mallory{i}")).await;
        hall.check(case, client).await;
    }
}

#[tokio::test]
async fn frames_that_are_no_text() {
    let mut hall = Harness::open().await;
    let text = |payload: Vec<u8>, last| Message::Frame(Frame::message(payload, OpCode::Data(Data::Text), last));
    let more = |payload: Vec<u8>| Message::Frame(Frame::message(payload, OpCode::Data(Data::Continue), true));
    let binary = Message::binary(br#"["ping",1]"#.to_vec());
    for (what, frames, code, counted) in [
        ("binary", vec![binary], 1003, "binary"),
        ("not UTF-8", vec![text(vec![b'[', 0xff, b']'], true)], 1007, "not UTF-8"),
        (
            "too large in pieces",
            vec![text(vec![b' '; 40_000], false), more(vec![b' '; 40_000])],
            1009,
            "frame too large",
        ),
    ] {
        let before = hall.counted(counted);
        let mut client = Client::login(hall.running.http, &format!("mallory-{code}")).await;
        for frame in frames {
            client.send_raw(frame).await;
        }
        assert_eq!(client.next().await, Got::Frame(json!(["close", ""])), "{what}");
        assert_eq!(client.next().await, Got::Closed(Some(code)), "{what}");
        assert_eq!(hall.counted(counted), before + 1, "{what}");
        hall.nothing_moved(what).await;
    }
}

#[tokio::test]
async fn no_login_in_time() {
    let mut config = config();
    config.session.login_timeout = Duration::from_millis(300);
    let mut hall = Harness::open_with(config).await;
    let mut silent = Client::connect(hall.running.http).await;
    let mut pinging = Client::connect(hall.running.http).await;
    pinging.send(json!(["ping", 1])).await;
    assert_eq!(pinging.frame("pong").await, 1);
    assert_eq!(silent.next().await, Got::Closed(Some(1008)));
    assert_eq!(pinging.next().await, Got::Closed(Some(1008)), "a ping is no login");
    assert_eq!(hall.counted("no login"), 2);
    hall.nothing_moved("the others have logged in").await;
}

#[tokio::test]
async fn illegal_accounts_do_not_log_in() {
    let mut hall = Harness::open().await;
    let long = format!("\"{}\"", "x".repeat(129));
    for account in [
        r#""""#,
        r#""a b""#,
        &long,
        "null",
        "{}",
        r#""~r.Ym9iIGI""#,
        // Half an emoji: what is left of it may be another's.
        r#""al\ud83d""#,
    ] {
        let mut client = Client::connect(hall.running.http).await;
        let login = format!(r#"["login",{{"vid":"app","account":{account},"token":""}}]"#);
        client.send_raw(Message::text(login)).await;
        assert_eq!(client.login_ret().await, own("wrong account"), "{account}");
        // The client has to close the socket: 1.1.2 reports a logout when the server does.
        assert_eq!(client.within(QUIET).await, None, "{account}");
        client.send(json!(["ping", 5])).await;
        assert_eq!(client.next().await, Got::Frame(json!(["pong", 5])), "{account}");
        assert_eq!(
            client.call("channel_join", json!({"name": "r"})).await,
            own("not login")
        );
        hall.nothing_moved("an illegal account").await;
    }
}

#[tokio::test]
async fn a_refused_login_has_no_more_time_than_one_that_never_came() {
    let mut config = config();
    config.session.login_timeout = Duration::from_millis(300);
    let mut hall = Harness::open_with(config).await;
    for (device, stays) in [("websdk", true), ("javasdk", false)] {
        let mut client = Client::connect(hall.running.http).await;
        let login = json!(["login", {"vid": "app", "account": "a b", "token": "", "device": device}]);
        client.send(login).await;
        let start = Instant::now();
        assert_eq!(client.login_ret().await, own("wrong account"), "{device}");
        assert_eq!(client.next().await, Got::Closed(Some(1000)), "{device}");
        assert_eq!(start.elapsed() > Duration::from_millis(200), stays, "{device}");
    }
    assert_eq!(hall.counted("no login"), 0);
    hall.nothing_moved("refused logins").await;
}

#[tokio::test]
async fn over_the_rate() {
    for (policy, third, dropped) in [(OverRate::Fail, own("too often"), 0), (OverRate::Discard, ok(), 1)] {
        let mut config = config();
        config.limits.messages_per_second = 2;
        config.policy.over_rate = policy;
        let mut hall = Harness::open_with(config).await;
        let mut client = Client::login(hall.running.http, "mallory").await;
        let mut calls = Vec::new();
        for content in ["1", "2", "3"] {
            let args = json!({"peer": "bystander", "content": content});
            calls.push(client.send_call("user_sendmsg", args).await);
        }
        let mut replies = Vec::new();
        for call in calls {
            replies.push(client.reply(call).await);
        }
        assert_eq!(replies, [ok(), ok(), third], "{policy:?}");
        assert_eq!(hall.dropped("messages over the rate"), dropped, "{policy:?}");
        for content in ["1", "2"] {
            assert_eq!(hall.received().await, content, "{policy:?}");
        }
        // The next message is this one: the third went nowhere.
        hall.nothing_moved("only one is over the rate").await;
    }
}

/// A server, and two sessions that have nothing to do with the bad input.
struct Harness {
    running: Running,
    bystander: Client,
    speaker: Client,
}

impl Harness {
    async fn open() -> Self {
        let mut config = config();
        config.limits.messages_per_second = 0;
        config.limits.channel_messages_per_second = 0;
        Self::open_with(config).await
    }

    async fn open_with(mut config: sigbridge::config::Config) -> Self {
        // RTM's own rates are not what this is about.
        config.embedded.rate_scale = 0;
        let running = serve(config).await;
        let mut bystander = Client::login(running.http, "bystander").await;
        let speaker = Client::login(running.http, "speaker").await;
        assert_eq!(bystander.poll(0).await, (0, vec![]));
        Self {
            running,
            bystander,
            speaker,
        }
    }

    /// Sends a case's input from a client and looks at what it gets.
    async fn check(&mut self, (input, gets, counted): &Case, mut client: Client) {
        let before = self.counted(counted);
        let text = self.filled(input, &client);
        client.send_raw(Message::text(text)).await;
        let failed = match *gets {
            Gets::Closed(code) => {
                // A client with a login gets the close frames of its SDK.
                if !client.line.is_empty() {
                    assert_eq!(client.next().await, Got::Frame(json!(["close", ""])), "{input}");
                }
                assert_eq!(client.next().await, Got::Closed(Some(code)), "{input}");
                None
            }
            Gets::Nothing => None,
            Gets::Own(reason) => Some(own(reason)),
            Gets::Invoked(reason) => Some(Reply {
                err: String::new(),
                json: json!({"result": "failed", "reason": reason, "data": {"result": reason}}),
            }),
            Gets::Invitation(reason) => Some(Reply {
                err: json!({"reason": reason}).to_string(),
                json: json!({"result": "failed", "reason": reason}),
            }),
        };
        if let Some(failed) = failed {
            assert_eq!(client.reply(1).await, failed, "{input}");
        }
        if !matches!(gets, Gets::Closed(_)) {
            client.send(json!(["ping", 5])).await;
            assert_eq!(
                client.next().await,
                Got::Frame(json!(["pong", 5])),
                "{input}: no more than that"
            );
        }
        assert_eq!(self.counted(counted), before + 1, "{input} is counted");
        self.nothing_moved(input).await;
    }

    /// Checks that the bystander gets its messages, and answers to its calls.
    async fn nothing_moved(&mut self, after: &str) {
        let sent = self
            .speaker
            .call("user_sendmsg", json!({"peer": "bystander", "content": after}))
            .await;
        assert_eq!(sent, ok(), "{after}");
        assert_eq!(self.received().await, after);
        let args = json!({"channel": "hall", "name": "after", "value": after.len()});
        assert_eq!(self.bystander.call("channel_set_attr", args).await, ok(), "{after}");
    }

    /// Receives a text as the bystander, and acknowledges it.
    async fn received(&mut self) -> String {
        let (kind, version, line) = notified(&self.bystander.frame("notify").await);
        assert_eq!(kind, "recvmsg");
        assert_eq!(self.bystander.poll(version).await.0, version);
        text(&line).to_owned()
    }

    fn filled(&self, input: &str, client: &Client) -> String {
        fill(input, &client.line, &self.bystander.line)
    }

    fn counted(&self, reason: &str) -> u64 {
        counter(
            &self.running,
            &format!("sigbridge_bad_frames_total{{reason=\"{reason}\"}}"),
        )
    }

    fn dropped(&self, what: &str) -> u64 {
        counter(
            &self.running,
            &format!("sigbridge_dropped_total{{what=\"{what}\",intentional=\"true\"}}"),
        )
    }
}

fn ok() -> Reply {
    Reply {
        err: String::new(),
        json: json!({"result": "ok"}),
    }
}

fn own(reason: &str) -> Reply {
    Reply {
        err: reason.to_owned(),
        json: json!({"result": "failed", "reason": reason}),
    }
}

/// Returns an input with its placeholders filled: `$line` of the sender, `$other` of the bystander, `$forged`, and `$xN` for N bytes.
pub fn fill(input: &str, line: &str, other: &str) -> String {
    let mut forged = line.to_owned();
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    let mut text = input
        .replace("$line", line)
        .replace("$other", other)
        .replace("$forged", &forged);
    for length in [129, 8_097, 8_193, 65_000, 65_533, 65_537] {
        text = text.replace(&format!("$x{length}"), &"x".repeat(length));
    }
    assert!(!text.contains('$'), "unknown placeholder in {text}");
    text
}
