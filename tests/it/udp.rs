//! The UDP of native clients over real sockets: discovery, bad input to it, and reports.

use std::io::Write;
use std::net::SocketAddr;

use crate::support::{PATIENCE, QUIET, config, counter, eventually, serve};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sigbridge::config::HostPort;
use sigbridge::startup::Running;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const QUESTION: &str = r#"getaddr {"appid":"0123456789abcdef0123456789abcdef"}"#;
const ANSWER: &str = concat!(
    r#"ok {"http":[],"tcp":[["bridge.example.com",8003],["bridge.example.com",8003],["bridge.example.com",8003],"#,
    r#"["bridge.example.com",8003],["bridge.example.com",8003],["bridge.example.com",8003]]}"#,
);

#[tokio::test]
async fn native_lookups_are_answered() {
    let running = advertising("bridge.example.com").await;
    assert_eq!(running.udp.len(), 2);
    for addr in &running.udp {
        let requester = UdpClient::new().await;
        requester.send(*addr, &zlib(QUESTION.as_bytes())).await;
        assert_eq!(requester.answer().await, ANSWER);
        let with_ip = r#"getaddr {"appid":"f3b1c09a7e5d4f12a9c0d2e4b6788102","ip":"192.168.1.23"}"#;
        requester.send(*addr, &zlib(with_ip.as_bytes())).await;
        assert_eq!(requester.answer().await, ANSWER);
    }
}

#[tokio::test]
async fn garbage_gets_no_answer_and_is_counted() {
    let running = advertising("bridge.example.com").await;
    let addr = running.udp[0];
    let requester = UdpClient::new().await;
    for (what, datagram, reason) in [
        ("nothing", vec![], "UDP bad zlib"),
        ("no zlib", QUESTION.as_bytes().to_vec(), "UDP bad zlib"),
        (
            "half a stream",
            zlib(QUESTION.as_bytes())[..30].to_vec(),
            "UDP bad zlib",
        ),
        (
            "bytes behind the stream",
            [zlib(QUESTION.as_bytes()), vec![0; 100]].concat(),
            "UDP bad zlib",
        ),
        // A legal stream, but longer than what is read.
        ("a large datagram", zlib(&noise(9_000)), "UDP bad zlib"),
        ("a bomb", zlib(&vec![b' '; 1 << 20]), "UDP zlib bomb"),
        ("another word", zlib(b"getname {}"), "UDP no question"),
        ("no object", zlib(b"getaddr 7"), "UDP no question"),
        ("an answer", zlib(ANSWER.as_bytes()), "UDP no question"),
    ] {
        let before = bad(&running, reason);
        requester.send(addr, &datagram).await;
        eventually(what, || bad(&running, reason) == before + 1).await;
    }
    // The next datagram is the answer to this one: none before it was answered, and service continues.
    requester.send(addr, &zlib(QUESTION.as_bytes())).await;
    assert_eq!(requester.answer().await, ANSWER);
    assert!(requester.is_quiet().await);
}

#[tokio::test]
async fn no_answer_is_longer_than_three_questions() {
    // Names of hosts do not deflate well.
    let host: String = noise(250).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let running = advertising(&host).await;
    let addr = running.udp[0];
    let requester = UdpClient::new().await;
    requester.send(addr, &zlib(QUESTION.as_bytes())).await;
    eventually("it is counted", || bad(&running, "UDP question too short") == 1).await;
    let mut long: String = noise(250).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    long.insert_str(0, r#"getaddr {"appid":""#);
    long.push_str(r#""}"#);
    let question = zlib(long.as_bytes());
    requester.send(addr, &question).await;
    let (answer, length) = requester.receive().await;
    // Once, where the answer is long as it is.
    assert_eq!(answer, format!(r#"ok {{"http":[],"tcp":[["{host}",8003]]}}"#));
    assert!(length <= 3 * question.len(), "{length}");
    assert!(requester.is_quiet().await);
}

#[tokio::test]
async fn a_source_is_answered_twenty_times_a_second() {
    let running = advertising("bridge.example.com").await;
    let question = zlib(QUESTION.as_bytes());
    // The source is the address: another port or the other socket of the server is no other.
    let (first, second) = (UdpClient::new().await, UdpClient::new().await);
    let other = UdpClient::at("127.0.0.2:0").await;
    for i in 0..30 {
        let requester = if i % 3 == 0 { &second } else { &first };
        requester.send(running.udp[i % 2], &question).await;
    }
    let over = || {
        let name = "sigbridge_dropped_total{what=\"UDP questions over the rate\",intentional=\"true\"}";
        counter(&running, name)
    };
    eventually("ten are dropped", || over() == 10).await;
    other.send(running.udp[0], &question).await;
    assert_eq!(other.answer().await, ANSWER, "another source has its own rate");
    let mut answers = 0;
    for requester in [&first, &second] {
        while !requester.is_quiet().await {
            answers += 1;
        }
    }
    assert_eq!((answers, over()), (20, 10));
}

#[tokio::test]
async fn reports_are_swallowed() {
    let mut config = config();
    config.listen.reports = Some("127.0.0.1:0".parse().expect("an address"));
    let running = serve(config).await;
    let addr = running.reports.expect("it is in the config");
    let counted = || {
        let text = running.server.metrics.text();
        let is_counter = |line: &&str| line.starts_with("sigbridge_bad") || line.starts_with("sigbridge_dropped");
        text.lines().filter(is_counter).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = counted();
    let requester = UdpClient::new().await;
    for report in [&zlib(br#"{"key":"secret"}"#)[..], b"", b"x", &noise(9_000)] {
        requester.send(addr, report).await;
    }
    assert!(requester.is_quiet().await);
    assert_eq!(counted(), before);
}

#[tokio::test]
async fn a_sidecar_without_native_clients_does_not_answer() {
    let mut config = config();
    config.listen.tcp = None;
    assert_eq!(serve(config).await.udp, []);
    let mut config = self::config();
    config.listen.udp.clear();
    assert_eq!(serve(config).await.udp, []);
}

/// A server that sends native clients to a host.
async fn advertising(host: &str) -> Running {
    let mut config = config();
    config.discovery.advertise_tcp = Some(HostPort {
        host: host.into(),
        port: 8003,
    });
    serve(config).await
}

fn bad(running: &Running, reason: &str) -> u64 {
    counter(running, &format!("sigbridge_bad_frames_total{{reason=\"{reason}\"}}"))
}

/// A socket of a native client.
struct UdpClient(UdpSocket);

impl UdpClient {
    async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    async fn at(addr: &str) -> Self {
        Self(UdpSocket::bind(addr).await.expect("an address of this machine"))
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        self.0.send_to(datagram, to).await.expect("it fits a datagram");
    }

    async fn answer(&self) -> String {
        self.receive().await.0
    }

    /// The next answer, and its length as a datagram.
    async fn receive(&self) -> (String, usize) {
        let mut datagram = [0; 4_096];
        let received = timeout(PATIENCE, self.0.recv(&mut datagram)).await;
        let length = received.expect("no answer came").expect("a live socket");
        let text = std::io::read_to_string(ZlibDecoder::new(&datagram[..length]));
        (text.expect("a zlib stream of text"), length)
    }

    /// Returns true if no packet arrives.
    async fn is_quiet(&self) -> bool {
        timeout(QUIET, self.0.recv(&mut [0; 4_096])).await.is_err()
    }
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(text).expect("writing to a Vec cannot fail");
    deflated.finish().expect("writing to a Vec cannot fail")
}

/// Bytes that do not deflate, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}
