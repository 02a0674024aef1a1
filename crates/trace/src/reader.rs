//! Trace reader; errors name the line.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufReader, Read, Write};

use text_files::{BadLine, Lines};

use rtm::json;

use crate::placeholder_expand;
use crate::played_record::PlayedRecord;
use crate::policy::NONE;
use crate::record::{Header, Record, VERSION};

/// Longest line in bytes: a frame of 64 KiB in JSON, with margin.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// Trace read error.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("line {line}: {source}")]
    Io {
        /// From 1.
        line: usize,
        source: io::Error,
    },
    #[error("line 1: missing header: the file is empty")]
    Empty,
    /// Invalid header.
    #[error("line 1: invalid trace header: {0}")]
    NoHeader(String),
    /// Unsupported version.
    #[error("line 1: unsupported trace version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// Invalid record.
    #[error("line {line}: invalid record: {what}")]
    NoRecord {
        /// From 1.
        line: usize,
        what: String,
    },
    /// The last line has no end.
    #[error("line {line}: truncated trace: the line has no end")]
    Truncated {
        /// From 1.
        line: usize,
    },
    #[error("line {line}: line longer than {MAX_LINE_BYTES} bytes")]
    TooLong {
        /// From 1.
        line: usize,
    },
    /// The placeholders expand to more than a line may hold.
    #[error("line {line}: placeholders expand to more than {MAX_LINE_BYTES} bytes")]
    ExpansionLimitExceeded {
        /// From 1.
        line: usize,
    },
    /// Time decreases within a session.
    #[error("line {line}: t_us decreases")]
    Order {
        /// From 1.
        line: usize,
    },
}

impl TraceError {
    /// Returns the line number, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Empty | Self::NoHeader(_) | Self::Version(_) => 1,
            Self::Io { line, .. }
            | Self::NoRecord { line, .. }
            | Self::Truncated { line }
            | Self::TooLong { line }
            | Self::ExpansionLimitExceeded { line }
            | Self::Order { line } => *line,
        }
    }
}

/// Trace with the line number of each record.
#[derive(Clone, Debug)]
pub struct Trace {
    pub header: Header,
    /// Records with line numbers.
    pub records: Vec<(usize, Record)>,
    /// True if the recording is unfinished: sessions without an end are truncated.
    pub unfinished: bool,
}

impl Trace {
    /// Returns the sessions that begin in the trace.
    pub fn sessions(&self) -> BTreeSet<u64> {
        let begins = |(_, record): &&(usize, Record)| record.env("begin");
        self.records
            .iter()
            .filter(begins)
            .map(|(_, record)| record.session)
            .collect()
    }

    /// Returns truncated sessions: they may end anywhere, even between an input and its outputs.
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

    /// Writes the header and the given records.
    ///
    /// # Errors
    /// An I/O error.
    pub fn write<'r>(
        &self,
        to: &mut (impl Write + ?Sized),
        records: impl IntoIterator<Item = &'r Record>,
    ) -> io::Result<()> {
        writeln!(to, "{}", serde_json::to_string(&self.header)?)?;
        let mut records = records.into_iter();
        records.try_for_each(|record| writeln!(to, "{}", serde_json::to_string(record)?))
    }

    /// Writes replayed records. `self` is the trace [as written](read_as_written): unchanged records keep their
    /// placeholders.
    ///
    /// # Errors
    /// An I/O error.
    pub fn write_played(&self, to: &mut (impl Write + ?Sized), played: &[PlayedRecord]) -> io::Result<()> {
        let by_line: HashMap<usize, &Record> = self.records.iter().map(|(line, record)| (*line, record)).collect();
        let records = played.iter().filter_map(|record| match record {
            PlayedRecord::AsRecorded(line) => by_line.get(line).copied(),
            PlayedRecord::New(record) => Some(record),
        });
        self.write(to, records)
    }
}

/// Reads a trace for a replay: placeholders become stand-ins.
///
/// # Errors
/// The first invalid line.
pub fn read(from: impl Read) -> Result<Trace, TraceError> {
    lines(from, false, Placeholders::Expand)
}

/// Reads an unfinished trace, which may end within a line.
///
/// # Errors
/// The first invalid line.
pub fn read_unfinished(from: impl Read) -> Result<Trace, TraceError> {
    lines(from, true, Placeholders::Expand)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placeholders {
    Keep,
    /// They become stand-ins.
    Expand,
}

/// Reads a trace without expanding placeholders.
///
/// # Errors
/// The first invalid line.
pub fn read_as_written(from: impl Read) -> Result<Trace, TraceError> {
    lines(from, false, Placeholders::Keep)
}

fn lines(from: impl Read, unfinished: bool, placeholders: Placeholders) -> Result<Trace, TraceError> {
    let mut lines = Lines::new(BufReader::new(from), MAX_LINE_BYTES);
    let (_, first) = next(&mut lines, unfinished)?.ok_or(TraceError::Empty)?;
    let no_header = |error: serde_json::Error| TraceError::NoHeader(error.to_string());
    // Other versions may have other header members.
    let AnyHeader { sigbridge_trace } = serde_json::from_str(&first).map_err(no_header)?;
    if sigbridge_trace != VERSION {
        return Err(TraceError::Version(sigbridge_trace));
    }
    let header: Header = serde_json::from_str(&first).map_err(no_header)?;
    let expands = placeholders == Placeholders::Expand && &*header.redaction != NONE;
    let mut records: Vec<(usize, Record)> = Vec::new();
    let mut last_of: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some((line, text)) = next(&mut lines, unfinished)? {
        let record = if expands {
            expanded(line, &text)
        } else {
            record(line, &text)
        }?;
        // Sessions run on parallel threads, so only records of one session are in order.
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

fn record(line: usize, text: &str) -> Result<Record, TraceError> {
    json::read(text).map_err(|error| TraceError::NoRecord {
        line,
        what: error.to_string(),
    })
}

/// Reads a record with stand-ins in place of its placeholders.
fn expanded(line: usize, text: &str) -> Result<Record, TraceError> {
    let too_long = |placeholder_expand::ExpansionLimitExceeded| TraceError::ExpansionLimitExceeded { line };
    // Stand-ins need no escapes, so the whole line can be expanded before it is read, unless it has text to encode.
    if placeholder_expand::is_plain_json(text) {
        let stand_ins = placeholder_expand::text(text, MAX_LINE_BYTES).map_err(too_long)?;
        if let Ok(record) = record(line, &stand_ins) {
            return Ok(record);
        }
    }
    let mut record = record(line, text)?;
    let mut room = MAX_LINE_BYTES;
    placeholder_expand::value(&mut record.data, &mut room).map_err(too_long)?;
    Ok(record)
}

#[derive(serde::Deserialize)]
struct AnyHeader {
    sigbridge_trace: u32,
}

/// Returns the next non-blank line with its number. Ignores an incomplete last line of an unfinished recording.
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
    fn lines_are_expanded_as_their_values_are() {
        for data in [
            r#"{"a":"<text:1 len=3> \"<text:2 len=4 spaced>\"","<id:3 len=3>":[1.10]}"#,
            r#"{"a":"\u003ctext:1 len=3>","b":"<text:1 len=3>"}"#,
            r#"{"rawMessage":"<base64 x<text:1 len=2>>"}"#,
            r#"{"a":"<token> < <text"}"#,
        ] {
            let line = RECORD.replace(r#"{"alive":1}"#, data);
            assert!(line.contains(data), "{line}");
            let mut record = record(2, &line).expect(data);
            placeholder_expand::value(&mut record.data, &mut 1_000).expect(data);
            assert_eq!(expanded(2, &line).expect(data), record, "{data}");
        }
    }

    #[test]
    fn traces_are_read_or_refused_at_their_line() {
        check(&format!("{HEADER}\n"), Ok(0));
        check(&format!("{HEADER}\n{RECORD}\n{RECORD}\n"), Ok(2));
        check("", Err("line 1: missing header"));
        check("\u{feff}\n \r\n", Err("line 1: missing header"));
        check(&format!("\u{feff}{HEADER}\r\n\r\n{RECORD}\r\n\r\n\n "), Ok(1));
        check("x\n", Err("line 1: invalid trace header"));
        check(
            &format!("{}\n", HEADER.replace(":1,", ":2,")),
            Err("line 1: unsupported trace version 2"),
        );
        check(&format!("{HEADER}\n{RECORD}"), Err("line 2: truncated trace"));
        check(&format!("{HEADER}\n{RECORD}\n{{}}\n"), Err("line 3: invalid record"));
        check(
            &format!("{HEADER}\n{}\n", RECORD.replace("alive", "\u{0}")),
            Err("line 2: invalid record"),
        );
        let earlier = RECORD.replace("7", "6");
        check(
            &format!("{HEADER}\n{RECORD}\n{earlier}\n"),
            Err("line 3: t_us decreases"),
        );
        let of_another = earlier.replace(r#""session":1"#, r#""session":2"#);
        check(&format!("{HEADER}\n{RECORD}\n{of_another}\n"), Ok(2));
        let redacted = HEADER.replace('}', r#","redaction":"names=placeholder bodies=keep"}"#);
        let placeholders = "<text:1 len=1000000>".repeat(5);
        let large = RECORD.replace(r#""alive":1"#, &format!(r#""a":"{placeholders}""#));
        check(&format!("{redacted}\n{large}\n"), Err("line 2: placeholders"));
        check(&format!("{HEADER}\n{large}\n"), Ok(1));
        let long = "x".repeat(5 * 1024 * 1024);
        check(&format!("{HEADER}\n{long}\n"), Err("line 2: line longer"));
    }
}
