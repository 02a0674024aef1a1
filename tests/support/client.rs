//! Scripted legacy Web client: it sends given frames and keeps received ones.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::PATIENCE;

/// Transport of a client: TCP, or TLS over it.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for S {}

/// Client with its own socket.
pub struct Client {
    socket: WebSocketStream<Box<dyn Carrier>>,
    /// Frames received while waiting for others.
    kept: VecDeque<Value>,
    /// Session line.
    pub line: String,
    next_call: i64,
}

/// Received item.
#[derive(Clone, Debug, PartialEq)]
pub enum Got {
    Frame(Value),
    /// Close frame, with its code.
    Closed(Option<u16>),
    /// End of the connection without a close frame.
    Cut,
}

/// Reply to a call or login.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Error text, which clients check first.
    pub err: String,
    /// JSON in the reply's text.
    pub json: Value,
}

impl Reply {
    /// Parses err and JSON text.
    fn of(err: &Value, text: &Value) -> Self {
        let text = text.as_str().expect("the last element is a text");
        Self {
            err: err.as_str().expect("err is a text").to_owned(),
            json: serde_json::from_str(text).expect("the text is JSON"),
        }
    }
}

/// Connects to a server, with a receive buffer of that size.
pub async fn tcp_connect(addr: SocketAddr, receive_buffer: Option<u32>) -> TcpStream {
    let tcp = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = receive_buffer {
        tcp.set_recv_buffer_size(bytes).expect("a permitted size");
    }
    let stream = tcp.connect(addr).await.expect("the server listens");
    // With Nagle's algorithm, every round trip would take 40 ms.
    stream.set_nodelay(true).expect("a live socket");
    stream
}

impl Client {
    /// Connects without a login.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::connect_with(addr, None).await
    }

    /// Connects with a small receive buffer, so that a blocked reader is detected soon.
    pub async fn connect_with(addr: SocketAddr, receive_buffer: Option<u32>) -> Self {
        let stream = tcp_connect(addr, receive_buffer).await;
        Self::over(Box::new(stream), &format!("ws://{addr}/")).await
    }

    /// Creates a client on an open connection.
    pub async fn over(stream: Box<dyn Carrier>, url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::client_async(url, stream)
            .await
            .expect("the server accepts a WebSocket");
        Self {
            socket,
            kept: VecDeque::new(),
            line: String::new(),
            next_call: 1,
        }
    }

    /// Connects and logs in without a token.
    pub async fn login(addr: SocketAddr, account: &str) -> Self {
        let mut client = Self::connect(addr).await;
        let reply = client.log_in(account).await;
        assert_eq!((&*reply.err, &reply.json["result"]), ("", &json!("ok")), "{reply:?}");
        client
    }

    /// Sends the login frame and waits for its answer.
    pub async fn log_in(&mut self, account: &str) -> Reply {
        self.send_login(account, "").await;
        self.login_ret().await
    }

    pub async fn send_login(&mut self, account: &str, token: &str) {
        let fields = json!({"vid": "app", "account": account, "uid": 0, "token": token, "device": "websdk", "ip": ""});
        self.send(json!(["login", fields])).await;
    }

    /// Waits for the login's answer and stores its session line.
    pub async fn login_ret(&mut self) -> Reply {
        let arg = self.frame("login_ret").await;
        let reply = Reply::of(&arg[0], &arg[1]);
        if let Some(line) = reply.json["line"].as_str() {
            self.line = line.to_owned();
        }
        reply
    }

    /// Calls with the session line, and waits for the reply.
    pub async fn call(&mut self, function: &str, args: Value) -> Reply {
        let id = self.send_call(function, args).await;
        self.reply(id).await
    }

    /// Starts a call, with the session line unless `args` has one; returns the call number.
    pub async fn send_call(&mut self, function: &str, mut args: Value) -> i64 {
        let id = self.next_call;
        self.next_call += 1;
        if let Some(args) = args.as_object_mut() {
            args.entry("line").or_insert_with(|| self.line.clone().into());
        }
        self.send(json!(["call2", [function, id, args]])).await;
        id
    }

    pub async fn reply(&mut self, id: i64) -> Reply {
        let is_reply = |name: &str, arg: &Value| name == "call2-ret" && arg[0] == id;
        let arg = self.matching(&format!("the reply to call {id}"), is_reply).await;
        Reply::of(&arg[1], &arg[2])
    }

    /// Polls the mailbox; returns the acknowledged version, and lines with versions.
    pub async fn poll(&mut self, ver_clear: u64) -> (u64, Vec<(u64, String)>) {
        let reply = self
            .call("user_getmsg", json!({"ver_clear": ver_clear, "max": 30}))
            .await;
        let line = |entry: &Value| (entry[0].as_u64().unwrap(), entry[1].as_str().unwrap().to_owned());
        let lines = reply.json["msgs"].as_array().expect("a list of lines").iter();
        (reply.json["ver_clear"].as_u64().unwrap(), lines.map(line).collect())
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Sends a raw WebSocket message.
    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server reads");
    }

    /// Waits for the next frame with this name; returns its argument.
    pub async fn frame(&mut self, name: &str) -> Value {
        self.matching(name, |got, _| got == name).await
    }

    /// Waits for the next item.
    pub async fn next(&mut self) -> Got {
        match self.kept.pop_front() {
            Some(frame) => Got::Frame(frame),
            None => timeout(PATIENCE, self.receive()).await.expect("nothing came"),
        }
    }

    /// Returns an item received within `time`.
    pub async fn within(&mut self, time: Duration) -> Option<Got> {
        match self.kept.pop_front() {
            Some(frame) => Some(Got::Frame(frame)),
            None => timeout(time, self.receive()).await.ok(),
        }
    }

    /// Waits for a matching frame, and keeps all others.
    async fn matching(&mut self, what: &str, is_it: impl Fn(&str, &Value) -> bool) -> Value {
        let is_kept = |frame: &Value| is_it(frame[0].as_str().unwrap_or(""), &frame[1]);
        if let Some(at) = self.kept.iter().position(is_kept) {
            return self
                .kept
                .remove(at)
                .map(|mut frame| frame[1].take())
                .unwrap_or_default();
        }
        loop {
            let got = timeout(PATIENCE, self.receive()).await;
            let got = got.unwrap_or_else(|_| panic!("{what} never came, only {:?}", self.kept));
            match got {
                Got::Frame(mut frame) if is_it(frame[0].as_str().unwrap_or(""), &frame[1]) => return frame[1].take(),
                Got::Frame(frame) => self.kept.push_back(frame),
                end => panic!("{what} never came: {end:?} after {:?}", self.kept),
            }
        }
    }

    async fn receive(&mut self) -> Got {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
                    assert_eq!(frame.as_array().map(Vec::len), Some(2), "always two elements: {text}");
                    return Got::Frame(frame);
                }
                Some(Ok(Message::Binary(_))) => panic!("text frames only"),
                Some(Ok(Message::Close(close))) => return Got::Closed(close.map(|close| close.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Got::Cut,
            }
        }
    }
}

/// Splits a notification in string form: kind, version, line.
pub fn notified(arg: &Value) -> (String, u64, String) {
    let text = arg.as_str().expect("the string form");
    let mut words = text.splitn(3, ' ');
    assert_eq!(words.next(), Some("notify"), "{text}");
    let kind = words.next().expect("a kind").to_owned();
    let rest: Value = serde_json::from_str(words.next().expect("a version and a line")).expect("JSON");
    (
        kind,
        rest[0].as_u64().expect("a version"),
        rest[1].as_str().expect("a line").to_owned(),
    )
}

/// Sends a text from one client to another.
pub async fn emit(from: &mut Client, to: &str, text: &str) {
    let reply = from.call("user_sendmsg", json!({"peer": to, "content": text})).await;
    assert_eq!(reply.err, "", "{text}");
}

/// Returns the text of a message line.
pub fn text(line: &str) -> &str {
    line.splitn(7, ' ').nth(6).expect("seven fields")
}
