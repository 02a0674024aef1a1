//! The file that lines wait in while no process runs (decisions H2): a line of JSON for each.
//!
//! It holds what users have written to each other, so nobody but its owner may read it. It is written beside its place
//! and renamed, and gone once it is read: what it holds is told once.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bridge::Event;
use crate::ident::{Account, AppId};
use crate::mapping::Tables;
use crate::time::Time;
use crate::value::{Text, Value};

/// An account and the lines that wait for it, with when they came.
pub type Waiting = ((AppId, Account), Vec<(Event, Time)>);

#[derive(Serialize, Deserialize)]
struct Line {
    app: Text,
    account: Text,
    at_ms: u64,
    event: Text,
    row: Text,
    args: Vec<Value>,
}

/// Writes the file; without lines there is none.
///
/// # Errors
/// The file system's; what was there before is there still.
pub fn save(path: &Path, waiting: &[Waiting], tables: &Tables) -> io::Result<()> {
    let lines = waiting.iter().flat_map(|((app, account), lines)| {
        lines.iter().map(move |(event, at)| Line {
            app: app.text().clone(),
            account: account.text().clone(),
            at_ms: at.as_millis(),
            event: tables.signatures[event.sig].name.clone(),
            row: tables.rows[event.row].id.clone(),
            args: event.args.clone(),
        })
    });
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    let beside = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = io::BufWriter::new(options.open(&beside)?);
    for line in lines {
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(beside, path)
}

/// Reads the file and removes it; none is empty. Also how many lines could not be read, for example because the tables
/// have changed.
///
/// # Errors
/// The file system's.
pub fn load(path: &Path, tables: &Tables) -> io::Result<(Vec<Waiting>, usize)> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        read => read?,
    };
    fs::remove_file(path)?;
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut unread = 0;
    for line in text.lines() {
        match read(line, tables) {
            None => unread += 1,
            Some((key, line)) => match waiting.last_mut().filter(|(last, _)| *last == key) {
                Some((_, lines)) => lines.push(line),
                None => waiting.push((key, vec![line])),
            },
        }
    }
    Ok((waiting, unread))
}

fn read(line: &str, tables: &Tables) -> Option<((AppId, Account), (Event, Time))> {
    let line: Line = serde_json::from_str(line).ok()?;
    let key = (AppId::new(line.app).ok()?, Account::new(line.account).ok()?);
    let sig = tables.signature_named(&line.event)?;
    let event = Event {
        sig,
        row: tables.row_named(&line.row)?,
        args: line.args,
    };
    let fits = event.args.len() == tables.signatures[sig].args.len();
    fits.then_some((key, (event, Time::from_millis(line.at_ms))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("sigbridge-spool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn waiting(tables: &Tables, account: &str, text: &str) -> Waiting {
        let sig = tables.signature_named("onMessageInstantReceive").unwrap();
        let args = tables.signatures[sig].args.iter().map(|_| Value::text(text)).collect();
        let row = tables.row_named("peer.received").unwrap();
        let key = (AppId::new("app").unwrap(), Account::new(account).unwrap());
        (key, vec![(Event { sig, row, args }, Time::from_millis(7))])
    }

    #[test]
    fn what_waits_is_read_once() {
        let tables = Tables::built_in().unwrap();
        let path = folder("once").join("mailbox.jsonl");
        let lines = vec![waiting(&tables, "alice", "hi\n\"you\""), waiting(&tables, "bob", "")];
        save(&path, &lines, &tables).unwrap();
        assert_eq!(load(&path, &tables).unwrap(), (lines, 0));
        assert_eq!(load(&path, &tables).unwrap(), (Vec::new(), 0));
        save(&path, &[], &tables).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_harms_nothing_else() {
        let tables = Tables::built_in().unwrap();
        let path = folder("bad").join("mailbox.jsonl");
        let lines = vec![waiting(&tables, "alice", "hi")];
        save(&path, &lines, &tables).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let unknown = good.replace("onMessageInstantReceive", "onMessage");
        fs::write(&path, format!("{{\n{good}{unknown}")).unwrap();
        assert_eq!(load(&path, &tables).unwrap(), (lines, 2));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let tables = Tables::built_in().unwrap();
        let path = folder("mode").join("mailbox.jsonl");
        save(&path, &[waiting(&tables, "alice", "hi")], &tables).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
