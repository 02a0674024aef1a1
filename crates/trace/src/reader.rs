//! DispatchResult a trace: every line has its place in the errors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufReader, Read, Write};

use text_files::{BadLine, Lines};

use rtm::json;

use crate::placeholder_expand;
use crate::policy::NONE;
use crate::record::{Header, Record, VERSION};
use crate::replay::PlayedRecord;

/// Longest line of a trace, bytes: a frame of 64 KiB in JSON, and room.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// A trace that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file system's.
    #[error("line {line}: {source}")]
    Io {
        /// The line, from 1.
        line: usize,
        /// What the system says.
        source: io::Error,
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

impl TraceError {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Empty | Self::NoHeader(_) | Self::Version(_) => 1,
            Self::Io { line, .. }
            | Self::NoRecord { line, .. }
            | Self::Truncated { line }
            | Self::TooLong { line }
            | Self::TooMuch { line }
            | Self::Order { line } => *line,
        }
    }
}

/// A trace with the number of each record's line.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The first line.
    pub header: Header,
    /// The others.
    pub records: Vec<(usize, Record)>,
    /// Its recording was not finished: a session without an end breaks off at any place.
    pub unfinished: bool,
}

impl Trace {
    /// The sessions that begin in it.
    pub fn sessions(&self) -> BTreeSet<u64> {
        let begins = |(_, record): &&(usize, Record)| record.env("begin");
        self.records
            .iter()
            .filter(begins)
            .map(|(_, record)| record.session)
            .collect()
    }

    /// The sessions that break off: their records end at any place, also between an input and its outputs.
    pub fn cut(&self) -> BTreeSet<u64> {
        let mut cut = match self.unfinished {
            true => self.sessions(),
            false => BTreeSet::new(),
        };
        for (_, record) in &self.records {
            if record.env("end") || record.env("cut") {
                cut.remove(&record.session);
            } else if record.env("lost") {
                cut.insert(record.session);
            }
        }
        cut
    }

    /// Writes the header and records, which may be others than its own.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write<'r>(
        &self,
        to: &mut (impl Write + ?Sized),
        records: impl IntoIterator<Item = &'r Record>,
    ) -> io::Result<()> {
        writeln!(to, "{}", serde_json::to_string(&self.header)?)?;
        let mut records = records.into_iter();
        records.try_for_each(|record| writeln!(to, "{}", serde_json::to_string(record)?))
    }

    /// Writes the records of a replay. `self` is the trace [as written](read_as_written): what is unchanged keeps its
    /// placeholders.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write_played(&self, to: &mut (impl Write + ?Sized), played: &[PlayedRecord]) -> io::Result<()> {
        let by_line: HashMap<usize, &Record> = self.records.iter().map(|(line, record)| (*line, record)).collect();
        let records = played.iter().filter_map(|record| match record {
            PlayedRecord::AsRecorded(line) => by_line.get(line).copied(),
            PlayedRecord::New(record) => Some(record),
        });
        self.write(to, records)
    }
}

/// Reads a trace to be played: placeholders of a redacted one become their stand-ins.
///
/// # Errors
/// The first line that is wrong.
pub fn read(from: impl Read) -> Result<Trace, TraceError> {
    played(read_as_written(from)?)
}

/// Reads the trace of a recording that was not finished: it may end within a line.
///
/// # Errors
/// The first line that is wrong.
pub fn read_unfinished(from: impl Read) -> Result<Trace, TraceError> {
    played(lines(from, true)?)
}

fn played(mut trace: Trace) -> Result<Trace, TraceError> {
    if &*trace.header.redaction != NONE {
        for (line, record) in &mut trace.records {
            let mut room = MAX_LINE_BYTES;
            let expanded = placeholder_expand::value(&mut record.data, &mut room);
            expanded.map_err(|placeholder_expand::TooMuch| TraceError::TooMuch { line: *line })?;
        }
    }
    Ok(trace)
}

/// Reads a trace as it is written, with its placeholders.
///
/// # Errors
/// The first line that is wrong.
pub fn read_as_written(from: impl Read) -> Result<Trace, TraceError> {
    lines(from, false)
}

fn lines(from: impl Read, unfinished: bool) -> Result<Trace, TraceError> {
    let mut lines = Lines::new(BufReader::new(from), MAX_LINE_BYTES);
    let (_, first) = next(&mut lines, unfinished)?.ok_or(TraceError::Empty)?;
    let no_header = |error: serde_json::Error| TraceError::NoHeader(error.to_string());
    // The header of another version may have other members.
    let AnyHeader { sigbridge_trace } = serde_json::from_str(&first).map_err(no_header)?;
    if sigbridge_trace != VERSION {
        return Err(TraceError::Version(sigbridge_trace));
    }
    let header: Header = serde_json::from_str(&first).map_err(no_header)?;
    let mut records: Vec<(usize, Record)> = Vec::new();
    let mut last_of: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some((line, text)) = next(&mut lines, unfinished)? {
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
    Ok(Trace {
        header,
        records,
        unfinished,
    })
}

#[derive(serde::Deserialize)]
struct AnyHeader {
    sigbridge_trace: u32,
}

/// The next line that is not blank, and its number. Of a recording that was not finished, a last line without an end is
/// none.
fn next<R: Read>(lines: &mut Lines<BufReader<R>>, unfinished: bool) -> Result<Option<(usize, String)>, TraceError> {
    let at = lines.number() + 1;
    let found = lines.next().transpose();
    let Some(found) = found.map_err(|source| TraceError::Io { line: at, source })? else {
        return Ok(None);
    };
    let line = found.number;
    match found.text {
        Err(BadLine::TooLong(_)) => Err(TraceError::TooLong { line }),
        _ if !found.ended && unfinished => Ok(None),
        _ if !found.ended => Err(TraceError::Truncated { line }),
        Err(bad @ BadLine::NotUtf8) => Err(TraceError::NoRecord {
            line,
            what: bad.to_string(),
        }),
        Ok(text) => Ok(Some((line, text))),
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
    fn an_unfinished_one_may_end_within_a_line() {
        let read = |text: &str| read_unfinished(text.as_bytes()).map(|trace| trace.records.len());
        assert_eq!(read(&format!("{HEADER}\n{RECORD}\n{RECORD}")).ok(), Some(1));
        assert_eq!(read(&format!("{HEADER}\n{RECORD}\n{RECORD}\n")).ok(), Some(2));
        assert_eq!(read(&format!("{HEADER}\n{{\"t_us\":")).ok(), Some(0));
        assert!(matches!(read(HEADER), Err(TraceError::Empty)));
        let within = format!("{HEADER}\n{{}}\n{RECORD}");
        assert!(matches!(read(&within), Err(TraceError::NoRecord { line: 2, .. })));
    }

    #[test]
    fn traces_are_read_or_refused_at_their_line() {
        check(&format!("{HEADER}\n"), Ok(0));
        check(&format!("{HEADER}\n{RECORD}\n{RECORD}\n"), Ok(2));
        check("", Err("line 1: there is no header"));
        check("\u{feff}\n \r\n", Err("line 1: there is no header"));
        check(&format!("\u{feff}{HEADER}\r\n\r\n{RECORD}\r\n\r\n\n "), Ok(1));
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
