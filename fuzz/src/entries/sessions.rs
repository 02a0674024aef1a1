//! Sessions of four families with one embedded RTM: every call has exactly one answer, or its connection is over.
//!
//! Each line of the input is a step. Its first character is the client: `w`, `j`, `n`, `a`.
//!
//! | line | step |
//! |---|---|
//! | `w user_sendmsg {"peer":"bob","content":"hi"}` | a call, with a number and the session line |
//! | `w["ping",1]` | a frame as it is |
//! | `w-` | the connection is lost |
//! | `w+` | the client resumes its session on a new connection |
//! | `3` | 10³ ms pass |

use std::collections::{BTreeMap, BTreeSet};

use engine::SessionLimits;
use protocol::ClientFrame;
use protocol::decoder::Decoder;
use rtm::value::{Text, Value};
use tables::profile::Transport;
use trace::{Begin, Dir, Header, Leg, Record, Trace, VERSION};

use super::{BUILT_IN, ENCODERS, text};

/// Steps of an input; more add time, not coverage.
const MOST_STEPS: usize = 64;
/// At the end, every timer of a call has fired.
const END: u64 = 1_000_000_000;

struct Client {
    key: char,
    session: u64,
    profile: &'static str,
    account: &'static str,
    transport: Transport,
    socket: Option<u64>,
    sockets: u64,
    calls: i64,
}

/// Calls of a connection: session, socket, number.
type Call = (u64, u64, String);

struct Script {
    records: Vec<(usize, Record)>,
    t_us: u64,
    calls: BTreeMap<Call, usize>,
    /// Connections that end.
    closed: BTreeSet<(u64, u64)>,
}

/// Plays the steps.
pub fn sessions(data: &[u8]) {
    let text = text(data);
    let mut script = Script {
        records: Vec::new(),
        t_us: 0,
        calls: BTreeMap::new(),
        closed: BTreeSet::new(),
    };
    let mut clients: Vec<Client> = [
        ('w', "web", "alice", Transport::WebSocket),
        ('j', "java-python", "bob", Transport::WebSocket),
        ('n', "native", "carol", Transport::Tcp),
        ('a', "api", "dora", Transport::Api),
    ]
    .into_iter()
    .zip(1..)
    .map(|((key, profile, account, transport), session)| Client {
        key,
        session,
        profile,
        account,
        transport,
        socket: None,
        sockets: 0,
        calls: 0,
    })
    .collect();
    for client in &mut clients {
        script.begin(client);
        script.connect(client, None);
    }
    for line in text.lines().take(MOST_STEPS) {
        let Some(first) = line.chars().next() else { continue };
        if let Some(digit) = first.to_digit(7) {
            script.t_us += 1_000 * 10_u64.pow(digit);
        } else if let Some(client) = clients.iter_mut().find(|client| client.key == first) {
            script.step(client, &line[1..]);
        }
    }
    script.t_us += END;
    for client in clients.iter().filter(|client| client.socket.is_some()) {
        script.frame(client, &ping(client.transport));
    }
    script.check();
}

fn ping(transport: Transport) -> String {
    match transport {
        Transport::WebSocket => r#"["ping",1]"#,
        Transport::Tcp => "line_ping:1",
        Transport::Api => r#"{"jsonrpc":"2.0","method":"getStatus"}"#,
    }
    .to_owned()
}

impl Script {
    fn push(&mut self, session: u64, leg: Leg, data: Value) {
        let record = Record {
            t_us: self.t_us,
            session,
            leg,
            dir: Dir::In,
            row: None,
            data,
        };
        self.records.push((self.records.len() + 2, record));
    }

    fn begin(&mut self, client: &Client) {
        let begin = Begin {
            profile: client.profile.into(),
            account: client.account.into(),
            offline_messages: false,
            durable: false,
            lacks: Vec::new(),
            platform: None,
            limits: SessionLimits::default(),
        };
        self.push(client.session, Leg::Env, map([("begin", begin.to_value())]));
    }

    /// Logs a client in on a new connection, or resumes its session in a way of [`Begin`]'s format.
    fn connect(&mut self, client: &mut Client, how: Option<&str>) {
        client.sockets += 1;
        let socket = client.sockets;
        client.socket = Some(socket);
        let account = client.account;
        let login = match client.transport {
            Transport::WebSocket => {
                format!(
                    r#"["login",{{"vid":"app","account":"{account}","uid":0,"token":"","device":"websdk","ip":""}}]"#
                )
            }
            Transport::Tcp => format!(
                r#"login {{"vid":"app","account":"{account}","uid":0,"token":"","device":"","ip":"","ver":1010300009}}"#
            ),
            Transport::Api => {
                format!(r#"{{"jsonrpc":"2.0","id":0,"method":"login","params":["app","{account}","",0,""]}}"#)
            }
        };
        self.frame(client, &login);
        let mut admitted = vec![("socket", number(socket)), ("line", line(client))];
        admitted.extend(how.map(|how| ("how", how.into())));
        let kind = if how.is_some() { "attached" } else { "admitted" };
        self.push(client.session, Leg::Env, map([(kind, map(admitted))]));
    }

    fn frame(&mut self, client: &Client, frame: &str) {
        let Some(socket) = client.socket else { return };
        let data = map([("socket", number(socket)), ("frame", Value::text(frame))]);
        self.push(client.session, Leg::Legacy, data);
    }

    fn step(&mut self, client: &mut Client, rest: &str) {
        self.t_us += 1_000;
        match (rest, client.socket) {
            ("-", Some(socket)) => {
                client.socket = None;
                self.closed.insert((client.session, socket));
                self.push(client.session, Leg::Legacy, map([("closed", number(socket))]));
            }
            ("+", None) => {
                let how = match client.transport {
                    Transport::WebSocket => "again",
                    _ => "anew",
                };
                self.connect(client, Some(how));
            }
            (_, Some(_)) => match rest.strip_prefix(' ') {
                Some(call) => self.call(client, call),
                None => self.raw(client, rest),
            },
            _ => {}
        }
    }

    fn call(&mut self, client: &mut Client, call: &str) {
        let (function, args) = call.split_once(' ').unwrap_or((call, "{}"));
        let Ok(mut args) = Value::from_json(args) else { return };
        if function.is_empty() || function.contains(|c: char| c.is_control()) {
            return;
        }
        if let Value::Map(entries) = &mut args
            && client.transport != Transport::Api
        {
            entries.retain(|(name, _)| &**name != "line");
            entries.push(("line".into(), line(client)));
        }
        client.calls += 1;
        let id = client.calls;
        let name = Value::text(function);
        let frame = match client.transport {
            Transport::WebSocket => {
                Value::List(vec!["call2".into(), Value::List(vec![name, id.into(), args])]).to_json()
            }
            Transport::Tcp => format!("call {function} {id} 0 {args}"),
            Transport::Api => {
                let entries = [
                    ("jsonrpc", "2.0".into()),
                    ("id", id.into()),
                    ("method", name),
                    ("params", args),
                ];
                map(entries).to_json()
            }
        };
        self.raw(client, &frame);
    }

    /// Sends a frame that the decoder of the connection takes. Logins would need a decision of the server.
    fn raw(&mut self, client: &Client, frame: &str) {
        let Some(socket) = client.socket else { return };
        let Some(decoded) = Decoder::new(client.transport, &BUILT_IN).decode(frame) else {
            return;
        };
        let logs_in = |frame: &ClientFrame| matches!(frame, ClientFrame::Login(_) | ClientFrame::LineLogin(_));
        if decoded.frames.iter().any(logs_in) {
            return;
        }
        let mut ids = Vec::new();
        if client.transport == Transport::Api {
            // Requests of a batch are answered together; their ids may have any form.
            let Ok(Value::Map(members)) = Value::from_json(frame) else {
                return;
            };
            ids.extend(
                members
                    .iter()
                    .find(|(name, _)| &**name == "id")
                    .map(|(_, id)| id.to_json()),
            );
            ids.retain(|id| id != "null");
        } else {
            ids.extend(decoded.frames.iter().filter_map(|frame| match frame {
                ClientFrame::Call { id, .. } => Some(id.to_string()),
                _ => None,
            }));
        }
        for id in ids {
            *self.calls.entry((client.session, socket, id)).or_default() += 1;
        }
        self.frame(client, frame);
    }

    /// Plays the records, and compares calls with answers.
    fn check(mut self) {
        let trace = Trace {
            header: Header {
                sigbridge_trace: VERSION,
                started_ms: 1_593_475_200_000,
                program: "0".into(),
                redaction: "none".into(),
                source: None,
                missing: vec![Leg::Rtm],
            },
            records: std::mem::take(&mut self.records),
            unfinished: false,
        };
        let played = match trace::play_embedded(&BUILT_IN, &ENCODERS, &trace, 1) {
            Ok(played) => played,
            Err(error) => panic!("{error}"),
        };
        let mut answers: BTreeMap<Call, usize> = BTreeMap::new();
        let mut over: BTreeSet<u64> = BTreeSet::new();
        for (session, record) in played
            .iter()
            .flat_map(|(session, all)| all.iter().map(move |one| (session, one)))
        {
            if record.dir != Dir::Out {
                continue;
            }
            if record.leg == Leg::Env && record.data.get("end").is_some() {
                over.insert(*session);
            }
            let socket = record.data.get("close").or_else(|| record.data.get("socket"));
            let Some(socket) = socket.and_then(Value::as_int).and_then(|n| u64::try_from(n).ok()) else {
                continue;
            };
            if record.data.get("close").is_some() {
                self.closed.insert((*session, socket));
            }
            let frame = record.data.get("frame").and_then(Value::as_text);
            // An invalid request is answered without an id.
            let id = frame.and_then(answered);
            if let Some(id) = id.filter(|id| id != "null") {
                *answers.entry((*session, socket, id)).or_default() += 1;
            }
        }
        for (call, times) in &answers {
            let requested = self.calls.get(call).copied().unwrap_or(0);
            // The login of the documented API.
            assert!(
                *times <= requested || call.2 == "0",
                "{call:?} was made {requested} times, answered {times} times"
            );
        }
        for (call, times) in &self.calls {
            let (session, socket, _) = call;
            if over.contains(session) || self.closed.contains(&(*session, *socket)) {
                continue;
            }
            assert_eq!(answers.get(call), Some(times), "answers to {call:?}");
        }
    }
}

/// Returns the number of the call that a frame answers.
fn answered(frame: &Text) -> Option<String> {
    if let Some(rest) = frame.strip_prefix("call_ret ") {
        return rest.split(' ').nth(1).map(str::to_owned);
    }
    if frame.starts_with("line_pong") || frame.starts_with("login_res") || frame.starts_with("notify") {
        return None;
    }
    let value = Value::from_json(frame).unwrap_or_default();
    match &value {
        Value::List(items) => match &items[..] {
            [name, Value::List(answer)] if name.as_text().is_some_and(|name| &**name == "call2-ret") => {
                answer.first().map(Value::to_json)
            }
            _ => None,
        },
        Value::Map(_) if value.get("method").is_none() => value.get("id").map(Value::to_json),
        _ => None,
    }
}

fn line(client: &Client) -> Value {
    Value::text(format!("line{}", client.session))
}

fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn map<'n>(entries: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    rtm::schema::named(entries)
}
