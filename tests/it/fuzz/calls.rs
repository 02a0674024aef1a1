//! Clients that have logged in: whatever they call with, each call has exactly one answer, or the connection is closed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use futures_util::{SinkExt, StreamExt};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use protocol::native::{self, PacketCodec, TcpFrame};
use protocol::{ClientFrame, web};
use serde_json::Value;
use serde_json::value::RawValue;
use tables::Tables;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::codec::FramedRead;

use super::case::{Case, seeds};
use super::target::{Addresses, Target};
use crate::support::invent::{argument, arguments, json, mutated};
use crate::support::{PATIENCE, packet};

/// Id of a client's last call. Frames after its answer are unexpected.
const LAST: i64 = 424_242;

/// Ids of calls and how many answers each has had.
type Answers = BTreeMap<String, usize>;

#[test]
fn web_calls() {
    Target::start("web-calls", |_| "").check("web", 24, web(), play_web);
}

#[test]
fn native_calls() {
    Target::start("native-calls", |_| "").check("native", 24, native(), play_native);
}

#[test]
fn api_calls() {
    Target::start("api-calls", |_| "").check("api", 24, api(), play_api);
}

/// Functions of a wire that do not end the session, and what is none.
fn functions(wire: &str) -> Vec<String> {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let wire = tables.wire(wire).expect("a wire");
    let names = wire.functions.iter().filter(|function| !function.ends);
    let others = ["nonsense", "user_setfg", "user_ext_call", "pstn_invite", "call_bye"];
    names
        .map(|function| function.name.to_string())
        .chain(others.map(str::to_owned))
        .collect()
}

fn bytes(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    text.prop_map(String::into_bytes)
}

fn cases(piece: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    vec(piece, 1..30).prop_map(Case)
}

fn web() -> impl Strategy<Value = Case> {
    let id = select(&["$id", "$id", "-$id", "1000000000$id"][..]);
    let call = (select(functions("web")), id, arguments("$line"))
        .prop_map(|(function, id, args)| format!(r#"["call2",["{function}",{id},{args}]]"#));
    let name = select(&["ping", "login", "set_flag", "line_login", "hello", "multi"][..]);
    let other = (name, json()).prop_map(|(name, value)| format!(r#"["{name}",{value}]"#));
    cases(prop_oneof![30 => bytes(call), 2 => bytes(other), 1 => mutated(seeds("web"))])
}

fn native() -> impl Strategy<Value = Case> {
    let id = select(&["$id", "$id", "-$id", "1000000000$id"][..]);
    let retry = select(&["0", "0", "1", "-1"][..]);
    let call = (select(functions("native")), id, retry, arguments("$line"))
        .prop_map(|(function, id, retry, args)| format!("call {function} {id} {retry} {args}"));
    let number = select(&["0", "1", "-1", "9223372036854775807", "007", "1", "x", ""][..]);
    let ping = number.prop_map(|number| format!("line_ping:{number}"));
    let channel = (argument(), argument(), argument()).prop_map(|(cid, cname, msgid)| {
        format!(r#"channel_sub {{"cid":{cid},"cname":{cname},"msgid":{msgid},"vid":"app"}}"#)
    });
    let word = select(&["line_login2", "line_login3", "login", "call", "notify", "", "log_put"][..]);
    let other = (word, json()).prop_map(|(word, value)| format!("{word} {value}"));
    cases(
        prop_oneof![30 => bytes(call), 2 => bytes(ping), 2 => bytes(channel), 1 => bytes(other), 1 => mutated(seeds("native"))],
    )
}

fn api() -> impl Strategy<Value = Case> {
    let id = select(&["$id", "$id", "\"s$id\"", "$id.5", "\"\\u0000\u{e9}$id\"", "-$id"][..]);
    let list = vec(argument(), 0..6).prop_map(|items| format!("[{}]", items.join(",")));
    let params = prop_oneof![4 => list, 2 => arguments("$line"), 1 => Just("null".to_owned())];
    let request = (select(functions("api")), id, params).prop_map(|(method, id, params)| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    });
    let batch = vec(request.clone(), 0..40).prop_map(|all| format!("[{}]", all.join(",")));
    let id = select(&["true", "{}", "[]", "null", "1e400", "-0", "NaN", "\"\\ud83d\""][..]);
    let odd = id.prop_map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"getStatus"}}"#));
    cases(prop_oneof![
        24 => bytes(request),
        3 => bytes(batch),
        2 => bytes(odd),
        1 => bytes(json()),
        1 => mutated(seeds("api")),
    ])
}

/// The piece with a client's line, and call numbers at their placeholders.
fn filled(piece: &[u8], line: &str, last: &mut i64) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(piece) else {
        return piece.to_vec();
    };
    let mut parts = text.split("$id");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        *last += 1;
        filled += &last.to_string();
        filled += part;
    }
    filled.replace("$line", line).into_bytes()
}

/// Compares calls with answers; returns the difference as an error.
fn judge(requested: &Answers, answered: &Answers, is_closed: bool) -> Result<(), String> {
    for (id, times) in answered {
        let most = requested.get(id).copied().unwrap_or(0);
        if *times > most {
            return Err(format!("call {id} was made {most} times and answered {times} times"));
        }
    }
    let open = requested.iter().find(|(id, times)| answered.get(*id) != Some(times));
    match open {
        Some((id, _)) if !is_closed => Err(format!("call {id} is not answered, but {answered:?}")),
        _ => Ok(()),
    }
}

/// A frame for a client, as this test reads it.
enum Notification {
    Answers(Vec<String>),
    Last,
    Other,
    Closed,
}

/// A client that has sent its case.
trait Listener {
    /// Returns its next frame.
    async fn next(&mut self) -> Notification;
    /// Sends the last query.
    async fn request(&mut self);

    /// Reads until all is answered, and then until the answer to the last question.
    async fn listen(mut self, requested: &Answers) -> Result<(), String>
    where
        Self: Sized,
    {
        let mut answered = Answers::new();
        let mut has_sent_last = false;
        loop {
            let has = |(id, times): (&String, &usize)| answered.get(id).unwrap_or(&0) >= times;
            if !has_sent_last && requested.iter().all(has) {
                has_sent_last = true;
                self.request().await;
            }
            match timeout(PATIENCE, self.next()).await {
                Ok(Notification::Answers(ids)) => ids.into_iter().for_each(|id| *answered.entry(id).or_default() += 1),
                Ok(Notification::Last) => return judge(requested, &answered, false),
                Ok(Notification::Other) => {}
                Ok(Notification::Closed) => return judge(requested, &answered, true),
                Err(_) => {
                    judge(requested, &answered, false)?;
                    return Err("the last question is not answered".to_owned());
                }
            }
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The server's next text; `None` at the end of the connection.
async fn text(socket: &mut Socket) -> Option<String> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

async fn web_socket(addr: std::net::SocketAddr, path: &str, login: String, answer: &str) -> (Socket, String) {
    let (mut socket, _) = connect_async(format!("ws://{addr}{path}")).await.expect("it listens");
    socket.send(Message::text(login)).await.expect("it reads");
    loop {
        let emitted = timeout(PATIENCE, text(&mut socket))
            .await
            .expect("an answer to the login");
        let emitted = emitted.expect("a login that is right");
        if emitted.contains(answer) {
            return (socket, emitted);
        }
    }
}

/// Accounts; few, so that sessions are resumed, too.
fn account(case: &Case) -> String {
    format!("fuzz{}", case.0.len() % 4)
}

async fn play_web(addr: Addresses, case: &Case) -> Result<(), String> {
    let login = serde_json::json!(["login", {"vid": "app", "account": account(case), "uid": 0, "token": "", "device": "websdk"}]);
    let (mut socket, emitted) = web_socket(addr.http, "/", login.to_string(), "login_ret").await;
    let emitted: Value = serde_json::from_str(&emitted).expect("JSON");
    let reply: Value = serde_json::from_str(emitted[1][1].as_str().expect("a text")).expect("JSON");
    let line = reply["line"].as_str().expect("a line").to_owned();
    let (mut requested, mut last) = (Answers::new(), 0);
    for piece in &case.0 {
        let piece = filled(piece, &line, &mut last);
        let Ok(text) = String::from_utf8(piece) else { continue };
        if let Ok(ClientFrame::Call { id, .. }) = web::decode::decode(&text) {
            *requested.entry(id.to_string()).or_default() += 1;
        }
        if socket.send(Message::text(text)).await.is_err() {
            break;
        }
    }
    WebListener(socket).listen(&requested).await
}

struct WebListener(Socket);

impl Listener for WebListener {
    async fn next(&mut self) -> Notification {
        let Some(text) = text(&mut self.0).await else {
            return Notification::Closed;
        };
        // Numbers of any size are echoed.
        let frame: Vec<Box<RawValue>> = serde_json::from_str(&text).expect("the server writes JSON");
        let name: String = serde_json::from_str(frame[0].get()).expect("a name");
        match name.as_str() {
            "call2-ret" => {
                let (id, _, body): (Box<RawValue>, Box<RawValue>, String) =
                    serde_json::from_str(frame[1].get()).expect("an answer");
                serde_json::from_str::<Box<RawValue>>(&body).expect("JSON");
                Notification::Answers(vec![id.get().to_owned()])
            }
            "pong" if frame[1].get() == LAST.to_string() => Notification::Last,
            _ => Notification::Other,
        }
    }

    async fn request(&mut self) {
        let ping = Message::text(format!(r#"["ping",{LAST}]"#));
        let _ = self.0.send(ping).await;
    }
}

async fn play_api(addr: Addresses, case: &Case) -> Result<(), String> {
    let login =
        serde_json::json!({"jsonrpc": "2.0", "id": "login", "method": "login2", "params": ["app", account(case), ""]});
    let (mut socket, _) = web_socket(addr.http, "/api", login.to_string(), "onLoginSuccess").await;
    let (mut requested, mut last) = (Answers::new(), 0);
    for piece in &case.0 {
        let piece = filled(piece, "", &mut last);
        let Ok(text) = String::from_utf8(piece) else { continue };
        for id in request_ids(&text) {
            *requested.entry(id).or_default() += 1;
        }
        if socket.send(Message::text(text)).await.is_err() {
            break;
        }
    }
    ApiListener(socket).listen(&requested).await
}

struct ApiListener(Socket);

impl Listener for ApiListener {
    async fn next(&mut self) -> Notification {
        let Some(text) = text(&mut self.0).await else {
            return Notification::Closed;
        };
        serde_json::from_str::<Box<RawValue>>(&text).expect("the server writes JSON");
        let all = objects(&text);
        let answers = all.iter().filter(|members| !members.contains_key("method"));
        let ids: Vec<String> = answers.filter_map(id_of).collect();
        if ids.contains(&LAST.to_string()) {
            return Notification::Last;
        }
        Notification::Answers(ids)
    }

    async fn request(&mut self) {
        let request = format!(r#"{{"jsonrpc":"2.0","id":{LAST},"method":"getStatus"}}"#);
        let _ = self.0.send(Message::text(request)).await;
    }
}

type Members<'t> = HashMap<Cow<'t, str>, &'t RawValue>;

/// The objects of a text: one, or those of a list.
fn objects(text: &str) -> Vec<Members<'_>> {
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(items) => items
            .iter()
            .filter_map(|item| serde_json::from_str(item.get()).ok())
            .collect(),
        Err(_) => serde_json::from_str(text).ok().into_iter().collect(),
    }
}

/// An id as it is written; `null` belongs to no call, and not all values are ids.
fn id_of(members: &Members<'_>) -> Option<String> {
    let id = members.get("id")?.get();
    let is_one = id.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) && id.len() <= 256;
    is_one.then(|| id.to_owned())
}

/// The ids of the requests in a text: each has an answer. A list that is too long is refused as one.
fn request_ids(text: &str) -> Vec<String> {
    let text = rtm::json::paired(text);
    let all = objects(&text);
    let is_text = |members: &Members<'_>, name: &str| {
        let raw = members.get(name)?;
        serde_json::from_str::<String>(raw.get()).ok()
    };
    let is_request = |members: &Members<'_>| {
        is_text(members, "jsonrpc").as_deref() == Some("2.0") && is_text(members, "method").is_some()
    };
    let many = serde_json::from_str::<Vec<&RawValue>>(&text).is_ok_and(|items| items.len() > 32);
    let requests = all.iter().filter(|members| !many && is_request(members));
    requests.filter_map(id_of).collect()
}

async fn play_native(addr: Addresses, case: &Case) -> Result<(), String> {
    let stream = TcpStream::connect(addr.tcp).await.expect("it listens");
    stream.set_nodelay(true).expect("a live socket");
    let (read, mut out) = stream.into_split();
    let mut lines = FramedRead::new(read, PacketCodec::with_limit(usize::MAX));
    let login = serde_json::json!({"account": account(case), "device": "", "ip": "", "token": "", "uid": 0, "ver": 1_010_300_009, "vid": "app"});
    out.write_all(&packet(format!("login {login}").as_bytes(), true))
        .await
        .expect("it reads");
    let line = loop {
        let emitted = timeout(PATIENCE, lines.next()).await.expect("an answer to the login");
        let emitted = emitted.expect("a login that is right").expect("a packet");
        if let Some(json) = emitted
            .strip_prefix("login_res ok ")
            .and_then(|rest| rest.split_once(' '))
        {
            let json: Value = serde_json::from_str(json.1).expect("JSON");
            break json["line"].as_str().expect("a line").to_owned();
        }
    };
    let (mut requested, mut last) = (Answers::new(), 0);
    for (at, piece) in case.0.iter().enumerate() {
        let piece = filled(piece, &line, &mut last);
        let text = std::str::from_utf8(&piece).unwrap_or_default();
        if let Ok(TcpFrame::Call { id, .. }) = native::decode(text) {
            *requested.entry(id.to_string()).or_default() += 1;
        }
        if out.write_all(&packet(&piece, at % 2 == 0)).await.is_err() {
            break;
        }
    }
    NativeListener { lines, out }.listen(&requested).await
}

struct NativeListener {
    lines: FramedRead<OwnedReadHalf, PacketCodec>,
    out: OwnedWriteHalf,
}

impl Listener for NativeListener {
    async fn next(&mut self) -> Notification {
        let Some(Ok(line)) = self.lines.next().await else {
            return Notification::Closed;
        };
        match line.strip_prefix("call_ret ") {
            Some(rest) => {
                let words: Vec<&str> = rest.splitn(4, ' ').collect();
                serde_json::from_str::<Value>(words[3]).expect("JSON");
                Notification::Answers(vec![words[1].to_owned()])
            }
            None if *line == format!("line_pong:{LAST}") => Notification::Last,
            None => Notification::Other,
        }
    }

    async fn request(&mut self) {
        let ping = packet(format!("line_ping:{LAST}").as_bytes(), false);
        let _ = self.out.write_all(&ping).await;
    }
}
