//! Results of replayed traces, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use rtm::value::Text;
use trace::Difference;

use crate::cli::replay::Played;

/// Formats a difference with its causes.
pub fn difference_text(path: &Path, difference: &Difference) -> String {
    let row = |row: Option<&Text>| row.map_or(String::new(), |row| format!("  [{row}]"));
    let mut text = format!(
        "{}:{}: session {} differs, {} ms in",
        path.display(),
        difference.line,
        difference.session,
        difference.t_us / 1000
    );
    if let Some(after) = &difference.after {
        text.push_str(&format!("\n  after     {:?} {}", after.leg, after.data));
    }
    match &difference.expected {
        Some(expected) => text.push_str(&format!(
            "\n  expected  {:?} {}{}",
            expected.leg,
            expected.data,
            row(expected.row.as_ref())
        )),
        None => text.push_str("\n  expected  nothing more"),
    }
    match &difference.got {
        Some(got) => text.push_str(&format!(
            "\n  got       {:?} {}{}",
            got.leg,
            got.data,
            row(got.row.as_ref())
        )),
        None => text.push_str("\n  got       nothing more"),
    }
    for change in &difference.changes {
        text.push_str(&format!("\n  at        {change}"));
    }
    if !difference.codes.is_empty() {
        let codes: Vec<&str> = difference.codes.iter().map(|code| &**code).collect();
        text.push_str(&format!("\n  codes     {}", codes.join(", ")));
    }
    text
}

/// Converts a result to JSON.
pub fn as_json(played: &Played) -> serde_json::Value {
    let path = played.path.display().to_string();
    match &played.result {
        Err(what) => json!({ "trace": path, "unreadable": what }),
        Ok(outcome) => {
            let difference = |d: &Difference| {
                json!({
                    "line": d.line,
                    "session": d.session,
                    "t_us": d.t_us,
                    "expected": d.expected,
                    "got": d.got.as_ref().map(|got| json!({ "leg": got.leg, "row": got.row, "data": got.data })),
                    "changes": d.changes,
                    "after": d.after,
                    "codes": d.codes,
                })
            };
            let differences: Vec<_> = outcome.differences.iter().map(difference).collect();
            json!({
                "trace": path,
                "sessions": outcome.sessions,
                "records": outcome.records,
                "passed_over": outcome.passed_over,
                "differences": differences,
                "cut": outcome.cut,
                "updated": played.updated.as_ref().is_some_and(Result::is_ok),
            })
        }
    }
}

/// Writes a JUnit report.
///
/// # Errors
/// An I/O error.
pub fn write_junit(file: &mut dyn Write, all: &[Played]) -> io::Result<()> {
    let bad = |played: &&Played| played.result.as_ref().map_or(true, |o| !o.differences.is_empty());
    let failures = all.iter().filter(bad).count();
    writeln!(file, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        file,
        r#"<testsuite name="sigbridge replay" tests="{}" failures="{failures}">"#,
        all.len()
    )?;
    for played in all {
        let name = escaped(&played.path.display().to_string());
        let what = match &played.result {
            Err(what) => Some(what.clone()),
            Ok(outcome) => {
                let texts = outcome.differences.iter().map(|d| difference_text(&played.path, d));
                let texts: Vec<String> = texts.collect();
                (!texts.is_empty()).then(|| texts.join("\n"))
            }
        };
        match what {
            None => writeln!(file, r#"  <testcase name="{name}"/>"#)?,
            Some(what) => {
                writeln!(file, r#"  <testcase name="{name}">"#)?;
                writeln!(file, "    <failure>{}</failure>", escaped(&what))?;
                writeln!(file, "  </testcase>")?;
            }
        }
    }
    writeln!(file, "</testsuite>")
}

/// Escapes text for XML.
fn escaped(text: &str) -> String {
    let legal = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(legal).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
