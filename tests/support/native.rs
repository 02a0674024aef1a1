//! Scripted native client: it sends given bytes and keeps received lines.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use futures_util::StreamExt;
use protocol::native::PacketCodec;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;
use tokio_util::codec::FramedRead;

use super::{PATIENCE, tcp_connect};

/// Encodes a packet, plain or as one zlib stream.
pub fn packet(body: &[u8], zlib: bool) -> Vec<u8> {
    let deflated = zlib.then(|| deflated(body));
    let body = deflated.as_deref().unwrap_or(body);
    with_header(if zlib { 0x81 } else { 0x80 }, body.len() + 4, body)
}

/// Encodes a packet with any header.
pub fn with_header(kind: u8, length: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).expect("three bytes").to_be_bytes();
    [&[kind, length[1], length[2], length[3]], body].concat()
}

/// Compresses to one zlib stream.
pub fn deflated(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// Native client with its own socket.
pub struct RawNative {
    lines: FramedRead<tokio::net::tcp::OwnedReadHalf, PacketCodec>,
    out: OwnedWriteHalf,
    /// Lines received while waiting for others.
    kept: VecDeque<String>,
    /// Session line.
    pub line: String,
    next_call: i64,
    /// True if packets are compressed.
    pub zlib: bool,
}

impl RawNative {
    /// Connects without a login.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::connect_with(addr, None).await
    }

    /// Connects with a small receive buffer, so that a blocked reader is detected soon.
    pub async fn connect_with(addr: SocketAddr, receive_buffer: Option<u32>) -> Self {
        let stream = tcp_connect(addr, receive_buffer).await;
        let (read, out) = stream.into_split();
        Self {
            lines: FramedRead::new(read, PacketCodec::with_limit(usize::MAX)),
            out,
            kept: VecDeque::new(),
            line: String::new(),
            next_call: 1,
            zlib: false,
        }
    }

    /// Connects and logs in without a token.
    pub async fn login(addr: SocketAddr, account: &str) -> Self {
        let mut client = Self::connect(addr).await;
        let line = client.log_in(account, "").await;
        assert!(line.starts_with("login_res ok "), "{line}");
        client
    }

    /// Sends the login and waits for its answer; stores the session line.
    pub async fn log_in(&mut self, account: &str, token: &str) -> String {
        let fields = json!({"account": account, "device": "", "ip": "", "token": token, "uid": 0, "ver": 1_010_300_009, "vid": "app"});
        self.send_line(&format!("login {fields}")).await;
        let answer = self.matching("login_res").await;
        let words: Vec<&str> = answer.split(' ').collect();
        if let ["login_res", "ok", _, json] = words[..] {
            let json: Value = serde_json::from_str(json).expect("JSON");
            self.line = json["line"].as_str().expect("a line").to_owned();
        }
        answer
    }

    /// Sends a line in a packet.
    pub async fn send_line(&mut self, line: &str) {
        let packet = packet(line.as_bytes(), self.zlib);
        self.send(&packet).await;
    }

    /// Sends bytes; ignores a closed connection.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).await;
    }

    /// Shuts down the sending side.
    pub async fn finish(&mut self) {
        let _ = self.out.shutdown().await;
    }

    /// Calls, with the session line unless `args` has one; returns the JSON of the reply.
    pub async fn call(&mut self, function: &str, args: Value) -> Value {
        let id = self.send_call(function, args).await;
        self.reply(function, id).await
    }

    /// Starts a call; returns its number.
    pub async fn send_call(&mut self, function: &str, mut args: Value) -> i64 {
        let id = self.next_call;
        self.next_call += 1;
        if let Some(args) = args.as_object_mut() {
            args.entry("line").or_insert_with(|| self.line.clone().into());
        }
        self.send_line(&format!("call {function} {id} 0 {args}")).await;
        id
    }

    pub async fn reply(&mut self, function: &str, id: i64) -> Value {
        let start = format!("call_ret {function} {id} 0 ");
        let line = self.matching(&start).await;
        serde_json::from_str(&line[start.len()..]).expect("JSON")
    }

    /// Waits for a line with a prefix, and keeps all others.
    pub async fn matching(&mut self, start: &str) -> String {
        if let Some(at) = self.kept.iter().position(|line| line.starts_with(start)) {
            return self.kept.remove(at).unwrap_or_default();
        }
        loop {
            match timeout(PATIENCE, self.receive()).await {
                Ok(Some(line)) if line.starts_with(start) => return line,
                Ok(Some(line)) => self.kept.push_back(line),
                Ok(None) => panic!("{start} never came, but the end after {:?}", self.kept),
                Err(_) => panic!("{start} never came, only {:?}", self.kept),
            }
        }
    }

    /// Waits for the next line; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<String> {
        match self.kept.pop_front() {
            Some(line) => Some(line),
            None => timeout(PATIENCE, self.receive()).await.expect("nothing came"),
        }
    }

    /// Returns a line received within `time`.
    pub async fn within(&mut self, time: Duration) -> Option<Option<String>> {
        match self.kept.pop_front() {
            Some(line) => Some(Some(line)),
            None => timeout(time, self.receive()).await.ok(),
        }
    }

    async fn receive(&mut self) -> Option<String> {
        match self.lines.next().await {
            Some(Ok(line)) => Some(line),
            Some(Err(_)) | None => None,
        }
    }
}
