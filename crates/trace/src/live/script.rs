//! Data of a trace known before a live replay: names, apps, inputs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::names::ReadNames;
use crate::reader::Trace;
use crate::record::{Dir, Leg, Record};
use crate::session_context::Begin;
use protocol::decoder::Decoder;
use protocol::{ClientFrame, login_field};
use rtm::AppId;
use rtm::value::Value;
use tables::Tables;
use tables::wire::{Target, Wire};

/// Returns the names recorded by any session.
pub fn names(trace: &Trace) -> Arc<ReadNames> {
    let mut names = ReadNames::default();
    for (_, record) in &trace.records {
        if record.leg == Leg::Env && record.dir == Dir::In {
            names.learn(&record.data);
        }
    }
    Arc::new(names)
}

/// Returns the app in the first login of each session.
pub fn apps(tables: &Arc<Tables>, trace: &Trace) -> HashMap<u64, AppId> {
    let mut apps = HashMap::new();
    let mut decoders: HashMap<u64, (Decoder, Arc<Wire>)> = HashMap::new();
    for (_, record) in trace.records.iter().filter(|(_, record)| record.dir == Dir::In) {
        if let Some(decoder) = decoder(tables, record) {
            decoders.insert(record.session, decoder);
        }
        let Some((decoder, wire)) = decoders.get(&record.session) else {
            continue;
        };
        if let Some(fields) = login_of(decoder, record) {
            if let Target::Row(row) = &wire.login.target
                && let Ok(app) = AppId::new(login_field(row, &fields, "appId").into_text())
            {
                apps.insert(record.session, app);
            }
            decoders.remove(&record.session);
        }
    }
    apps
}

fn decoder(tables: &Arc<Tables>, record: &Record) -> Option<(Decoder, Arc<Wire>)> {
    let begin = Begin::read(record.data.get("begin")?).ok()?;
    let profile = tables.profiles.iter().find(|profile| profile.name == begin.profile)?;
    let wire = tables.wire(&profile.family)?;
    Some((Decoder::new(profile.transport, tables), wire.clone()))
}

fn login_of(decoder: &Decoder, record: &Record) -> Option<Value> {
    let frame = record.data.get("frame").and_then(Value::as_text)?;
    let frames = decoder.decode(frame)?.frames;
    frames.into_iter().find_map(|frame| match frame {
        ClientFrame::Login(fields) => Some(fields),
        _ => None,
    })
}

/// Returns true for an input; name requests occur within a step.
pub fn is_input(record: &Record) -> bool {
    record.dir == Dir::In && record.data.get("name").is_none()
}

/// Returns logins that are followed by the rest of their text: a session reads a text at once.
pub fn before_rests(trace: &Trace) -> HashSet<usize> {
    let mut last: HashMap<u64, usize> = HashMap::new();
    let mut found = HashSet::new();
    for (line, record) in &trace.records {
        if !is_input(record) {
            continue;
        }
        if let Some(before) = last.insert(record.session, *line)
            && record.data.get("rest").is_some()
        {
            found.insert(before);
        }
    }
    found
}
