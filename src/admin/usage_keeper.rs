//! Usage across restarts: `[admin] usage_file`, for `sigbridge report`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{error, warn};

use crate::config;
use crate::log::accounts::Accounts;
use crate::server::TableSet;
use analysis::report::{Day, Kind, UsageFile, Use, usage_of};
use identity::SessionLineKey;
use rtm::time::Time;
use runtime::log_limit::{Bound, Cause, admits};
use text_files::text_from;

/// Longest file.
const MAX_FILE: u64 = 256 << 20;

/// Keeper of the usage file. Without a path it does nothing.
#[derive(Debug)]
pub struct UsageKeeper {
    path: Option<PathBuf>,
    hashes: Accounts,
    state: Mutex<State>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    file: UsageFile,
    /// Counters of this process that are in the file already, by tables and kind of client.
    counted: BTreeMap<(usize, Kind), Use>,
}

impl UsageKeeper {
    /// Creates the keeper of an empty file.
    pub fn new(path: Option<PathBuf>, key: &SessionLineKey) -> Self {
        Self {
            path,
            hashes: Accounts::new(config::Accounts::Hash, key),
            state: Mutex::default(),
            writing: Mutex::new(()),
        }
    }

    /// Reads the file of an earlier process. An unreadable one is renamed, and a new one begins.
    pub fn load(&self) {
        let Some(path) = &self.path else { return };
        let read = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => Err(error.to_string()),
            Ok(file) => text_from(file, MAX_FILE).map_err(|error| error.to_string()),
        };
        match read.and_then(|text| UsageFile::read(&text)) {
            Ok(file) => self.state.lock().file = file,
            Err(error) => {
                let aside = path.with_extension("unread");
                let _ = fs::rename(path, &aside);
                warn!(%error, aside = %aside.display(), "the usage file could not be read; a new one begins");
            }
        }
    }

    /// Notes an account at its login.
    pub fn see(&self, (app, account): (&str, &str), kind: Kind, now: Time) {
        if self.path.is_some()
            && let Some(hash) = self.hashes.name(app, account)
        {
            self.state.lock().file.see(hash.into(), kind, Day::of(now));
        }
    }

    /// Returns true if usage is kept in a file.
    pub fn has_file(&self) -> bool {
        self.path.is_some()
    }

    /// Adds the counters since the last time, and writes the file.
    pub fn save(&self, sets: &[Arc<TableSet>], now: Time) {
        let Some(path) = &self.path else { return };
        let _writing = self.writing.lock();
        let text = {
            let mut state = self.state.lock();
            let groups = sets.iter().enumerate().flat_map(|(at, set)| {
                let groups = set.usage.groups().into_iter();
                groups.map(move |group| (at, group))
            });
            for (at, group) in groups {
                let set = &sets[at];
                let kind = Kind {
                    app: group.app.to_string(),
                    profile: group.profile.to_string(),
                    build: group.build.to_string(),
                };
                let all = Use {
                    events: group.events(),
                    ..usage_of(&set.tables, &group.coverage(&set.tables))
                };
                let counted = (Arc::as_ptr(set) as usize, kind.clone());
                let before = state.counted.insert(counted, all.clone()).unwrap_or_default();
                let more = all.since(&before);
                if !more.is_empty() {
                    state.file.add(Day::of(now), kind, &more);
                }
            }
            state.file.text()
        };
        let beside = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        });
        if let Err(error) = written
            && admits("unwritten usage files", Bound::EVENT, Cause::default())
        {
            error!(%error, hint = "[admin] usage_file must be writable", "the usage file is not written");
        }
    }
}
