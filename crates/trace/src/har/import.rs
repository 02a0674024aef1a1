//! Import of a HAR as a trace of the legacy leg.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{number, one};
use crate::live::replay_embedded;
use crate::reader::{Trace, read};
use crate::record::{Dir, Header, Leg, Record, VERSION};
use crate::replay::InconsistentRecord;
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
use crate::har::message::AppFrame;

/// Import result.
#[derive(Debug)]
pub struct Imported {
    /// Trace with records in time order.
    pub trace: Trace,
    /// Sessions: sockets with a login.
    pub sessions: usize,
    /// Frames of these sessions.
    pub frames: usize,
    /// Sessions without an accepted login.
    pub not_admitted: usize,
    /// Skipped frames before a login.
    pub early: usize,
    /// Skipped sockets without client frames, as those that lose an SDK's race.
    pub silent: usize,
    /// Skipped sockets of other products.
    pub others: usize,
    /// Skipped invalid entries.
    pub odd: usize,
}

/// Imports a HAR, and replays the trace to validate it. Tokens are replaced; all other data is unchanged.
///
/// # Errors
/// [`HarError`].
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
                let (before, app_frames) = app_frames(at, &url, &entry.messages)?;
                (early, frames) = (early + before, frames + app_frames.len());
                sessions.push((at, url));
                let (number, socket) = (sessions.len() as u64, at as u64 + 1);
                admitted += usize::from(session(tables, number, socket, app_frames, &mut timeline));
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

/// Owner of a socket.
enum Owner {
    /// No message was sent on it.
    Nobody,
    /// Legacy app: it sent a login.
    App,
    /// Another product.
    Other,
}

fn owner(entry: &Entry) -> Owner {
    let is_login = |message: &&Message| {
        message::text(message)
            .ok()
            .flatten()
            .is_some_and(|text| is_login(&text))
    };
    // A message without a direction may belong to the app.
    let sent = |message: &&Message| matches!(message::dir(message), Ok(Some(Dir::In)) | Err(_));
    let sent: Vec<&Message> = entry.messages.iter().filter(sent).collect();
    match sent.is_empty() {
        true => Owner::Nobody,
        false if sent.iter().any(is_login) => Owner::App,
        false => Owner::Other,
    }
}

/// Reads the frames of an app's socket from its login on, and the number of earlier ones.
fn app_frames(entry: usize, url: &str, messages: &[Message]) -> Result<(usize, Vec<AppFrame>), HarError> {
    let wrong = |message, what| HarError::Message {
        entry,
        url: url.to_owned(),
        message,
        what,
    };
    let mut all = Vec::with_capacity(messages.len());
    for (position, message) in messages.iter().enumerate() {
        let app_frames = message::read(message).map_err(|what| wrong(position, what))?;
        // As in a recording: they carry no data.
        all.extend(
            app_frames
                .filter(|app_frames| !is_ping(app_frames))
                .map(|app_frames| (position, app_frames)),
        );
    }
    if is_newest_first(&all) {
        all.reverse();
    }
    // A session begins with its login.
    let is_in = |(_, app_frames): &&(usize, AppFrame)| app_frames.dir == Dir::In;
    let begins = all
        .iter()
        .position(|app_frames| is_in(&app_frames) && is_login(&app_frames.1.text));
    let session = all.split_off(begins.unwrap_or(all.len()));
    let is_frame = |(_, app_frames): &&(usize, AppFrame)| Decoder::WebSocket.decode(&app_frames.text).is_some();
    if let Some((position, _)) = session.iter().filter(is_in).find(|app_frames| !is_frame(app_frames)) {
        return Err(wrong(*position, "not a frame of the Web wire"));
    }
    Ok((
        all.len(),
        session.into_iter().map(|(_, app_frames)| app_frames).collect(),
    ))
}

/// Returns true if the list is newest first, as some tools write it.
fn is_newest_first(app_frames: &[(usize, AppFrame)]) -> bool {
    let times: Vec<u64> = app_frames
        .iter()
        .filter_map(|(_, app_frames)| app_frames.at_us)
        .collect();
    times.is_sorted_by(|a, b| a >= b) && times.first() > times.last()
}

/// Builds a trace from records with absolute times.
fn trace(mut timeline: Vec<(u64, Record)>) -> Trace {
    // A stable sort keeps the order of simultaneous frames.
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

/// Replays the trace as read from a file, to ensure that `replay` accepts it.
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
    let encoders = encoders.ok_or_else(|| wrong(0, "a profile of the tables has no wire".into()))?;
    match replay_embedded(tables, &encoders, &read, 1) {
        Ok(_) => Ok(()),
        Err(InconsistentRecord { line, what }) => Err(wrong(line, what.to_string())),
    }
}

/// Adds ends of sockets, which a HAR lacks: a silent socket ended before its account's next login on another socket.
fn ends_by_next_logins(timeline: &mut Vec<(u64, Record)>) {
    let mut logins: HashMap<(Text, Text), Vec<&(u64, Record)>> = HashMap::new();
    let mut last: HashMap<u64, (u64, Value)> = HashMap::new();
    for app_frames in timeline.iter() {
        let (at_us, record) = app_frames;
        let Some(frame) = record.data.get("frame").and_then(Value::as_text) else {
            continue;
        };
        let socket = record.data.get("socket").cloned().unwrap_or_default();
        last.insert(record.session, (*at_us, socket));
        if let Some(fields) = login_fields(frame).filter(|_| record.dir == Dir::In) {
            let field = |name| fields.get(name).cloned().unwrap_or_default().into_text();
            logins
                .entry((field("vid"), field("account")))
                .or_default()
                .push(app_frames);
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

/// Parses the fields of a Web login.
fn login_fields(text: &str) -> Option<Value> {
    // Most frames are not logins; avoid parsing long ones twice.
    if !text.contains("\"login\"") {
        return None;
    }
    let frames = Decoder::WebSocket.decode(text)?.frames;
    frames.into_iter().find_map(|frame| match frame {
        ClientFrame::Login(fields) if fields.as_map().is_some() => Some(fields),
        _ => None,
    })
}

fn is_ping(app_frames: &AppFrame) -> bool {
    let name = match app_frames.dir {
        Dir::In => "ping",
        Dir::Out => "pong",
    };
    // A longer text is not a login.
    app_frames.text.len() < 64
        && Value::from_json(&app_frames.text).is_ok_and(|frame| {
            let first = frame.as_list().and_then(<[Value]>::first);
            first.and_then(Value::as_text).is_some_and(|first| &**first == name)
        })
}

fn is_login(text: &str) -> bool {
    login_fields(text).is_some()
}

/// Adds the records of a session; returns true if the login was accepted.
fn session(
    tables: &Arc<Tables>,
    session: u64,
    socket: u64,
    app_frames: Vec<AppFrame>,
    timeline: &mut Vec<(u64, Record)>,
) -> bool {
    let reply = app_frames
        .iter()
        .filter(|app_frames| app_frames.dir == Dir::Out)
        .find_map(|app_frames| login_reply(&app_frames.text));
    let reply = reply.and_then(Result::ok);
    // Tools may record out of order; the list order is right.
    let mut now = app_frames.iter().find_map(|app_frames| app_frames.at_us).unwrap_or(0);
    let mut begun = false;
    for AppFrame { at_us, dir, text } in app_frames {
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

/// Login, with the beginning of its session.
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
                // Unknown properties of the recorded server.
                offline_messages: false,
                durable: false,
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
