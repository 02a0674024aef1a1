//! Lines of a trace.

use serde::{Deserialize, Serialize};

use rtm::json::Reader;
use rtm::value::{Text, Value};

/// Version that this program writes and reads.
pub const VERSION: u32 = 1;

/// First line of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub sigbridge_trace: u32,
    /// Start time in milliseconds since the UNIX epoch; origin of `t_us`.
    pub started_ms: u64,
    /// Program version.
    pub program: Text,
    /// Redaction policy, or `none`.
    #[serde(default = "none")]
    pub redaction: Text,
    /// Origin of the data, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
    /// Legs missing in the source; without `rtm`, only a live replay is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Leg>,
}

fn none() -> Text {
    "none".into()
}

/// Recorded event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Microseconds since the start of the trace.
    pub t_us: u64,
    /// Session number within the trace; 0 for none.
    pub session: u64,
    pub leg: Leg,
    /// Into or out of the session.
    pub dir: Dir,
    /// Row of an output, for readers; not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Text>,
    pub data: Value,
}

impl Record {
    /// Reads a line in the form in which it is written, at a third of the cost of a reader of any form. Returns `None` for
    /// any other line, valid or not.
    pub(super) fn read_as_usual(line: &str) -> Option<Self> {
        fn member(name: &str, reader: &mut Reader<'_>) -> Option<()> {
            (&*reader.text()? == name).then_some(())?;
            reader.token(b':')
        }
        fn number(name: &str, reader: &mut Reader<'_>) -> Option<u64> {
            member(name, reader)?;
            let number = reader.value()?.as_int()?;
            reader.token(b',')?;
            u64::try_from(number).ok()
        }
        // The values are within the object.
        let reader = &mut Reader::new(line, 1);
        reader.token(b'{')?;
        let t_us = number("t_us", reader)?;
        let session = number("session", reader)?;
        member("leg", reader)?;
        let leg = Leg::named(&reader.text()?)?;
        reader.token(b',')?;
        member("dir", reader)?;
        let dir = match &*reader.text()? {
            "in" => Dir::In,
            "out" => Dir::Out,
            _ => return None,
        };
        reader.token(b',')?;
        let mut name = reader.text()?;
        reader.token(b':')?;
        let mut row = None;
        if &*name == "row" {
            row = Some(reader.text()?);
            reader.token(b',')?;
            name = reader.text()?;
            reader.token(b':')?;
        }
        let data = (&*name == "data").then(|| reader.value())??;
        reader.token(b'}')?;
        reader.end()?;
        Some(Self {
            t_us,
            session,
            leg,
            dir,
            row,
            data,
        })
    }

    /// Returns true for `env` data with this name.
    pub(super) fn env(&self, name: &str) -> bool {
        self.leg == Leg::Env && self.data.get(name).is_some()
    }
}

/// Leg of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// Frames of the legacy client, and ends of its sockets.
    Legacy,
    /// RTM calls, replies and events.
    Rtm,
    /// Lookups and reports.
    Http,
    /// Timers set and fired.
    Timer,
    /// External inputs of a session, and its log notes.
    Env,
}

impl Leg {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "legacy" => Self::Legacy,
            "rtm" => Self::Rtm,
            "http" => Self::Http,
            "timer" => Self::Timer,
            "env" => Self::Env,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dir {
    /// Into the session.
    In,
    /// Out of it.
    Out,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_lines_are_read_in_their_usual_form() {
        for leg in [Leg::Legacy, Leg::Rtm, Leg::Http, Leg::Timer, Leg::Env] {
            for (dir, row) in [(Dir::In, None), (Dir::Out, Some("peer.send".into()))] {
                let data = Value::from_json(r#"{"a":["x\"y",-1,null,{"b":true}]}"#).expect("JSON");
                let record = Record {
                    t_us: 1,
                    session: u64::MAX >> 1,
                    leg,
                    dir,
                    row,
                    data,
                };
                let line = serde_json::to_string(&record).expect("a line");
                assert_eq!(Record::read_as_usual(&line).as_ref(), Some(&record), "{line}");
                let other = line.replace(r#""t_us":1,"#, r#""t_us":1,"x":1,"#);
                assert_eq!(Record::read_as_usual(&other), None, "{other}");
                assert_eq!(Record::read_as_usual(&line[..line.len() - 1]), None);
            }
        }
    }
}
