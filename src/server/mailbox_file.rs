//! Mailbox file: lines of offline accounts between two processes (decisions H2), as JSON Lines.
//!
//! It contains messages of users, so only its owner may read it. Reading does not remove it: after a kill the next
//! process reads it again. A record is appended when an account has acknowledged its lines. The file is removed after
//! the last account. So a kill may cause a second delivery of a line, but no loss.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use identity::Account;
use protocol::event::Event;
use rtm::AppId;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;
use text_files::Lines;

/// App id and account.
pub type Key = (AppId, Account);
/// An account and its stored lines, with their times.
pub type Waiting = (Key, Vec<(Event, Time)>);

/// Maximum length of a line in bytes: a message of 8 KB in JSON, with a margin.
const MAX_LINE: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Record {
    Line(Line),
    /// The account has acknowledged all lines before this record.
    Settled {
        settled: AccountKey,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    app: Text,
    account: Text,
    at_ms: u64,
    event: Text,
    row: Text,
    args: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
struct AccountKey {
    app: Text,
    account: Text,
}

/// Mailbox file of a running process.
#[derive(Debug)]
pub struct MailboxFile {
    path: PathBuf,
    /// Accounts with unacknowledged lines in the file.
    open: Mutex<HashSet<Key>>,
    /// True until the final save. Locked during changes of the file.
    writable: Mutex<bool>,
}

/// Mailbox file with its content.
#[derive(Debug)]
pub struct Loaded {
    /// The file, which still exists if it contained lines.
    pub mailbox_file: MailboxFile,
    /// Lines by account.
    pub waiting: Vec<Waiting>,
    /// Number of unreadable lines, for example after a change of the tables. A copy of the file contains them.
    pub unread: usize,
}

impl MailboxFile {
    /// Reads the file, if it exists. Skips lines that are not `fresh`.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn load(path: &Path, tables: &Tables, fresh: impl Fn(Time) -> bool) -> io::Result<Loaded> {
        let mailbox_file = Self {
            path: path.to_owned(),
            open: Mutex::default(),
            writable: Mutex::new(true),
        };
        let content = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (waiting, unread) = (Vec::new(), 0);
                return Ok(Loaded {
                    mailbox_file,
                    waiting,
                    unread,
                });
            }
            opened => Content::read(BufReader::new(opened?), tables, fresh)?,
        };
        let Content { waiting, unread, whole } = content;
        if unread > 0 {
            fs::copy(path, beside(path, ".unread"))?;
        }
        *mailbox_file.open.lock() = waiting.iter().map(|(key, _)| key.clone()).collect();
        if waiting.is_empty() {
            fs::remove_file(path)?;
        } else if !whole {
            append(path, b"\n")?;
        }
        Ok(Loaded {
            mailbox_file,
            waiting,
            unread,
        })
    }

    /// Returns true if the file has unacknowledged lines of an account.
    pub fn holds(&self, key: &Key) -> bool {
        self.open.lock().contains(key)
    }

    /// Marks the lines of an account as acknowledged or expired. Blocks on the disk.
    ///
    /// # Errors
    /// Errors of the file system: the next process may deliver the lines again.
    pub fn settle(&self, key: &Key) -> io::Result<()> {
        let writable = self.writable.lock();
        let (held, more) = {
            let mut open = self.open.lock();
            (open.remove(key), !open.is_empty())
        };
        if !held || !*writable {
            return Ok(());
        }
        if !more {
            return fs::remove_file(&self.path);
        }
        let settled = AccountKey {
            app: key.0.text().clone(),
            account: key.1.text().clone(),
        };
        let mut line = serde_json::to_vec(&Record::Settled { settled })?;
        line.push(b'\n');
        append(&self.path, &line)
    }

    /// Replaces the file at the end of the process. Without lines, removes it.
    ///
    /// # Errors
    /// Errors of the file system; the old file is unchanged.
    pub fn save(&self, waiting: &[Waiting], tables: &Tables) -> io::Result<()> {
        let mut writable = self.writable.lock();
        *writable = false;
        if waiting.iter().all(|(_, lines)| lines.is_empty()) {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let new = beside(&self.path, ".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = io::BufWriter::new(options.open(&new)?);
        for ((app, account), lines) in waiting {
            for (event, at) in lines {
                let line = Line {
                    app: app.text().clone(),
                    account: account.text().clone(),
                    at_ms: at.as_millis(),
                    event: tables.signatures[event.sig].name.clone(),
                    row: tables.rows[event.row].id.clone(),
                    args: event.args.clone(),
                };
                serde_json::to_writer(&mut file, &Record::Line(line))?;
                file.write_all(b"\n")?;
            }
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(new, &self.path)
    }
}

/// Content of a mailbox file.
#[derive(Debug)]
pub struct Content {
    pub waiting: Vec<Waiting>,
    pub unread: usize,
    /// The last line has an end.
    whole: bool,
}

impl Content {
    /// Reads lines. Skips those that are not `fresh`.
    ///
    /// # Errors
    /// Errors of the reader.
    pub fn read(from: impl BufRead, tables: &Tables, fresh: impl Fn(Time) -> bool) -> io::Result<Self> {
        let mut content = Self {
            waiting: Vec::new(),
            unread: 0,
            whole: true,
        };
        for line in Lines::new(from, MAX_LINE) {
            let line = line?;
            content.whole = line.ended;
            let record = line.text.ok().and_then(|text| serde_json::from_str(&text).ok());
            match record.and_then(|record| content.take(record, tables, &fresh)) {
                Some(()) => {}
                None => content.unread += 1,
            }
        }
        Ok(content)
    }

    /// Applies a record. Returns `None` if it is invalid.
    fn take(&mut self, record: Record, tables: &Tables, fresh: impl Fn(Time) -> bool) -> Option<()> {
        let line = match record {
            Record::Line(line) => line,
            Record::Settled { settled } => {
                let key = key(settled.app, settled.account)?;
                self.waiting.retain(|(known, _)| *known != key);
                return Some(());
            }
        };
        let key = key(line.app, line.account)?;
        let sig = tables.signature_named(&line.event)?;
        let event = Event {
            sig,
            row: tables.row_named(&line.row)?,
            args: line.args,
        };
        if event.args.len() != tables.signatures[sig].args.len() {
            return None;
        }
        let at = Time::from_millis(line.at_ms);
        if fresh(at) {
            match self.waiting.last_mut().filter(|(last, _)| *last == key) {
                Some((_, lines)) => lines.push((event, at)),
                None => self.waiting.push((key, vec![(event, at)])),
            }
        }
        Some(())
    }
}

fn key(app: Text, account: Text) -> Option<Key> {
    Some((AppId::new(app).ok()?, Account::new(account).ok()?))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(ending);
    name.into()
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sigbridge-mailbox_file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder.join("mailbox.jsonl")
    }

    fn waiting(tables: &Tables, account: &str, text: &str) -> Waiting {
        let sig = tables.signature_named("onMessageInstantReceive").unwrap();
        let args = tables.signatures[sig].args.iter().map(|_| Value::text(text)).collect();
        let row = tables.row_named("peer.received").unwrap();
        let key = (AppId::new("app").unwrap(), Account::new(account).unwrap());
        (key, vec![(Event { sig, row, args }, Time::from_millis(7))])
    }

    fn load(path: &Path, tables: &Tables) -> Loaded {
        MailboxFile::load(path, tables, |_| true).unwrap()
    }

    /// Writes the file of an earlier process.
    fn left(path: &Path, lines: &[Waiting], tables: &Tables) {
        load(path, tables).mailbox_file.save(lines, tables).unwrap();
    }

    #[test]
    fn lines_stay_until_they_are_settled() {
        let tables = Tables::built_in().unwrap();
        let path = file("settled");
        let lines = vec![waiting(&tables, "alice", "hi\n\"you\""), waiting(&tables, "bob", "")];
        left(&path, &lines, &tables);
        // A killed process has not acknowledged the lines.
        for _ in 0..2 {
            let loaded = load(&path, &tables);
            assert_eq!((loaded.waiting, loaded.unread), (lines.clone(), 0));
        }
        let mailbox_file = load(&path, &tables).mailbox_file;
        assert!(mailbox_file.holds(&lines[0].0));
        mailbox_file.settle(&lines[0].0).unwrap();
        mailbox_file.settle(&lines[0].0).unwrap();
        assert!(!mailbox_file.holds(&lines[0].0));
        let loaded = load(&path, &tables);
        assert_eq!((loaded.waiting, loaded.unread), (lines[1..].to_vec(), 0));
        loaded.mailbox_file.settle(&lines[1].0).unwrap();
        assert!(!path.exists());
        assert_eq!(load(&path, &tables).waiting, []);
    }

    #[test]
    fn the_end_of_the_process_has_the_last_word() {
        let tables = Tables::built_in().unwrap();
        let path = file("end");
        let lines = vec![waiting(&tables, "alice", "hi"), waiting(&tables, "bob", "hi")];
        left(&path, &lines, &tables);
        let mailbox_file = load(&path, &tables).mailbox_file;
        mailbox_file.save(&lines[..1], &tables).unwrap();
        mailbox_file.settle(&lines[0].0).unwrap();
        mailbox_file.settle(&lines[1].0).unwrap();
        assert_eq!(load(&path, &tables).waiting, lines[..1]);
        left(&path, &[], &tables);
        assert!(!path.exists());
        left(&path, &[], &tables);
    }

    #[test]
    fn unreadable_records_are_counted_and_skipped() {
        let tables = Tables::built_in().unwrap();
        let path = file("bad");
        let lines = vec![waiting(&tables, "alice", "hi"), waiting(&tables, "bob", "hi")];
        left(&path, &lines, &tables);
        let good = fs::read(&path).unwrap();
        let unknown = String::from_utf8_lossy(&good).replace("onMessageInstantReceive", "onMessage");
        let all = [
            b"{\n\xff\xfe\n",
            &*good,
            unknown.as_bytes(),
            &[0; 4096],
            b"\n{\"app\":\"a\"}",
        ]
        .concat();
        fs::write(&path, &all).unwrap();
        let loaded = load(&path, &tables);
        assert_eq!((&loaded.waiting, loaded.unread), (&lines, 6));
        assert_eq!(fs::read(beside(&path, ".unread")).unwrap(), all);
        // A record after an unterminated line is on a new line.
        loaded.mailbox_file.settle(&lines[0].0).unwrap();
        assert_eq!(load(&path, &tables).waiting, lines[1..]);
        for none in [&b""[..], b"\xff", b"\0\0"] {
            fs::write(&path, none).unwrap();
            assert_eq!(load(&path, &tables).waiting, []);
            assert!(!path.exists());
        }
    }

    #[test]
    fn expired_lines_are_not_loaded() {
        let tables = Tables::built_in().unwrap();
        let path = file("old");
        let mut lines = waiting(&tables, "alice", "old");
        let young = (lines.1[0].0.clone(), Time::from_millis(8));
        lines.1.push(young.clone());
        left(&path, &[lines.clone(), waiting(&tables, "bob", "old")], &tables);
        let loaded = MailboxFile::load(&path, &tables, |at| at > Time::from_millis(7)).unwrap();
        assert_eq!(loaded.waiting, [(lines.0, vec![young])]);
        let loaded = MailboxFile::load(&path, &tables, |at| at > Time::from_millis(8)).unwrap();
        assert_eq!((loaded.waiting, path.exists()), (Vec::new(), false));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let tables = Tables::built_in().unwrap();
        let path = file("mode");
        left(&path, &[waiting(&tables, "alice", "hi")], &tables);
        fs::write(&path, [&*fs::read(&path).unwrap(), b"{"].concat()).unwrap();
        load(&path, &tables);
        for path in [&path, &beside(&path, ".unread")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
