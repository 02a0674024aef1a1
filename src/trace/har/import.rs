//! A trace of the legacy leg, made of an archive.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bridge::SessionLimits;
use crate::client::login_reply;
use crate::front::{ClientFrame, hearing::Hearing, login_field, login_text, without_token};
use crate::mapping::Tables;
use crate::mapping::profile::Transport;
use crate::mapping::wire::{RowCall, Target};
use crate::trace::env::Begin;
use crate::trace::happening::{number, one};
use crate::trace::record::{Dir, Header, Leg, Record, VERSION};
use crate::value::{Text, Value};

use super::HarError;
use super::file;
use super::message::{self, Said};

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The first line.
    pub header: Header,
    /// The others, in the order of time.
    pub records: Vec<Record>,
    /// Sessions: sockets that have logged in.
    pub sessions: usize,
    /// Frames of theirs.
    pub frames: usize,
    /// Those that were not let in: no answer to their login, or a refusal.
    pub not_admitted: usize,
    /// Sockets that said nothing, as those that lose an SDK's race: left out.
    pub silent: usize,
    /// Sockets that said other things: left out.
    pub others: usize,
}

/// Makes a trace of an archive. Tokens are replaced; all else is as it was.
///
/// # Errors
/// What is wrong with it.
pub fn import(tables: &Arc<Tables>, bytes: &[u8]) -> Result<Imported, HarError> {
    let entries = file::read(bytes)?.log.entries;
    let count = entries.len();
    let mut timeline: Vec<(u64, Record)> = Vec::new();
    let (mut sockets, mut sessions, mut frames, mut admitted) = (0, 0, 0, 0);
    let (mut with_messages, mut silent) = (0, 0);
    for (at, entry) in entries.into_iter().enumerate() {
        let is_socket = entry.messages.is_some() || entry.kind.as_deref() == Some("websocket");
        let messages = entry.messages.unwrap_or_default();
        with_messages += usize::from(!messages.is_empty());
        if !messages.iter().any(|message| message::dir(message) == Some(Dir::In)) {
            silent += usize::from(is_socket);
            continue;
        }
        sockets += 1;
        if !messages.iter().any(|message| is_login(&message.data)) {
            continue;
        }
        let read = |(position, message)| {
            message::read(message).map_err(|what| HarError::Message {
                entry: at,
                url: without_query(&entry.request.url),
                message: position,
                what,
            })
        };
        let messages = messages.into_iter().enumerate().map(read);
        let said: Vec<Option<Said>> = messages.collect::<Result<_, _>>()?;
        // As in a recording: they carry nothing.
        let said: Vec<Said> = said.into_iter().flatten().filter(|said| !is_ping(said)).collect();
        sessions += 1;
        frames += said.len();
        let socket = at as u64 + 1;
        admitted += usize::from(session(tables, sessions as u64, socket, said, &mut timeline));
    }
    if with_messages == 0 {
        return Err(HarError::NoMessages { entries: count });
    }
    if sessions == 0 {
        return Err(HarError::NoLogin { sockets: with_messages });
    }
    ends_by_next_logins(&mut timeline);
    // Stable: what was said at the same time stays in its order.
    timeline.sort_by_key(|(at_us, _)| *at_us);
    let started_ms = timeline.first().map_or(0, |(at_us, _)| at_us / 1000);
    let relative = |(at_us, record): (u64, Record)| Record {
        t_us: at_us - started_ms * 1000,
        ..record
    };
    Ok(Imported {
        header: Header {
            sigbridge_trace: VERSION,
            started_ms,
            program: env!("CARGO_PKG_VERSION").into(),
            redaction: "none".into(),
            source: Some("har".into()),
            missing: vec![Leg::Rtm],
        },
        records: timeline.into_iter().map(relative).collect(),
        sessions,
        frames,
        not_admitted: sessions - admitted,
        silent,
        others: sockets - sessions,
    })
}

/// An archive does not tell the ends of sockets. But one that says nothing more once its account has logged in on another
/// has ended before that.
fn ends_by_next_logins(timeline: &mut Vec<(u64, Record)>) {
    let mut logins: HashMap<(Text, Text), Vec<&(u64, Record)>> = HashMap::new();
    let mut last: HashMap<u64, (u64, Value)> = HashMap::new();
    for said in timeline.iter() {
        let (at_us, record) = said;
        let Some(frame) = record.data.get("frame").and_then(Value::as_text) else {
            continue;
        };
        let socket = record.data.get("socket").cloned().unwrap_or_default();
        last.insert(record.session, (*at_us, socket));
        if let Some(fields) = login_fields(frame).filter(|_| record.dir == Dir::In) {
            let field = |name| fields.get(name).cloned().unwrap_or_default().into_text();
            logins.entry((field("vid"), field("account"))).or_default().push(said);
        }
    }
    let mut ends = Vec::new();
    for of_account in logins.values_mut() {
        of_account.sort_by_key(|(at_us, _)| *at_us);
        for pair in of_account.windows(2) {
            let ((_, before), (next_us, _)) = (pair[0], pair[1]);
            if let Some((last_us, socket)) = last.get(&before.session)
                && last_us < next_us
            {
                let record = Record {
                    data: one("closed", socket.clone()),
                    ..before.clone()
                };
                ends.push((next_us - 1, record));
            }
        }
    }
    timeline.extend(ends);
}

/// The fields of a login of the Web wire.
fn login_fields(text: &str) -> Option<Value> {
    // Most frames are none, and long ones are not read twice.
    if !text.contains("\"login\"") {
        return None;
    }
    let frames = Hearing::WebSocket.hear(text)?.frames;
    frames.into_iter().find_map(|frame| match frame {
        ClientFrame::Login(fields) if fields.as_map().is_some() => Some(fields),
        _ => None,
    })
}

fn is_ping(said: &Said) -> bool {
    let name = match said.dir {
        Dir::In => "ping",
        Dir::Out => "pong",
    };
    // Longer ones are none.
    said.text.len() < 64
        && Value::from_json(&said.text).is_ok_and(|frame| {
            let first = frame.as_list().and_then(<[Value]>::first);
            first.and_then(Value::as_text).is_some_and(|first| &**first == name)
        })
}

fn is_login(text: &str) -> bool {
    login_fields(text).is_some()
}

/// Adds the records of a socket that has logged in; whether it was let in.
fn session(
    tables: &Arc<Tables>,
    session: u64,
    socket: u64,
    said: Vec<Said>,
    timeline: &mut Vec<(u64, Record)>,
) -> bool {
    let reply = said
        .iter()
        .filter(|said| said.dir == Dir::Out)
        .find_map(|said| login_reply(&said.text));
    let reply = reply.and_then(Result::ok);
    // What the tools took down out of order is in order: the list is.
    let mut now = 0;
    let mut begun = false;
    for Said { at_us, dir, text } in said {
        now = at_us.max(now);
        let mut push = |leg, dir, data| {
            let record = Record {
                t_us: 0,
                session,
                leg,
                dir,
                row: None,
                data,
            };
            timeline.push((now, record));
        };
        let fields = login_fields(&text).filter(|_| dir == Dir::In);
        let login = fields.map(|fields| Login::of(tables, &fields));
        let text = login.as_ref().map_or(text, |login| login.text.clone());
        let first = login.filter(|_| !std::mem::replace(&mut begun, true));
        if let Some(login) = &first {
            push(Leg::Env, Dir::In, one("begin", login.begin.to_value()));
        }
        push(Leg::Legacy, dir, frame(socket, &text));
        if let Some((login, reply)) = first.zip(reply.as_ref()) {
            if let Some(Value::Int(uid)) = reply.get("uid") {
                let pair = Value::List(vec![login.begin.account.clone().into(), (*uid).into()]);
                push(Leg::Env, Dir::In, one("name", one("uid", pair)));
            }
            let line = reply.get("line").cloned().unwrap_or_default().into_text();
            let data = vec![("socket".into(), number(socket)), ("line".into(), line.into())];
            push(Leg::Env, Dir::In, one("admitted", Value::Map(data)));
        }
    }
    reply.is_some()
}

/// A login, and what its session begins with.
struct Login {
    text: String,
    begin: Begin,
}

impl Login {
    fn of(tables: &Tables, fields: &Value) -> Self {
        let transport = Transport::WebSocket;
        let profile = tables.profile(transport, fields).map(|at| &tables.profiles[at]);
        let wire = profile.and_then(|profile| tables.wire(&profile.family));
        let row: Option<&RowCall> = wire.and_then(|wire| match &wire.login.target {
            Target::Row(row) => Some(row),
            _ => None,
        });
        let fields = row.map_or(Value::Map(Vec::new()), |row| without_token(row, fields));
        let account = row.map_or(Value::Null, |row| login_field(row, &fields, "account"));
        Self {
            text: login_text(transport, &fields),
            begin: Begin {
                profile: profile.map_or("".into(), |profile| profile.name.clone()),
                account: account.into_text(),
                // Of the server that was, nobody knows any of this.
                offline_messages: false,
                lacks: Vec::new(),
                platform: None,
                limits: SessionLimits::default(),
            },
        }
    }
}

fn frame(socket: u64, text: &str) -> Value {
    let text: Text = text.into();
    Value::Map(vec![("socket".into(), number(socket)), ("frame".into(), text.into())])
}

fn without_query(url: &str) -> String {
    url.split(['?', '#'])
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}
