//! Files: traces, archives of browsers, the mailbox file, the usage file, records of sessions in Redis.

use analysis::report::{self, Day, UsageFile};
use rtm::time::Time;
use rtm::value::Text;
use sigbridge::server::{mailbox_file, session_record};
use trace::{Coverage, Policy, Redaction, Redactor, Scope, Trace, har};

use super::{BUILT_IN, ENCODERS, selected, text};

/// The first byte selects the format.
pub fn files(data: &[u8]) {
    let (choice, rest) = selected(data);
    match choice {
        b'h' => archive(rest),
        b'm' => mailbox(rest),
        b'u' => usage(&text(rest)),
        b'r' => record(rest),
        b'p' => {
            if let Ok(trace) = trace::read_unfinished(rest) {
                played(&trace);
            }
        }
        _ => {
            let _ = trace::read_as_written(rest);
            if let Ok(trace) = trace::read(rest) {
                played(&trace);
            }
        }
    }
}

/// A written trace is read as the same one; any trace can be replayed, compared, counted and redacted.
fn played(trace: &Trace) {
    let mut written = Vec::new();
    let records = trace.records.iter().map(|(_, record)| record);
    trace
        .write(&mut written, records)
        .expect("writing to a Vec cannot fail");
    let again = trace::read_as_written(&written[..]).expect("a trace that was written");
    assert_eq!(again.records.len(), trace.records.len());
    assert!(again.records.iter().zip(&trace.records).all(|(a, b)| a.1 == b.1));
    let _ = trace::replay(&BUILT_IN, &ENCODERS, trace);
    let _ = trace::replay_embedded(&BUILT_IN, &ENCODERS, trace, 1);
    let mut coverage = Coverage::default();
    coverage.add(&BUILT_IN, trace);
    let diff = trace::diff(trace, trace, Scope::All);
    assert!(diff.sessions.is_empty(), "a trace differs from itself");
    let _ = har::export(trace);
    let mut file = UsageFile::default();
    report::add_trace(&mut file, &BUILT_IN, trace);
    for (names, bodies) in [(Policy::Keep, Policy::Keep), (Policy::Placeholder, Policy::Hash)] {
        let redaction = Redaction::new(&BUILT_IN, names, bodies).expect("randomness");
        let mut redactor = Redactor::new(redaction);
        for (_, record) in &trace.records {
            redactor.redact(record.clone());
        }
    }
}

fn archive(bytes: &[u8]) {
    if let Ok(imported) = har::import(&BUILT_IN, bytes) {
        played(&imported.trace);
    }
}

fn mailbox(bytes: &[u8]) {
    let read = mailbox_file::Content::read(bytes, &BUILT_IN, |at| at > Time::from_millis(3));
    let read = read.expect("reading from memory cannot fail");
    for (event, _) in read.waiting.iter().flat_map(|(_, lines)| lines) {
        assert_eq!(event.args.len(), BUILT_IN.signatures[event.sig].args.len());
    }
}

/// A usage file is the same again after it was written, and every report of it can be made.
fn usage(text: &str) {
    let Ok(file) = UsageFile::read(text) else { return };
    let again = UsageFile::read(&file.text()).expect("a file that was written");
    assert_eq!(again, file);
    let report = report::report(&file, &BUILT_IN, Day::of(Time::from_millis(1_593_475_200_000)));
    let _ = (report.to_string(), report::html(&report));
    let mut merged = file.clone();
    merged.merge(file);
}

/// Fields and values in turn, by lines.
fn record(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let pairs = lines.chunks_exact(2).map(|pair| (pair[0].to_vec(), pair[1].to_vec()));
    if let Ok(Some(loaded)) = session_record::read(pairs.collect(), &BUILT_IN) {
        for (_, line) in &loaded.record.lines {
            let name: &Text = &BUILT_IN.signatures[line.event.sig].name;
            assert_eq!(
                line.event.args.len(),
                BUILT_IN.signatures[line.event.sig].args.len(),
                "{name}"
            );
        }
    }
}
