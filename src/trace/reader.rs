//! Reading a trace: every line has its place in the errors.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use crate::json;

use super::expand;
use super::policy::NONE;
use super::record::{Header, Record, VERSION};

/// Longest line of a trace, bytes: a frame of 64 KiB in JSON, and room.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;

/// A trace that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file system's.
    #[error("line {line}: {source}")]
    Io {
        /// The line, from 1.
        line: usize,
        /// What the system says.
        source: std::io::Error,
    },
    /// It has no lines.
    #[error("line 1: there is no header: the file is empty")]
    Empty,
    /// The first line is no header.
    #[error("line 1: no header of a trace: {0}")]
    NoHeader(String),
    /// Another version.
    #[error("line 1: the trace has version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// A line that is no record.
    #[error("line {line}: no record: {what}")]
    NoRecord {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The last line has no end.
    #[error("line {line}: the trace is cut off: the line has no end")]
    Truncated {
        /// The line, from 1.
        line: usize,
    },
    /// A line that goes on and on.
    #[error("line {line}: the line is longer than {MAX_LINE_BYTES} bytes")]
    TooLong {
        /// The line, from 1.
        line: usize,
    },
    /// Placeholders that stand for more than a line holds.
    #[error("line {line}: its placeholders stand for more than {MAX_LINE_BYTES} bytes")]
    TooMuch {
        /// The line, from 1.
        line: usize,
    },
    /// The time of a session goes back.
    #[error("line {line}: t_us goes back")]
    Order {
        /// The line, from 1.
        line: usize,
    },
}

/// A trace with the number of each record's line.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The first line.
    pub header: Header,
    /// The others.
    pub records: Vec<(usize, Record)>,
}

/// Reads a trace to be played: placeholders of a redacted one become their stand-ins.
///
/// # Errors
/// The first line that is wrong.
pub fn read(from: impl Read) -> Result<Trace, TraceError> {
    let mut trace = read_as_written(from)?;
    if &*trace.header.redaction != NONE {
        for (line, record) in &mut trace.records {
            let mut room = MAX_LINE_BYTES as usize;
            let expanded = expand::value(&mut record.data, &mut room);
            expanded.map_err(|expand::TooMuch| TraceError::TooMuch { line: *line })?;
        }
    }
    Ok(trace)
}

/// Reads a trace as it is written, with its placeholders.
///
/// # Errors
/// The first line that is wrong.
pub fn read_as_written(from: impl Read) -> Result<Trace, TraceError> {
    let mut lines = Lines {
        from: BufReader::new(from),
        line: 0,
    };
    let first = lines.next()?.ok_or(TraceError::Empty)?;
    let no_header = |error: serde_json::Error| TraceError::NoHeader(error.to_string());
    // The header of another version may have other members.
    let AnyHeader { sigbridge_trace } = serde_json::from_str(&first).map_err(no_header)?;
    if sigbridge_trace != VERSION {
        return Err(TraceError::Version(sigbridge_trace));
    }
    let header: Header = serde_json::from_str(&first).map_err(no_header)?;
    let mut records: Vec<(usize, Record)> = Vec::new();
    let mut last_of: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some(text) = lines.next()? {
        let line = lines.line;
        let record: Record = json::read(&text).map_err(|error| TraceError::NoRecord {
            line,
            what: error.to_string(),
        })?;
        // Sessions take their turns on threads of their own, so it is each of them that has an order.
        let last = last_of.entry(record.session).or_default();
        if *last > record.t_us {
            return Err(TraceError::Order { line });
        }
        *last = record.t_us;
        records.push((line, record));
    }
    Ok(Trace { header, records })
}

#[derive(serde::Deserialize)]
struct AnyHeader {
    sigbridge_trace: u32,
}

struct Lines<R> {
    from: BufReader<R>,
    line: usize,
}

impl<R: Read> Lines<R> {
    fn next(&mut self) -> Result<Option<String>, TraceError> {
        self.line += 1;
        let line = self.line;
        let mut bytes = Vec::new();
        let mut limited = (&mut self.from).take(MAX_LINE_BYTES + 1);
        let read = limited.read_until(b'\n', &mut bytes);
        read.map_err(|source| TraceError::Io { line, source })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() as u64 > MAX_LINE_BYTES {
            return Err(TraceError::TooLong { line });
        }
        if bytes.pop() != Some(b'\n') {
            return Err(TraceError::Truncated { line });
        }
        let text = String::from_utf8(bytes).map_err(|_| TraceError::NoRecord {
            line,
            what: "it is not UTF-8".into(),
        })?;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"sigbridge_trace":1,"started_ms":5,"program":"0.1.0"}"#;
    const RECORD: &str = r#"{"t_us":7,"session":1,"leg":"env","dir":"in","data":{"alive":1}}"#;

    fn check(text: &str, expected: Result<usize, &str>) {
        let got = read(text.as_bytes()).map(|trace| trace.records.len());
        let got = got.map_err(|error| error.to_string());
        match expected {
            Ok(records) => assert_eq!(got, Ok(records), "{text}"),
            Err(start) => assert!(got.clone().is_err_and(|e| e.starts_with(start)), "{text}: {got:?}"),
        }
    }

    #[test]
    fn traces_are_read_or_refused_at_their_line() {
        check(&format!("{HEADER}\n"), Ok(0));
        check(&format!("{HEADER}\n{RECORD}\n{RECORD}\n"), Ok(2));
        check("", Err("line 1: there is no header"));
        check("x\n", Err("line 1: no header"));
        check(
            &format!("{}\n", HEADER.replace(":1,", ":2,")),
            Err("line 1: the trace has version 2"),
        );
        check(&format!("{HEADER}\n{RECORD}"), Err("line 2: the trace is cut off"));
        check(&format!("{HEADER}\n{RECORD}\n{{}}\n"), Err("line 3: no record"));
        check(
            &format!("{HEADER}\n{}\n", RECORD.replace("alive", "\u{0}")),
            Err("line 2: no record"),
        );
        let earlier = RECORD.replace("7", "6");
        check(
            &format!("{HEADER}\n{RECORD}\n{earlier}\n"),
            Err("line 3: t_us goes back"),
        );
        let of_another = earlier.replace(r#""session":1"#, r#""session":2"#);
        check(&format!("{HEADER}\n{RECORD}\n{of_another}\n"), Ok(2));
        let redacted = HEADER.replace('}', r#","redaction":"names=placeholder bodies=keep"}"#);
        let placeholders = "<text:1 len=1000000>".repeat(5);
        let large = RECORD.replace(r#""alive":1"#, &format!(r#""a":"{placeholders}""#));
        check(&format!("{redacted}\n{large}\n"), Err("line 2: its placeholders"));
        check(&format!("{HEADER}\n{large}\n"), Ok(1));
        let long = "x".repeat(5 * 1024 * 1024);
        check(&format!("{HEADER}\n{long}\n"), Err("line 2: the line is longer"));
    }
}
