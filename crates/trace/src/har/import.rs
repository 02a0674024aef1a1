//! A trace of the legacy leg, made of an archive.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{number, one};
use crate::live::replay_embedded;
use crate::reader::{Trace, read};
use crate::record::{Dir, Header, Leg, Record, VERSION};
use crate::replay::NoSense;
use crate::session_context::Begin;
use engine::SessionLimits;
use protocol::client::login_reply;
use protocol::decoder::Decoder;
use protocol::encoders;
use protocol::{ClientFrame, login_field, login_text, without_token};
use rtm::value::{Text, Value};
use tables::Tables;
use tables::profile::Transport;
use tables::wire::{RowCall, Target};

use crate::har::HarError;
use crate::har::file;
use crate::har::file::{Entry, Message};
use crate::har::message;
use crate::har::message::Said;

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The trace: its records are in the order of time.
    pub trace: Trace,
    /// Sessions: sockets that have logged in.
    pub sessions: usize,
    /// Frames of theirs.
    pub frames: usize,
    /// Those that were not let in: no answer to their login, or a refusal.
    pub not_admitted: usize,
    /// Frames of theirs before their login: left out.
    pub early: usize,
    /// Sockets that said nothing, as those that lose an SDK's race: left out.
    pub silent: usize,
    /// Sockets that said other things: left out.
    pub others: usize,
    /// Entries that are none of a HAR: left out.
    pub odd: usize,
}

/// Makes a trace of an archive, and plays it to see that it can be played. Tokens are replaced; all else is as it was.
///
/// # Errors
/// What is wrong with it.
pub fn import(tables: &Arc<Tables>, bytes: &[u8]) -> Result<Imported, HarError> {
    let entries = file::read(bytes)?;
    let count = entries.len();
    let mut timeline: Vec<(u64, Record)> = Vec::new();
    let mut sessions: Vec<(usize, String)> = Vec::new();
    let (mut with_messages, mut silent, mut others, mut odd) = (0, 0, 0, 0);
    let (mut frames, mut early, mut admitted) = (0, 0, 0);
    for (at, entry) in entries.into_iter().enumerate() {
        let Ok(entry) = entry else {
            odd += 1;
            continue;
        };
        with_messages += usize::from(!entry.messages.is_empty());
        match owner(&entry) {
            Owner::Nobody => silent += usize::from(entry.is_socket),
            Owner::Other => others += 1,
            Owner::App => {
                let url = without_query(&entry.url);
                let (before, said) = said(at, &url, &entry.messages)?;
                (early, frames) = (early + before, frames + said.len());
                sessions.push((at, url));
                let (number, socket) = (sessions.len() as u64, at as u64 + 1);
                admitted += usize::from(session(tables, number, socket, said, &mut timeline));
            }
        }
    }
    if with_messages == 0 {
        return Err(HarError::NoMessages { entries: count });
    }
    if sessions.is_empty() {
        return Err(HarError::NoLogin { sockets: with_messages });
    }
    ends_by_next_logins(&mut timeline);
    let imported = Imported {
        trace: trace(timeline),
        sessions: sessions.len(),
        frames,
        not_admitted: sessions.len() - admitted,
        early,
        silent,
        others,
        odd,
    };
    played(tables, &imported.trace, &sessions)?;
    Ok(imported)
}

/// Whose socket an entry is.
enum Owner {
    /// Nothing was sent on it.
    Nobody,
    /// A legacy app's: a login was sent on it.
    App,
    /// Another product's: whatever its messages hold.
    Other,
}

fn owner(entry: &Entry) -> Owner {
    let is_login = |message: &&Message| {
        message::text(message)
            .ok()
            .flatten()
            .is_some_and(|text| is_login(&text))
    };
    // One that does not say who sent it may be the app's.
    let sent = |message: &&Message| matches!(message::dir(message), Ok(Some(Dir::In)) | Err(_));
    let sent: Vec<&Message> = entry.messages.iter().filter(sent).collect();
    match sent.is_empty() {
        true => Owner::Nobody,
        false if sent.iter().any(is_login) => Owner::App,
        false => Owner::Other,
    }
}

/// Reads the frames of an app's socket from its login on, and how many were before that.
fn said(entry: usize, url: &str, messages: &[Message]) -> Result<(usize, Vec<Said>), HarError> {
    let wrong = |message, what| HarError::Message {
        entry,
        url: url.to_owned(),
        message,
        what,
    };
    let mut all = Vec::with_capacity(messages.len());
    for (position, message) in messages.iter().enumerate() {
        let said = message::read(message).map_err(|what| wrong(position, what))?;
        // As in a recording: they carry nothing.
        all.extend(said.filter(|said| !is_ping(said)).map(|said| (position, said)));
    }
    if is_newest_first(&all) {
        all.reverse();
    }
    // A session begins with its login.
    let is_in = |(_, said): &&(usize, Said)| said.dir == Dir::In;
    let begins = all.iter().position(|said| is_in(&said) && is_login(&said.1.text));
    let session = all.split_off(begins.unwrap_or(all.len()));
    let is_frame = |(_, said): &&(usize, Said)| Decoder::WebSocket.decode(&said.text).is_some();
    if let Some((position, _)) = session.iter().filter(is_in).find(|said| !is_frame(said)) {
        return Err(wrong(*position, "it is no frame of the Web wire"));
    }
    Ok((all.len(), session.into_iter().map(|(_, said)| said).collect()))
}

/// Whether the list is in the order in which some tools have it; else it is in the order of time, whatever the times are.
fn is_newest_first(said: &[(usize, Said)]) -> bool {
    let times: Vec<u64> = said.iter().filter_map(|(_, said)| said.at_us).collect();
    times.is_sorted_by(|a, b| a >= b) && times.first() > times.last()
}

/// Makes a trace of records with moments since the UNIX epoch.
fn trace(mut timeline: Vec<(u64, Record)>) -> Trace {
    // Stable: what was said at the same time stays in its order.
    timeline.sort_by_key(|(at_us, _)| *at_us);
    let started_ms = timeline.first().map_or(0, |(at_us, _)| at_us / 1000);
    let relative = |(at_us, record): (u64, Record)| Record {
        t_us: at_us - started_ms * 1000,
        ..record
    };
    Trace {
        header: Header {
            sigbridge_trace: VERSION,
            started_ms,
            program: env!("CARGO_PKG_VERSION").into(),
            redaction: "none".into(),
            source: Some("har".into()),
            missing: vec![Leg::Rtm],
        },
        records: (2..).zip(timeline.into_iter().map(relative)).collect(),
        unfinished: false,
    }
}

/// Reads a trace back as a file of it would be, and plays it: `replay` must not refuse it.
fn played(tables: &Arc<Tables>, trace: &Trace, sessions: &[(usize, String)]) -> Result<(), HarError> {
    let wrong = |line: usize, what: String| {
        let (_, record) = &trace.records[line.saturating_sub(2).min(trace.records.len() - 1)];
        let (entry, url) = &sessions[(record.session as usize).saturating_sub(1).min(sessions.len() - 1)];
        HarError::Unplayable {
            entry: *entry,
            url: url.clone(),
            what,
        }
    };
    let mut text = Vec::new();
    let written = trace.write(&mut text, trace.records.iter().map(|(_, record)| record));
    written.map_err(|error| wrong(0, error.to_string()))?;
    let read = read(&*text).map_err(|error| wrong(error.line(), error.to_string()))?;
    let encoders = encoders(tables).map(Arc::new);
    let encoders = encoders.ok_or_else(|| wrong(0, "the tables have no wire for a profile".into()))?;
    match replay_embedded(tables, &encoders, &read, 1) {
        Ok(_) => Ok(()),
        Err(NoSense { line, what }) => Err(wrong(line, what.to_string())),
    }
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
    let frames = Decoder::WebSocket.decode(text)?.frames;
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
    let mut now = said.iter().find_map(|said| said.at_us).unwrap_or(0);
    let mut begun = false;
    for Said { at_us, dir, text } in said {
        now = at_us.unwrap_or(now).max(now);
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
