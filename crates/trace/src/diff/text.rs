//! Comparison as text.

use std::fmt::{self, Display, Formatter};

use rtm::value::Value;

use crate::diff::{CauseDiff, Diff, OutputDiff, Place, SessionDiff, Side};

impl Display for Diff {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.sessions.iter().try_for_each(|differs| session(f, differs))?;
        let causes: usize = self.sessions.iter().map(|session| session.causes.len()).sum();
        let differ = self.sessions.len();
        writeln!(
            f,
            "sessions: {} compared, {differ} differ; different causes: {causes}",
            self.compared
        )
    }
}

fn session(f: &mut Formatter<'_>, session: &SessionDiff) -> fmt::Result {
    let only = match session.only {
        Some(Side::A) => ", only in A",
        Some(Side::B) => ", only in B",
        None => "",
    };
    writeln!(f, "session {} of `{}`{only}", session.nth, session.account)?;
    session.causes.iter().try_for_each(|differs| cause(f, differs))
}

fn cause(f: &mut Formatter<'_>, cause: &CauseDiff) -> fmt::Result {
    let line = |place: &Option<Place>| place.as_ref().map_or("-".into(), |place| place.line.to_string());
    let row = cause.row.as_ref().map_or(String::new(), |row| format!("  [{row}]"));
    writeln!(f, "  {} (A:{} B:{}){row}", cause.kind, line(&cause.a), line(&cause.b))?;
    match (&cause.a, &cause.b) {
        (Some(a), Some(b)) => {
            writeln!(f, "    cause     {}", a.record.data)?;
            if a.record.data != b.record.data {
                writeln!(f, "    cause, B  {}", b.record.data)?;
            }
        }
        (one, other) => {
            let place = one.as_ref().or(other.as_ref());
            place.map_or(Ok(()), |place| writeln!(f, "    cause     {}", place.record.data))?;
        }
    }
    cause.outputs.iter().try_for_each(|differs| output(f, differs))
}

fn output(f: &mut Formatter<'_>, output: &OutputDiff) -> fmt::Result {
    let row = output.row.as_ref().map_or(String::new(), |row| format!("  [{row}]"));
    writeln!(f, "    {}{row}", output.kind)?;
    writeln!(f, "      expected  {}", place(&output.expected))?;
    writeln!(f, "      got       {}", place(&output.got))?;
    let mut changes = output.changes.iter();
    changes.try_for_each(|change| writeln!(f, "      at {change}"))
}

fn place(place: &Option<Place>) -> String {
    let Some(place) = place else { return "nothing".into() };
    let frame = place.record.data.get("frame").and_then(Value::as_text);
    frame.map_or_else(|| place.record.data.to_json(), |frame| frame.to_string())
}
