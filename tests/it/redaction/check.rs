//! Properties of every redaction: no secrets, the same replay, unchanged by a second redaction.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::event::SocketId;
use rtm::value::Value;
use trace::{
    Batch, Dir, Header, Leg, Policy, Record, Redaction, Redactor, Trace, TraceEvent, read, read_as_written, replay,
};

use super::scenario::tables;

/// The text of a trace.
fn written(header: &Header, records: impl IntoIterator<Item = Record>) -> String {
    let mut text = serde_json::to_string(header).expect("JSON") + "\n";
    for record in records {
        text += &(serde_json::to_string(&record).expect("JSON") + "\n");
    }
    text
}

fn redaction(names: Policy, bodies: Policy) -> Redaction {
    Redaction::new(&tables().0, names, bodies).expect("random bytes")
}

/// The text of a trace with its secrets taken out.
pub fn redacted(header: &Header, records: &[Record], redaction: &Redaction) -> String {
    let mut redactor = Redactor::new(redaction.clone());
    let header = Header {
        redaction: redaction.header(),
        ..header.clone()
    };
    let text = written(&header, records.iter().map(|record| redactor.redact(record.clone())));
    // The order of members is the stories' own.
    let lines = |text: &str| -> Vec<serde_json::Value> {
        let line = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(line).collect()
    };
    let at_once = lines(&at_once(&header, records, redaction));
    let text_lines = lines(&text);
    assert_eq!(at_once.len(), text_lines.len(), "written at once");
    for (at_once, line) in at_once.into_iter().zip(text_lines) {
        assert_eq!(at_once, line, "written at once it differs");
    }
    text
}

/// The same as a recording writes it.
fn at_once(header: &Header, records: &[Record], redaction: &Redaction) -> String {
    let (mut batch, mut redactor) = (Batch::default(), Redactor::new(redaction.clone()));
    for record in records {
        batch.add(record.t_us, record.session, happened(record));
    }
    let mut text = written(header, []);
    for (t_us, session, what) in batch.drain() {
        redactor.write(t_us, session, what, &mut text);
    }
    text
}

fn happened(record: &Record) -> TraceEvent<'_> {
    let Record {
        leg, dir, row, data, ..
    } = record;
    let socket = data.get("socket").and_then(Value::as_int);
    let socket = socket.and_then(|socket| u64::try_from(socket).ok()).map(SocketId);
    match (leg, dir, socket, data.get("frame").and_then(Value::as_text)) {
        (Leg::Legacy, Dir::In, Some(socket), Some(frame)) => TraceEvent::Decoded { socket, frame },
        (Leg::Legacy, Dir::Out, Some(socket), Some(frame)) => TraceEvent::Sent {
            socket,
            frame,
            row: row.as_ref(),
        },
        _ => TraceEvent::Other(*leg, *dir, data.clone()),
    }
}

/// Replays a trace without a difference.
pub fn played(what: &str, trace: &Trace) {
    let (tables, encoders) = tables();
    let outcome = replay(tables, encoders, trace).unwrap_or_else(|error| panic!("{what}: {error}"));
    if let Some(difference) = outcome.differences.first() {
        let expected = difference.expected.as_ref().map(|record| record.data.to_json());
        let got = difference.got.as_ref().map(|out| out.data.to_json());
        let after = difference.after.as_ref().map(|record| record.data.to_json());
        panic!(
            "{what}, line {}:\nexpected {expected:?}\n     got {got:?}\n   after {after:?}",
            difference.line
        );
    }
    assert!(outcome.sessions > 0, "{what}");
}

/// The forms that a secret could hide in.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).expect("JSON");
    let json = json[1..json.len() - 1].to_owned();
    let twice = serde_json::to_string(&json).expect("JSON");
    let ascii: String = secret
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let quoted = secret.replace('%', "%25").replace('_', "%5F");
    let mut forms = vec![
        secret.to_owned(),
        twice[1..twice.len() - 1].to_owned(),
        json,
        ascii,
        percent,
        quoted,
    ];
    // Wherever in the bytes it begins: what surely is of it.
    for skip in 0..3 {
        if secret.len() > skip + 8 {
            let whole = (secret.len() - skip) / 3 * 3;
            let bytes = &secret.as_bytes()[skip..skip + whole];
            forms.extend([STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]);
        }
    }
    forms
}

/// Fails when a text has a secret in it.
pub fn holds_none(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        for form in forms(secret) {
            let Some(line) = text.lines().find(|line| line.contains(&form)) else {
                continue;
            };
            panic!("{what}: {secret:?} as {form:?} in {line}");
        }
    }
}

/// Redacts a trace in every way and looks at each.
pub fn check(header: &Header, records: &[Record], secrets: &[&str]) {
    let plain = written(header, records.iter().cloned());
    played("plain", &read(plain.as_bytes()).expect("a trace"));
    for (names, bodies) in [
        (Policy::Keep, Policy::Keep),
        (Policy::Placeholder, Policy::Placeholder),
        (Policy::Hash, Policy::Hash),
        (Policy::Keep, Policy::Placeholder),
        (Policy::Hash, Policy::Keep),
    ] {
        let redaction = redaction(names, bodies);
        let what = format!("{redaction:?}");
        let text = redacted(header, records, &redaction);
        let tokens = ["5ebe2294ecd0e0f08eab7690d2a6ee69"];
        holds_none(&what, &text, &tokens);
        if names != Policy::Keep && bodies != Policy::Keep {
            holds_none(&what, &text, secrets);
        }
        played(&what, &read(text.as_bytes()).expect("a trace"));
        let trace = read_as_written(text.as_bytes()).expect("a trace");
        let again: Vec<Record> = trace.records.into_iter().map(|(_, record)| record).collect();
        for (one, other) in redacted(&trace.header, &again, &redaction).lines().zip(text.lines()) {
            assert_eq!(one, other, "{what}: not the same again");
        }
    }
}
