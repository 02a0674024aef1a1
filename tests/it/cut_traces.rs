//! Recordings that were not finished: their server was killed, or could not write on. They are read for what they have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{folder, tables};
use trace::{Outcome, Trace, read, read_unfinished, replay};

/// Two clients, a call that is answered, and timers.
const TRACE: &str = "fixtures/traces/invite.send.web.jsonl";

fn text() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TRACE)).expect("the fixture")
}

fn outcome(trace: &Trace) -> Outcome {
    let (tables, encoders) = tables();
    replay(&tables, &encoders, trace).expect("it makes sense")
}

/// Wherever the process was killed.
#[test]
fn records_after_a_cut_are_no_difference() {
    let text = text();
    let ends = text.match_indices('\n').map(|(at, _)| at + 1).skip(1);
    let mut between = 0;
    for end in ends {
        for cut in [end, end - 1, end - 20] {
            let trace = read_unfinished(&text.as_bytes()[..cut]).expect("a trace");
            let outcome = outcome(&trace);
            assert!(outcome.differences.is_empty(), "{cut}: {:#?}", outcome.differences);
            assert_eq!(outcome.cut.len(), outcome.sessions, "{cut}");
        }
        // As if that had been all: an output of the last input is missing.
        let whole = outcome(&read(&text.as_bytes()[..end]).expect("a trace"));
        between += usize::from(!whole.differences.is_empty());
    }
    assert!(between > 10, "{between} cuts were between an input and its outputs");
}

#[test]
fn records_before_a_cut_are_compared() {
    let text = text();
    let at = text.find("login_ret").expect("an answer") + 40;
    let end = at + text[at..].find('\n').expect("the end of a line") + 1;
    let changed = text[..end].replacen("login_ret", "login_rot", 1);
    let outcome = outcome(&read_unfinished(changed.as_bytes()).expect("a trace"));
    assert_eq!(outcome.differences.len(), 1);
    let paths: Vec<&str> = outcome.differences[0]
        .changes
        .iter()
        .map(|change| &*change.path)
        .collect();
    assert_eq!(paths, [".frame[0]"]);
}

/// The note about sessions that a recording lost while they continued.
#[test]
fn a_lost_session_is_compared_up_to_there() {
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    let lost = |session: u64, t_us: &str| {
        format!(r#"{{"t_us":{t_us},"session":{session},"leg":"env","dir":"in","data":{{"lost":true}}}}"#)
    };
    for end in 10..lines.len() {
        let last: serde_json::Value = serde_json::from_str(lines[end - 1]).expect("JSON");
        let t_us = last["t_us"].to_string();
        let begun = lines[..end].iter().filter(|line| line.contains("{\"begin\":")).count();
        let mut trace = lines[..end].join("\n") + "\n";
        for session in 1..=begun {
            trace += &(lost(session as u64, &t_us) + "\n");
        }
        let outcome = outcome(&read(trace.as_bytes()).expect("a trace"));
        assert!(outcome.differences.is_empty(), "{end}: {:#?}", outcome.differences);
        assert_eq!(outcome.cut.len(), begun);
    }
    let unused = format!("{}\n{}\n", lines[0], lost(1, "0"));
    let (tables, encoders) = tables();
    let error = replay(&tables, &encoders, &read(unused.as_bytes()).expect("a trace"));
    assert_eq!(
        error.expect_err("no session loses records").to_string(),
        "line 2: session 1 did not begin"
    );
}

fn run(args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_sigbridge")).args(args).output();
    program.expect("the program runs")
}

fn check(args: &[&str], code: i32, stdout: &str, stderr: &[&str]) {
    let output = run(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
    assert!(out.contains(stdout), "{args:?} lacks {stdout}: {out}");
    for part in stderr {
        assert!(err.contains(part), "{args:?} lacks {part}: {err}");
    }
}

/// A folder with the beginning of a recording, cut within a line.
fn unfinished(name: &str) -> (PathBuf, String) {
    let folder = folder(name);
    fs::create_dir_all(&folder).expect("a folder");
    let part = folder.join("1-0001.jsonl.part");
    let text = text();
    fs::write(&part, &text[..text.len() / 2]).expect("a file");
    (folder, part.display().to_string())
}

#[test]
fn commands_read_it_where_it_is_named() {
    let (folder, part) = unfinished("named");
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(TRACE).display().to_string();
    let is_not = "note: ";
    let names = "1-0001.jsonl.part is unfinished";
    check(
        &["replay", &part],
        0,
        "1 equal, 0 different, 0 unreadable, 1 truncated",
        &[is_not, names, "2 of 2 sessions are truncated"],
    );
    check(&["replay", "--json", &part], 0, r#""cut":[1,2]"#, &[]);
    check(&["replay", "--against", "embedded", &part], 0, "1 equal", &[names]);
    check(&["coverage", &part], 0, "onInviteReceivedByPeer", &[is_not, names]);
    check(&["diff", &whole, &part], 1, "sessions: 2 compared", &[is_not, names]);
    check(&["trace", "export", &part], 0, "\"entries\"", &[is_not, names]);
    check(
        &["replay", "--update", &part],
        64,
        "",
        &["is unfinished and cannot be updated", "hint: "],
    );

    // A folder has what is finished.
    let folder = folder.display().to_string();
    for command in ["replay", "coverage"] {
        check(
            &[command, &folder],
            2,
            "",
            &["no finished traces found, and 1 unfinished ones", &part],
        );
    }
    fs::write(Path::new(&folder).join("0-0001.jsonl"), text()).expect("a file");
    check(
        &["replay", &folder],
        0,
        "1 traces,",
        &["note: skipped 1 unfinished traces (.jsonl.part)"],
    );
    fs::remove_dir_all(&folder).expect("it can be removed");
}
