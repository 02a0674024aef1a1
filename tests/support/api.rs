//! JSON-RPC client of the documented API that keeps the order of received messages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rtm::value::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::PATIENCE;

/// Client with its own socket.
pub struct ApiClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Messages received while waiting for others.
    kept: VecDeque<Value>,
    next_id: i64,
}

impl ApiClient {
    /// Connects without a login.
    pub async fn connect(addr: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{addr}/api")).await.expect("it listens");
        Self {
            socket,
            kept: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Connects and logs in without a token; returns the uid.
    pub async fn login(addr: SocketAddr, account: &str) -> Self {
        let mut client = Self::connect(addr).await;
        assert_eq!(client.log_in(account).await, "null");
        client.event("onLoginSuccess").await;
        client
    }

    pub async fn log_in(&mut self, account: &str) -> String {
        self.call("login2", json!(["app", account, "", 0, "", 30, 3])).await
    }

    /// Calls, and returns the result, or the number and text of the error.
    pub async fn call(&mut self, method: &str, params: serde_json::Value) -> String {
        let id = self.start(method, params).await;
        self.answer(id).await
    }

    /// Starts a call; returns the request ID.
    pub async fn start(&mut self, method: &str, params: serde_json::Value) -> i64 {
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        self.send(&request.to_string()).await;
        self.next_id
    }

    /// Waits for the response to a request.
    pub async fn answer(&mut self, id: i64) -> String {
        let is_it = |got: &Value| got.get("id") == Some(&Value::Int(id));
        let got = self.matching(&format!("the response to {id}"), is_it).await;
        shown(&got)
            .trim_start_matches(|c: char| c != ' ')
            .trim_start()
            .to_owned()
    }

    /// Waits for an event; returns its params.
    pub async fn event(&mut self, name: &str) -> String {
        let is_it = |got: &Value| got.get("method") == Some(&Value::from(name));
        let got = self.matching(name, is_it).await;
        got.get("params").expect("params").to_json()
    }

    /// Waits for the next message.
    pub async fn next(&mut self) -> String {
        match self.kept.pop_front() {
            Some(got) => shown(&got),
            None => match timeout(PATIENCE, self.receive()).await.expect("nothing came") {
                Ok(got) => shown(&got),
                Err(end) => end,
            },
        }
    }

    /// Waits for the next raw message.
    pub async fn next_text(&mut self) -> String {
        timeout(PATIENCE, self.receive())
            .await
            .expect("nothing came")
            .map_or_else(|end| end, |got| got.to_json())
    }

    /// Waits for these messages.
    pub async fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }

    /// Waits for the end of the connection, ignoring messages before it.
    pub async fn closed(&mut self, end: &str) {
        loop {
            let next = self.next().await;
            if next.starts_with("closed") || next == "cut" {
                return assert_eq!(next, end);
            }
        }
    }

    /// Returns a message received within `time`.
    pub async fn within(&mut self, time: Duration) -> Option<String> {
        timeout(time, self.next()).await.ok()
    }

    pub async fn send(&mut self, text: &str) {
        self.send_raw(Message::text(text)).await;
    }

    /// Sends a raw WebSocket message.
    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server reads");
    }

    async fn matching(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return self.kept.remove(at).expect("it is there");
        }
        loop {
            match timeout(PATIENCE, self.receive()).await {
                Ok(Ok(got)) if is_it(&got) => return got,
                Ok(Ok(got)) => self.kept.push_back(got),
                Ok(Err(end)) => panic!("{end} instead of {what} after {:?}", self.kept),
                Err(_) => panic!("no {what} after {:?}", self.kept),
            }
        }
    }

    async fn receive(&mut self) -> Result<Value, String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Value::from_json(&text).expect("JSON")),
                Some(Ok(Message::Close(close))) => {
                    return Err(format!("closed {}", close.map_or(0, |close| close.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err("cut".into()),
            }
        }
    }
}

/// `onLogout {"ecode":101}` for a notification, `#1 null` for a result, `#1 error 1003 not login onError` for an error.
fn shown(got: &Value) -> String {
    if let Some(all) = got.as_list() {
        return all.iter().map(shown).collect::<Vec<_>>().join("; ");
    }
    assert_eq!(got.get("jsonrpc"), Some(&"2.0".into()), "{got}");
    let text = |of: &Value, name: &str| of.get(name).cloned().unwrap_or_default().into_text();
    if got.get("method").is_some() {
        return format!("{} {}", text(got, "method"), text(got, "params"));
    }
    let id = got.get("id").expect("an id");
    match got.get("error") {
        None => format!("#{id} {}", got.get("result").expect("a result")),
        Some(error) => {
            let event = error
                .get("data")
                .map_or(String::new(), |data| format!(" {}", text(data, "event")));
            format!("#{id} error {} {}{event}", text(error, "code"), text(error, "message"))
        }
    }
}
