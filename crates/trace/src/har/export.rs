//! Export of a trace's legacy leg as a HAR, with one entry per socket, in Chromium's format.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::reader::Trace;
use crate::record::{Dir, Header, Leg, Record};
use rtm::value::Text;

/// Exports a trace. Frames of every transport become text messages; other legs are not exported.
pub fn export(trace: &Trace) -> Json {
    let mut profiles: BTreeMap<u64, Text> = BTreeMap::new();
    let mut sockets: BTreeMap<(u64, i64), Socket> = BTreeMap::new();
    for (_, record) in &trace.records {
        let begin = record.data.get("begin").filter(|_| record.leg == Leg::Env);
        if let Some(profile) = begin.and_then(|begin| begin.get("profile")?.as_text()) {
            profiles.insert(record.session, profile.clone());
        }
        if let Some((socket, text)) = frame(record) {
            let socket = sockets.entry((record.session, socket)).or_insert_with(|| Socket {
                first_us: record.t_us,
                last_us: record.t_us,
                messages: Vec::new(),
            });
            socket.last_us = record.t_us;
            socket.messages.push(message(&trace.header, record, text));
        }
    }
    let mut entries: Vec<((u64, i64), Socket)> = sockets.into_iter().collect();
    entries.sort_by_key(|(_, socket)| socket.first_us);
    let entry = |((session, number), socket): ((u64, i64), Socket)| {
        let about = json!({
            "session": session,
            "socket": number,
            "profile": profiles.get(&session).map(|profile| &**profile),
        });
        entry(&trace.header, &about, socket)
    };
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
        "pages": [],
        "entries": entries.into_iter().map(entry).collect::<Vec<_>>(),
    }})
}

struct Socket {
    first_us: u64,
    last_us: u64,
    messages: Vec<Json>,
}

fn frame(record: &Record) -> Option<(i64, &Text)> {
    if record.leg != Leg::Legacy {
        return None;
    }
    let socket = record.data.get("socket")?.as_int()?;
    Some((socket, record.data.get("frame")?.as_text()?))
}

/// A double is precise to the microsecond in this century.
#[allow(clippy::cast_precision_loss)]
fn message(header: &Header, record: &Record, text: &Text) -> Json {
    let micros = header.started_ms.saturating_mul(1000).saturating_add(record.t_us);
    json!({
        "type": if record.dir == Dir::In { "send" } else { "receive" },
        "time": micros as f64 / 1e6,
        "opcode": 1,
        "data": &**text,
    })
}

#[allow(clippy::cast_precision_loss)]
fn entry(header: &Header, about: &Json, socket: Socket) -> Json {
    let millis = (socket.last_us - socket.first_us) as f64 / 1e3;
    // The trace has no address; this one is reserved (RFC 2606).
    let url = format!(
        "wss://sigbridge.invalid/session/{}/socket/{}",
        about["session"], about["socket"]
    );
    json!({
        "startedDateTime": date(header, socket.first_us),
        "time": millis,
        "request": {
            "method": "GET",
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "queryString": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 101,
            "statusText": "Switching Protocols",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "content": { "size": 0, "mimeType": "x-unknown" },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": millis },
        "_resourceType": "websocket",
        "_sigbridge": about,
        "_webSocketMessages": socket.messages,
    })
}

/// A time outside the calendar becomes the UNIX epoch.
fn date(header: &Header, t_us: u64) -> String {
    let nanos = i128::from(header.started_ms) * 1_000_000 + i128::from(t_us) * 1000;
    let date = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    date.format(&Rfc3339).unwrap_or_default()
}
