//! Allowed differences between recorded outputs and those with a live RTM (docs/trace.md).

use std::path::Path;

use crate::support::tables;
use rtm::value::{Text, Value};
use trace::har::import;
use trace::{Dir, Leg, Record, Trace, replay_embedded};

/// Two clients of a browser, in a trace.
fn recorded() -> Trace {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/har/chromium.har");
    let (tables, _) = tables();
    let imported = import(&tables, &std::fs::read(path).expect("the fixture"));
    imported.expect("it is Chromium's").trace
}

/// Edits the trace and plays it; `expected` is what is passed over, or the beginning of what is expected and got.
fn check(what: &str, edit: impl FnOnce(&mut Vec<(usize, Record)>), expected: Result<usize, (&str, &str)>) {
    let mut trace = recorded();
    edit(&mut trace.records);
    let (tables, encoders) = tables();
    let outcome = replay_embedded(&tables, &encoders, &trace, 1).expect("it makes sense");
    let found: Vec<(String, String)> = outcome
        .differences
        .iter()
        .map(|difference| {
            let frame = |data: Option<&Value>| {
                let frame = data.and_then(|data| data.get("frame"));
                frame.map_or(String::new(), |frame| frame.clone().into_text().to_string())
            };
            (
                frame(difference.expected.as_ref().map(|expected| &expected.data)),
                frame(difference.got.as_ref().map(|got| &got.data)),
            )
        })
        .collect();
    match expected {
        Ok(passed_over) => assert_eq!((found, outcome.passed_over), (vec![], passed_over), "{what}"),
        Err((expected, got)) => {
            let matches = |text: &str, part: &str| text.contains(part) && text.is_empty() == part.is_empty();
            let is_it = |(a, b): &(String, String)| matches(a, expected) && matches(b, got);
            assert!(found.iter().any(is_it), "{what}: {found:?}");
        }
    }
}

fn frame(record: &Record) -> Text {
    record.data.get("frame").cloned().unwrap_or_default().into_text()
}

/// The first frame for a client with a part in it.
fn place(records: &[(usize, Record)], part: &str) -> usize {
    let is_it = |(_, record): &(usize, Record)| {
        record.leg == Leg::Legacy && record.dir == Dir::Out && frame(record).contains(part)
    };
    records
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("missing {part}"))
}

fn replace(record: &mut Record, from: &str, to: &str) {
    let text = frame(record);
    assert!(text.contains(from), "{text}");
    set(record, text.replace(from, to));
}

fn set(record: &mut Record, text: String) {
    let Value::Map(entries) = &mut record.data else {
        panic!("a frame")
    };
    entries[1].1 = Value::Text(text.into());
}

const HI: &str = "instant 1795254109025 hi there";

#[test]
fn outputs_of_the_same_content_and_time_are_equal() {
    check("as it was", |_| {}, Ok(0));
    check(
        "times of lines are not compared",
        |records| {
            let at = place(records, HI);
            replace(&mut records[at].1, "1795254109025", "1558730482507");
        },
        Ok(0),
    );
    check(
        "texts are",
        |records| {
            let at = place(records, HI);
            replace(&mut records[at].1, "hi there", "ho there");
        },
        Err(("ho there", "hi there")),
    );
    check(
        "members have no order",
        |records| {
            let at = place(records, r#"[\"alice\",1616324475],[\"bob\",394214941]"#);
            replace(
                &mut records[at].1,
                r#"[\"alice\",1616324475],[\"bob\",394214941]"#,
                r#"[\"bob\",394214941],[\"alice\",1616324475]"#,
            );
        },
        Ok(0),
    );
    check(
        "but numbers",
        |records| {
            let at = place(records, r#"[\"alice\",1616324475],[\"bob\",394214941]"#);
            replace(&mut records[at].1, "394214941", "394214942");
        },
        Err(("394214942", "394214941")),
    );
    check(
        "events have none among each other",
        |records| {
            let (own, answer) = (
                place(records, "channel_attr_update 1795254109044"),
                place(records, r#"["call2-ret",[4,"#),
            );
            let (a, b) = (frame(&records[own].1), frame(&records[answer].1));
            set(&mut records[own].1, b.to_string());
            set(&mut records[answer].1, a.to_string());
        },
        Ok(0),
    );
}

#[test]
fn records_of_one_side_differ_unless_both_cannot_have_them() {
    check(
        "an answer is missing",
        |records| {
            let at = place(records, r#"["call2-ret",[3,"#);
            records.remove(at);
        },
        Err(("", r#"["call2-ret",[3,"#)),
    );
    check(
        "the last one may have been on its way",
        |records| {
            let at = place(records, r#"["call2-ret",[6,"#);
            records.remove(at);
        },
        Ok(1),
    );
    check(
        "there is one too many",
        |records| {
            let at = place(records, HI);
            let again = records[at].clone();
            records.insert(at, again);
        },
        Err((HI, "")),
    );
    check(
        "users outside the trace are not replayed",
        |records| {
            let at = place(records, HI);
            let (line, mut other) = records[at].clone();
            replace(&mut other, "alice bob", "carol bob");
            records.insert(at, (line, other));
        },
        Ok(1),
    );
}

#[test]
fn nothing_comes_late_or_long_before_its_time() {
    let shift = |part: &'static str, ms: i64| {
        move |records: &mut Vec<(usize, Record)>| {
            let at = place(records, part);
            let after = at + 1;
            let move_by = |t_us: &mut u64| *t_us = t_us.saturating_add_signed(ms * 1000);
            move_by(&mut records[at].1.t_us);
            if ms > 0 {
                records[after..]
                    .iter_mut()
                    .for_each(|(_, record)| move_by(&mut record.t_us));
            }
        }
    };
    check("it came four seconds after its cause", shift(HI, 4_000), Ok(0));
    check(
        "it came six seconds after its cause",
        shift(HI, 6_000),
        Err((HI, HI_NOW)),
    );
    check(
        "it came before its cause, by a rounding",
        shift(r#"["call2-ret",[6,"#, -90),
        Ok(0),
    );
    check(
        "it came before its cause",
        shift(r#"["call2-ret",[6,"#, -200),
        Err((r#"["call2-ret",[6,"#, r#"["call2-ret",[6,"#)),
    );
}

const HI_NOW: &str = "hi there";
