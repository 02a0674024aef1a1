//! Arbitrary bytes at each address: the connection ends with its client, and no client is admitted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::case::{Case, seeds};
use super::target::{Addresses, SECRET, Target};
use crate::support::invent::{argument, changed, changes, json, mutated};
use crate::support::{PATIENCE, deflated, packet, with_header};

#[test]
fn websocket_bytes() {
    Target::start("websocket", |_| "").check("websocket", 64, websocket(), async |addr, case| {
        exchange(addr.http, case).await.map(drop)
    });
}

#[test]
fn native_bytes() {
    Target::start("packets", |_| "").check("packets", 64, packets(), async |addr, case| {
        exchange(addr.tcp, case).await.map(drop)
    });
}

#[test]
fn http_requests() {
    Target::start("http", |_| "").check("http", 96, http(CLIENT_PATHS), async |addr, case| {
        exchange(addr.http, case).await.map(drop)
    });
}

#[test]
fn admin_requests() {
    Target::start("admin", |_| "").check("http", 96, http(ADMIN_PATHS), async |addr, case| {
        exchange(addr.admin, case).await.map(drop)
    });
}

#[test]
fn tls_hellos() {
    let certified = |folder: &std::path::Path| {
        crate::tls::dev_cert(folder, &[]);
        "[tls]\ncertificate = 'certs/cert.pem'\nkey = 'certs/key.pem'\n"
    };
    let target = Target::start("tls", certified);
    let folder = target.folder().to_owned();
    target.check("tls", 96, tls(), async |addr, case| {
        exchange(addr.http, case).await?;
        if case.0.len() % 4 == 0 {
            crate::tls::connected(&folder, addr.http).await;
        }
        Ok(())
    });
}

#[test]
fn links_of_agents() {
    Target::start("agents", |_| "").check("link", 48, link(), async |addr, case| {
        probe_port(addr.agents, case).await
    });
}

#[test]
fn links_of_users() {
    Target::start("users", |_| "").check("link", 48, link(), async |addr, case| {
        probe_port(addr.users, case).await
    });
}

#[test]
fn datagrams() {
    Target::start("udp", |_| "").check("udp", 64, udp(), request);
}

/// Sends the pieces on a connection, then its end; what comes back until the other side ends it, too.
async fn exchange(to: SocketAddr, case: &Case) -> Result<Vec<u8>, String> {
    let mut stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let (mut read, mut write) = stream.split();
    let send = async {
        for piece in &case.0 {
            if write.write_all(piece).await.is_err() {
                break;
            }
        }
        let _ = write.shutdown().await;
    };
    let mut answer = Vec::new();
    // A connection that is reset has ended, too.
    let both = async { tokio::join!(send, read.read_to_end(&mut answer)) };
    match timeout(PATIENCE, both).await {
        Ok(_) => Ok(answer),
        Err(_) => Err("the connection does not end".to_owned()),
    }
}

/// The upgrade that WebSocket pieces begin with, to a path.
fn upgrade(path: &str, more: &str) -> Vec<u8> {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A WebSocket frame: its first byte, with or without a mask, and its payload.
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = match payload.len() {
        length @ 0..126 => vec![first, mask | length as u8],
        length @ 126..65_536 => [&[first, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
        length => [&[first, mask | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    // A mask of zeros is one.
    bytes.extend_from_slice(&[0; 4][..if masked { 4 } else { 0 }]);
    bytes.extend_from_slice(payload);
    bytes
}

/// A text frame of a client.
fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, true, payload)
}

fn websocket() -> impl Strategy<Value = Case> {
    let good = seeds("web");
    let login = r#"["login",{"vid":"app","account":"fuzz0","uid":0,"token":"","device":"websdk"}]"#;
    let whole = select(good.clone()).prop_map(|text| frame(0x81, true, &text));
    let odd =
        (select(good.clone()), any::<u8>(), any::<bool>()).prop_map(|(text, first, mask)| frame(first, mask, &text));
    let control = (select(&[0x88_u8, 0x89, 0x8a, 0x08, 0x09][..]), vec(any::<u8>(), 0..200))
        .prop_map(|(first, payload)| frame(first, true, &payload));
    let pieces = select(good.clone()).prop_map(|text| {
        let last = text.len().saturating_sub(1);
        let part =
            |(at, byte): (usize, &u8)| frame(u8::from(at == 0) | if at == last { 0x80 } else { 0 }, true, &[*byte]);
        text.iter().enumerate().flat_map(part).collect()
    });
    let lengths = &[0_u64, 125, 126, 65_535, 65_536, 65_537, 1 << 32, 1 << 63, u64::MAX][..];
    let length =
        select(lengths).prop_map(|length| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4], &[b'z'; 50]].concat());
    let deep = select(&[100_usize, 127, 128, 129, 5_000, 60_000][..]).prop_map(|depth| text(&b"[".repeat(depth)));
    let piece = prop_oneof![
        4 => mutated(good).prop_map(|bytes| text(&bytes)),
        2 => (whole.clone(), changes()).prop_map(|(bytes, changes)| changed(bytes, &changes)),
        2 => whole,
        2 => odd,
        1 => control,
        1 => pieces,
        1 => length,
        1 => deep,
        1 => vec(any::<u8>(), 0..100),
    ];
    let path = select(&["/", "/", "/", "/api", "/ws/?h=a&p=1"][..]);
    (path, any::<bool>(), vec(piece, 1..12)).prop_map(move |(path, logs_in, pieces)| {
        let mut all = vec![upgrade(path, "")];
        all.extend(logs_in.then(|| text(login.as_bytes())));
        all.extend(pieces);
        Case(all)
    })
}

fn packets() -> impl Strategy<Value = Case> {
    let good = seeds("native");
    let login = r#"login {"account":"fuzz1","device":"","ip":"","token":"","uid":0,"ver":1010300009,"vid":"app"}"#;
    let whole = (select(good.clone()), any::<bool>()).prop_map(|(line, zlib)| packet(&line, zlib));
    let lengths = &[0_usize, 1, 3, 4, 5, 65_535, 65_536, 65_537, 0xff_ffff][..];
    let header = (select(&[0x80_u8, 0x81, 0x82, 0][..]), select(lengths), 0_usize..20)
        .prop_map(|(kind, length, more)| with_header(kind, length, &vec![b'q'; more]));
    let bombs = vec![
        packet(&vec![0; 4 << 20], true),
        packet(&deflated(&br#"{"a":"#.repeat(12_000)), true),
        packet(&b"[".repeat(65_000), true),
        with_header(0x81, 54, &[&[0x78, 0x9c][..], &[0xa5; 48]].concat()),
    ];
    let piece = prop_oneof![
        3 => (whole.clone(), changes()).prop_map(|(bytes, changes)| changed(bytes, &changes)),
        2 => (mutated(good), any::<bool>()).prop_map(|(line, zlib)| packet(&line, zlib)),
        2 => (whole.clone(), any::<Index>()).prop_map(|(bytes, end)| bytes[..end.index(bytes.len())].to_vec()),
        1 => whole.prop_map(|bytes| bytes.repeat(100)),
        1 => header,
        1 => select(bombs),
        1 => vec(any::<u8>(), 0..200),
    ];
    (any::<bool>(), vec(piece, 1..6)).prop_map(move |(logs_in, pieces)| {
        let mut all: Vec<_> = logs_in.then(|| packet(login.as_bytes(), false)).into_iter().collect();
        all.extend(pieces);
        Case(all)
    })
}

const METHODS: &[&str] = &[
    "GET", "GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "CONNECT", "TRACE", "get", "G\0T", "",
];
const CLIENT_PATHS: &[&str] = &[
    "/",
    "/getaddr",
    "/getaddr?vid=app",
    "/1.4/getaddr",
    "/api",
    "/../getaddr",
    "http://127.0.0.1/getaddr",
    "*",
    "/getaddr#x",
    "//getaddr",
    "/%67etaddr",
    "/getaddr?vid=\0",
    "/\u{ff}",
    "",
];
const ADMIN_PATHS: &[&str] = &[
    "/",
    "/metrics",
    "/livez",
    "/readyz",
    "/healthz",
    "/coverage",
    "/doctor",
    "/doctor?app=",
    "/doctor?app=%ff%00",
    "/doctor?app=x&app=y",
    "/record/start",
    "/record/stop",
    "/record/../metrics",
    "",
];
const HEADERS: &[&str] = &[
    "Host: x",
    "Host: 127.0.0.1",
    "Host: x\r\nHost: y",
    "Content-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Content-Length: +5",
    "Content-Length: 5, 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\u{b}chunked",
    " folded: x",
    "X: a\r\n\tb",
    "Expect: 100-continue",
    "Connection: close, upgrade",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Key: ",
    "Origin: null",
    "Origin: https://evil.example",
    "Authorization: Bearer x",
    "X: \0",
    "X: \n y",
    ":",
    "X-Forwarded-For: 1.2.3.4",
];

fn http(paths: &'static [&'static str]) -> impl Strategy<Value = Case> {
    let version = select(&["1.1", "1.1", "1.1", "1.0", "2.0", "0.9", "x"][..]);
    let long = prop_oneof![8 => Just(0_usize), 1 => Just(3_000), 1 => Just(9_000), 1 => Just(100_000)];
    let headers = prop_oneof![8 => vec(select(HEADERS), 0..10), 1 => vec(select(HEADERS), 120)];
    let request =
        (select(METHODS), select(paths), long, version, headers).prop_map(|(method, path, long, version, headers)| {
            let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
            let request = format!("{method} {path}{} HTTP/{version}\r\n{lines}\r\n", "a".repeat(long));
            // As bytes of their own: `\u{ff}` is no UTF-8 then.
            request.chars().map(|c| c as u8).collect::<Vec<u8>>()
        });
    let inner = prop_oneof![4 => request, 1 => mutated(seeds("http"))];
    let before: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0\0\0\0\0\0",
    ];
    let behind: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b"0\r\n\r\nGET /getaddr HTTP/1.1\r\nHost: x\r\n\r\n",
        b"5\r\nhello\r\nFFFFFFFFFFFFFFFF\r\nx",
    ];
    let times = prop_oneof![8 => Just(1_usize), 1 => Just(2), 1 => Just(50)];
    let end = prop_oneof![4 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (select(before), inner, times, select(behind), end).prop_map(|(before, request, times, behind, end)| {
        let mut bytes = [before, &request.repeat(times)[..], behind].concat();
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        Case(vec![bytes])
    })
}

fn tls() -> impl Strategy<Value = Case> {
    let noise = vec(any::<u8>(), 0..300).prop_map(|noise| [&[0x16][..], &noise].concat());
    let long =
        (3_u8..4, 0_u8..5).prop_map(|(major, minor)| [&[0x16, major, minor, 0xff, 0xff][..], &[b'q'; 2_000]].concat());
    let piece = prop_oneof![3 => mutated(seeds("tls")), 1 => noise, 1 => long];
    vec(piece, 1..5).prop_map(Case)
}

/// Upgrades as agents make them; the first is right.
fn heads() -> Vec<Vec<u8>> {
    let bearer = format!("Authorization: Bearer {SECRET}\r\n");
    let short = &SECRET[..SECRET.len() - 1];
    [
        bearer.clone(),
        String::new(),
        format!("Authorization: Bearer {SECRET}x\r\n"),
        format!("Authorization: Bearer {short}\r\n"),
        format!("Authorization: Basic {SECRET}\r\n"),
        format!("{bearer}Origin: https://evil.example\r\n"),
        format!("Sec-WebSocket-Protocol: sigbridge.secret.{}\r\n", "A".repeat(3_000)),
    ]
    .iter()
    .map(|more| upgrade("/agent", more))
    .collect()
}

fn link() -> impl Strategy<Value = Case> {
    let hello = (json(), select(&["protocol", "agent", "user", "sdk", "platform", "limits", "received", "x"][..])).prop_map(
        |(value, key)| {
            format!(
                r#"{{"jsonrpc":"2.0","id":0,"method":"agent.hello","params":{{"protocol":1,"agent":"a1","sdk":"s","version":"1","platform":"web","limits":"web","{key}":{value}}}}}"#
            )
        },
    );
    let seq = (0_u64..40).prop_map(|seq| seq.to_string());
    let seq = prop_oneof![6 => seq, 1 => select(&["-1", "1000000000000", "null", "\"1\""][..]).prop_map(str::to_owned)];
    let id = select(&["0", "1", "2", "9007199254740992", "-1", "\"x\""][..]);
    let name = select(
        &[
            "createInstance",
            "login",
            "join",
            "release",
            "sendMessageToPeer",
            "sendMessage",
            "getMembers",
            "setLocalUserAttributes",
            "onMessageFromPeer",
            "onMemberJoined",
            "onConnectionStateChanged",
            "agent.dropped",
            "link.ack",
            "x",
        ][..],
    );
    let keys = select(
        &[
            "sessionId",
            "appId",
            "uid",
            "channelId",
            "peerId",
            "message",
            "attributes",
            "seq",
            "events",
        ][..],
    );
    let params = vec((keys, argument()), 0..5).prop_map(|entries| {
        let entries: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", entries.join(","))
    });
    let call = (seq.clone(), id, name, params).prop_map(|(seq, id, name, params)| {
        format!(r#"{{"jsonrpc":"2.0","seq":{seq},"id":{id},"method":"{name}","params":{params}}}"#)
    });
    let notice = (seq.clone(), name_of_event(), json()).prop_map(|(seq, name, params)| {
        format!(r#"{{"jsonrpc":"2.0","seq":{seq},"method":"{name}","params":{params}}}"#)
    });
    let answer = (seq, id_of_answer(), json())
        .prop_map(|(seq, id, result)| format!(r#"{{"jsonrpc":"2.0","seq":{seq},"id":{id},"result":{result}}}"#));
    let piece = prop_oneof![
        6 => call.prop_map(String::into_bytes),
        2 => notice.prop_map(String::into_bytes),
        2 => answer.prop_map(String::into_bytes),
        1 => mutated(seeds("link")),
        1 => Just(vec![b'x'; 300_000]),
    ];
    let head = prop_oneof![8 => Just(heads().remove(0)), 4 => select(heads())];
    (head, hello, vec(piece, 0..30)).prop_map(|(head, hello, pieces)| {
        let mut all = vec![head, hello.into_bytes()];
        all.extend(pieces);
        Case(all)
    })
}

fn name_of_event() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "onMessageFromPeer",
            "onMemberJoined",
            "onRemoteInvitationReceived",
            "link.ack",
            "agent.dropped",
        ][..],
    )
}

fn id_of_answer() -> impl Strategy<Value = u64> {
    0_u64..20
}

/// A case of a link: the upgrade, then texts, each in a frame. Sockets without the secret are refused.
async fn probe_port(to: SocketAddr, case: &Case) -> Result<(), String> {
    let mut pieces = case.0.iter();
    let head = pieces.next().cloned().unwrap_or_default();
    let has_secret = heads()[0] == head;
    let all = std::iter::once(head).chain(pieces.map(|piece| text(piece))).collect();
    let answer = exchange(to, &Case(all)).await?;
    let is_in = answer.starts_with(b"HTTP/1.1 101 ");
    if is_in != has_secret {
        let first = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        return Err(format!("with the secret ({has_secret}) the answer is {first:?}"));
    }
    Ok(())
}

fn udp() -> impl Strategy<Value = Case> {
    let question = seeds("udp");
    let zipped = question.iter().map(|text| deflated(text)).collect();
    let long = select(&[100_usize, 2_048, 2_049, 1 << 20][..]).prop_map(|length| deflated(&vec![0; length]));
    let deep = select(&[10_usize, 200, 5_000][..])
        .prop_map(|depth| deflated(&[&b"getaddr "[..], &br#"{"a":"#.repeat(depth)].concat()));
    let odd = (argument(), argument())
        .prop_map(|(app, ip)| deflated(format!(r#"getaddr {{"appid":{app},"ip":{ip}}}"#).as_bytes()));
    let piece = prop_oneof![
        3 => mutated(zipped),
        2 => mutated(question).prop_map(|text| deflated(&text)),
        1 => odd,
        1 => deep,
        1 => long,
        1 => vec(any::<u8>(), 0..1_400),
    ];
    vec(piece, 1..20).prop_map(Case)
}

/// Datagrams, then a question of another address, which is answered. The corpus has questions before they are deflated.
async fn request(addr: Addresses, case: &Case) -> Result<(), String> {
    let from = |ip: [u8; 4]| UdpSocket::bind((IpAddr::from(Ipv4Addr::from(ip)), 0));
    let socket = from([127, 0, 0, 1]).await.expect("a socket");
    let most = case.0.iter().map(Vec::len).max().unwrap_or(0);
    for piece in &case.0 {
        // Larger than a datagram can be: the system does not send it.
        let _ = socket.send_to(piece, addr.udp).await;
        if piece.starts_with(b"getaddr") {
            let _ = socket.send_to(&deflated(piece), addr.udp).await;
        }
    }
    let mut answer = vec![0; 4_096];
    while let Ok(length) = socket.try_recv(&mut answer) {
        if length > 3 * most.max(64) {
            return Err(format!("{length} bytes answer {most}"));
        }
    }
    let good = deflated(br#"getaddr {"appid":"0123456789abcdef0123456789abcdef"}"#);
    let another = if cfg!(target_os = "linux") {
        [127, 0, 0, 9]
    } else {
        [127, 0, 0, 1]
    };
    let requester = from(another).await.expect("a socket");
    // Nothing promises that a datagram arrives, and a source has its rate.
    for _ in 0..100 {
        let _ = requester.send_to(&good, addr.udp).await;
        let wait = std::time::Duration::from_millis(100);
        if timeout(wait, requester.recv(&mut answer)).await.is_ok() {
            return Ok(());
        }
    }
    Err("another asker is not answered".to_owned())
}
