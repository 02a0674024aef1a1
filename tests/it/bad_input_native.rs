//! Input that breaks the native wire's rules, over sockets: the sender's answer, and no effect on other clients.

#[path = "bad_input/native_cases.rs"]
mod cases;

use std::time::Duration;

use crate::bad_input::fill;
use crate::support::{Client, RawNative, config, counter, deflated, eventually, packet, serve, with_header};
use cases::{AFTER_LOGIN, BEFORE_LOGIN, Case, Gets};
use serde_json::{Value, json};
use sigbridge::config::Config;
use sigbridge::startup::Running;

#[tokio::test]
async fn lines_before_the_login() {
    let mut hall = Harness::open().await;
    for zlib in [false, true] {
        for case in BEFORE_LOGIN {
            // Deflated it is short.
            if zlib && case.2 == "packet too large" {
                continue;
            }
            let mut client = RawNative::connect(hall.addr).await;
            client.zlib = zlib;
            hall.check(case, client).await;
        }
    }
}

#[tokio::test]
async fn lines_after_the_login() {
    let mut hall = Harness::open().await;
    for (i, case) in AFTER_LOGIN.iter().enumerate() {
        let mut client = RawNative::login(hall.addr, &format!("mallory{i}")).await;
        client.zlib = i % 2 == 1;
        hall.check(case, client).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_packets() {
    let mut hall = Harness::open().await;
    let line = br#"login {"vid":"app","account":"mallory","token":""}"#;
    let whole = deflated(line);
    let zeros = deflated(&vec![b' '; 8 << 20]);
    let just_over = deflated(&vec![b' '; 65_537]);
    let z = |body: &[u8]| with_header(0x81, body.len() + 4, body);
    for (what, bytes, counted) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "wrong header"),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1], "wrong header"),
        ("zeros", vec![0; 64], "wrong header"),
        ("another flag", with_header(0x82, line.len() + 4, line), "wrong header"),
        ("no flag", with_header(0x00, line.len() + 4, line), "wrong header"),
        ("length 0", with_header(0x80, 0, line), "packet too short"),
        ("length 3", with_header(0x81, 3, line), "packet too short"),
        ("length 65537", with_header(0x80, 65_537, b""), "packet too large"),
        ("length 16 MiB", with_header(0x81, 0xff_ffff, b""), "packet too large"),
        ("zlib of nothing", z(b""), "bad zlib"),
        ("no zlib", z(line), "bad zlib"),
        ("half of it", z(&whole[..whole.len() / 2]), "bad zlib"),
        (
            "a wrong sum",
            z(&[&whole[..whole.len() - 1], b"\0"].concat()),
            "bad zlib",
        ),
        ("two streams", z(&[&*whole, &*whole].concat()), "bytes after zlib"),
        ("a bomb", z(&zeros), "zlib bomb"),
        ("a small bomb", z(&just_over), "zlib bomb"),
        ("not UTF-8", packet(b"login \xff", false), "not UTF-8"),
        ("not UTF-8, deflated", packet(b"login \xff", true), "not UTF-8"),
    ] {
        for logged_in in [false, true] {
            let before = hall.counted(counted);
            let mut client = RawNative::connect(hall.addr).await;
            if logged_in {
                client.log_in("mallory", "").await;
            }
            client.send(&bytes).await;
            if logged_in {
                assert_eq!(client.next().await.as_deref(), Some("notify outofsync"), "{what}");
            }
            assert_eq!(client.next().await, None, "{what}");
            assert_eq!(hall.counted(counted), before + 1, "{what}");
            hall.nothing_moved(what).await;
        }
    }
}

#[tokio::test]
async fn packets_that_end_too_early() {
    let mut hall = Harness::open().await;
    let whole = packet(b"line_ping:1", true);
    for length in 1..whole.len() {
        let before = hall.counted("truncated");
        let mut client = RawNative::connect(hall.addr).await;
        client.send(&whole[..length]).await;
        client.finish().await;
        assert_eq!(client.next().await, None, "{length}");
        assert_eq!(hall.counted("truncated"), before + 1, "{length}");
    }
    hall.nothing_moved("truncated packets").await;
}

#[tokio::test]
async fn no_login_in_time() {
    let mut config = unlimited();
    config.session.login_timeout = Duration::from_millis(300);
    let mut hall = Harness::open_with(config).await;
    let mut silent = RawNative::connect(hall.addr).await;
    let mut pinging = RawNative::connect(hall.addr).await;
    let mut slow = RawNative::connect(hall.addr).await;
    slow.send(&[0x80, 0, 0]).await;
    pinging.send_line("line_ping:1").await;
    assert_eq!(pinging.next().await.as_deref(), Some("line_pong:1"));
    for client in [&mut silent, &mut pinging, &mut slow] {
        assert_eq!(client.next().await, None, "neither a ping nor a part is a login");
    }
    assert_eq!(hall.counted("no login"), 3);
    hall.nothing_moved("the others have logged in").await;
}

#[tokio::test]
async fn logins_in_pieces_and_across_each_other() {
    let mut hall = Harness::open().await;
    let login = |account: &str, zlib| {
        let fields = json!({"vid": "app", "account": account, "token": ""});
        packet(format!("login {fields}").as_bytes(), zlib)
    };
    let packets = [login("one", false), login("two", true)];
    let mut clients = [RawNative::connect(hall.addr).await, RawNative::connect(hall.addr).await];
    for at in 0..packets.iter().map(Vec::len).max().unwrap_or(0) {
        for (client, packet) in clients.iter_mut().zip(&packets) {
            client.send(packet.get(at..=at).unwrap_or_default()).await;
        }
    }
    for client in &mut clients {
        client.matching("login_res ok ").await;
    }
    // Several in one write.
    let mut client = RawNative::connect(hall.addr).await;
    let pings: Vec<u8> = (0..5)
        .flat_map(|n| packet(format!("line_ping:{n}").as_bytes(), n % 2 == 0))
        .collect();
    client.send(&[login("three", true), pings].concat()).await;
    client.matching("login_res ok ").await;
    for n in 0..5 {
        client.matching(&format!("line_pong:{n}")).await;
    }
    hall.nothing_moved("logins").await;
}

#[tokio::test]
async fn a_blocked_client_does_not_delay_others() {
    let mut config = unlimited();
    config.limits.outbound_bytes = 64 * 1024;
    let mut hall = Harness::open_with(config).await;
    let mut slow = RawNative::connect_with(hall.addr, Some(4 * 1024)).await;
    slow.log_in("slow", "").await;
    for client in [&mut slow, &mut hall.bystander] {
        client.call("channel_join", json!({"name": "room"})).await;
    }
    // Text that deflates badly, so that the system's buffers become full.
    let mut noise = 1_u64;
    let mut letters = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (noise >> 33) as u8 % 90)
    };
    let closed = |running: &Running| {
        counter(
            running,
            "sigbridge_dropped_total{what=\"frames of a slow client\",intentional=\"false\"}",
        ) > 0
    };
    let mut sent = 0;
    while !closed(&hall.running) {
        assert!(sent < 4_000, "the slow one is never closed");
        let text: String = (0..7_000).map(|_| letters()).collect();
        let reply = hall
            .bystander
            .call("channel_sendmsg", json!({"name": "room", "msg": text}))
            .await;
        assert_eq!(reply, json!({"result": "ok"}));
        let echo = hall.bystander.matching("notify channel2 ").await;
        assert!(
            echo.contains(" channel_msg ") || echo.contains(" channel_user_join "),
            "{echo:.80}"
        );
        sent += 1;
    }
    eventually("its socket is closed", || {
        hall.running.server.metrics.sockets.get() == 2
    })
    .await;
    hall.nothing_moved("a slow client").await;
}

fn unlimited() -> Config {
    let mut config = config();
    config.limits.messages_per_second = 0;
    config.limits.channel_messages_per_second = 0;
    // RTM's own rates are not what this is about.
    config.embedded.rate_scale = 0;
    config
}

/// A server, and two sessions that have nothing to do with the bad input: a native one and a Web one.
struct Harness {
    running: Running,
    addr: std::net::SocketAddr,
    bystander: RawNative,
    speaker: Client,
}

impl Harness {
    async fn open() -> Self {
        Self::open_with(unlimited()).await
    }

    async fn open_with(config: Config) -> Self {
        let running = serve(config).await;
        let addr = running.tcp.expect("a port for native clients");
        Self {
            bystander: RawNative::login(addr, "bystander").await,
            speaker: Client::login(running.http, "speaker").await,
            running,
            addr,
        }
    }

    /// Sends a case's line from a client and looks at what it gets.
    async fn check(&mut self, (input, gets, counted): &Case, mut client: RawNative) {
        let before = self.counted(counted);
        let line = self.filled(input, &client);
        client.send_line(&line).await;
        let function = input.split(' ').nth(1).unwrap_or_default();
        match *gets {
            Gets::End => {
                if !client.line.is_empty() {
                    assert_eq!(client.next().await.as_deref(), Some("notify outofsync"), "{input}");
                }
                assert_eq!(client.next().await, None, "{input}");
            }
            Gets::Nothing => {}
            Gets::Own(reason) => assert_eq!(client.reply(function, 1).await, own(reason), "{input}"),
            Gets::Invoked(reason) => {
                let mut failed = own(reason);
                failed["data"] = json!({"result": reason});
                assert_eq!(client.reply(function, 1).await, failed, "{input}");
            }
        }
        if !matches!(gets, Gets::End) {
            client.send_line("line_ping:5").await;
            assert_eq!(
                client.next().await.as_deref(),
                Some("line_pong:5"),
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
        assert_eq!(sent.json, json!({"result": "ok"}), "{after}");
        let emitted = self.bystander.matching("notify recvmsg ").await;
        let pair: Value = serde_json::from_str(&emitted["notify recvmsg ".len()..]).expect("a version and a line");
        assert!(pair[1].as_str().is_some_and(|line| line.ends_with(after)), "{emitted}");
        let args = json!({"ver_clear": pair[0], "max": 30});
        let cleared = self.bystander.call("user_getmsg", args).await;
        assert_eq!(
            (&cleared["ver_clear"], &cleared["msgs"]),
            (&pair[0], &json!([])),
            "{after}"
        );
        assert_eq!(self.bystander.within(Duration::ZERO).await, None, "{after}");
    }

    fn filled(&self, input: &str, client: &RawNative) -> String {
        fill(input, &client.line, &self.bystander.line)
    }

    fn counted(&self, reason: &str) -> u64 {
        counter(
            &self.running,
            &format!("sigbridge_bad_frames_total{{reason=\"{reason}\"}}"),
        )
    }
}

fn own(reason: &str) -> Value {
    json!({"result": "failed", "reason": reason})
}
