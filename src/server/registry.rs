//! Registry of sessions by account, and admission of logins.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use engine::{Admission, admit};
use identity::Account;
use protocol::event::SocketId;
use rtm::AppId;
use rtm::time::Time;
use rtm::value::Text;

use crate::server::replaced_lines::ReplacedLines;
use crate::server::session_directory::SessionView;
use crate::server::session_inbox::Inbox;
use crate::server::table_set::TableSet;

type Key = (AppId, Account);

/// Sessions by app id and account.
#[derive(Debug, Default)]
pub struct SessionRegistry {
    entries: Mutex<Entries>,
}

/// Handle of a session.
#[derive(Clone)]
pub struct SessionHandle {
    /// Session number.
    pub id: u64,
    pub inbox: Inbox,
    /// Its view for operators, which also decides whether messages must contain their frames.
    pub view: Arc<SessionView>,
    /// Tables of the session. Its clients decode frames by them.
    pub set: Arc<TableSet>,
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHandle({})", self.id)
    }
}

/// Login attempt of a socket.
pub struct LoginAttempt {
    /// Socket number.
    pub socket: SocketId,
    /// Address of the client.
    pub peer: IpAddr,
    /// Time of the accept.
    pub accepted: Time,
    /// Family of the client.
    pub family: Text,
    /// Login token.
    pub token: SecretString,
    /// True if the client loses its calls at the next login.
    pub loses_calls: bool,
}

/// Reason for a rejected session line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSession {
    /// Another client is logged in.
    Replaced,
    /// The session is over or unknown.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    session: SessionHandle,
    /// The replaced session, until RTM has ended it. Without this handle, the messages in its inbox would be lost.
    before: Option<SessionHandle>,
    /// Number in the session line of the latest login.
    line: u64,
    live: Option<SocketId>,
    peer: IpAddr,
    accepted: Time,
    family: Text,
    token: SecretString,
    /// See [`SessionRegistry::settled`].
    settled: bool,
    loses_calls: bool,
}

#[derive(Debug, Default)]
struct Entries {
    /// In boxes, because a table that grows has many free places.
    by_key: HashMap<Key, Box<Entry>>,
    by_line: HashMap<u64, Key>,
    /// Number of accounts with a session, by app.
    of_app: HashMap<AppId, usize>,
    replaced: ReplacedLines,
}

impl Entry {
    fn new(
        login: LoginAttempt,
        session: SessionHandle,
        before: Option<SessionHandle>,
        line: u64,
        settled: bool,
    ) -> Self {
        Self {
            session,
            before,
            line,
            live: Some(login.socket),
            peer: login.peer,
            accepted: login.accepted,
            family: login.family,
            token: login.token,
            settled,
            loses_calls: login.loses_calls,
        }
    }
}

impl Entries {
    /// Adds the entry of an account. Returns the replaced one.
    fn insert(&mut self, key: Key, entry: Entry) -> Option<Box<Entry>> {
        let line = entry.line;
        let before = self.by_key.insert(key.clone(), Box::new(entry));
        match &before {
            Some(before) => {
                self.by_line.remove(&before.line);
            }
            None => *self.of_app.entry(key.0.clone()).or_default() += 1,
        }
        self.by_line.insert(line, key);
        before
    }

    fn remove(&mut self, key: &Key) -> Option<Box<Entry>> {
        let entry = self.by_key.remove(key)?;
        self.by_line.remove(&entry.line);
        if let Some(count) = self.of_app.get_mut(&key.0) {
            *count -= 1;
            if *count == 0 {
                self.of_app.remove(&key.0);
            }
        }
        Some(entry)
    }
}

impl SessionRegistry {
    /// Admits a login and registers it. Returns the admission, the session, and the number for its session line.
    ///
    /// `create` creates a new session. A client that resumes another client's session gets a new line. Otherwise the
    /// two clients would take the session from each other forever.
    pub fn admit(
        &self,
        key: Key,
        login: LoginAttempt,
        twin_window: Duration,
        create: impl FnOnce() -> SessionHandle,
    ) -> (Admission, SessionHandle, u64) {
        let mut entries = self.entries.lock();
        let existing = entries
            .by_key
            .get(&key)
            .filter(|entry| !entry.session.inbox.is_closed());
        let known = existing.map(|entry| engine::Existing {
            live: entry.live.is_some(),
            peer: entry.peer,
            accepted: entry.accepted,
            settled: entry.settled,
            loses_calls: entry.loses_calls,
            same_token: same(&entry.token, &login.token),
            same_family: entry.family == login.family,
        });
        let newcomer = engine::LoginAttempt {
            peer: login.peer,
            accepted: login.accepted,
        };
        let admission = admit(known.as_ref(), &newcomer, twin_window);
        let (session, line) = match (admission, existing) {
            (Admission::Twin, Some(entry)) => (entry.session.clone(), entry.line),
            (Admission::Resume | Admission::Reset, Some(entry)) => {
                let next = entry.line.wrapping_add(1);
                (entry.session.clone(), getrandom::u64().unwrap_or(next))
            }
            _ => {
                let session = create();
                let line = session.id;
                (session, line)
            }
        };
        let before = match admission {
            Admission::Twin | Admission::Resume | Admission::Reset => existing.and_then(|entry| entry.before.clone()),
            Admission::New | Admission::Replace => existing.map(|entry| entry.session.clone()),
        };
        let accepted = login.accepted;
        let entry = Entry::new(login, session.clone(), before, line, false);
        if let Some(before) = entries.insert(key, entry)
            && before.line != line
        {
            entries.replaced.add(before.line, accepted);
        }
        (admission, session, line)
    }

    /// Registers a session that another sidecar had, by the line of its client. A session of the account that is here
    /// is replaced, unless it has that line.
    pub fn adopt(
        &self,
        key: Key,
        line: u64,
        login: LoginAttempt,
        create: impl FnOnce() -> SessionHandle,
    ) -> SessionHandle {
        let mut entries = self.entries.lock();
        let existing = entries.by_key.get_mut(&key);
        let existing = existing.filter(|entry| !entry.session.inbox.is_closed());
        if let Some(entry) = &existing
            && entry.line == line
            && entry.family == login.family
        {
            return entry.session.clone();
        }
        let before = existing.map(|entry| entry.session.clone());
        let session = create();
        let entry = Entry::new(login, session.clone(), before, line, true);
        entries.insert(key, entry);
        session
    }

    /// Returns the session of a session line and registers its new socket. The old socket may still be open here.
    ///
    /// # Errors
    /// [`NoSession`]: the line is invalid.
    pub fn by_line(
        &self,
        line: u64,
        family: &str,
        (socket, peer): (SocketId, IpAddr),
        now: Time,
    ) -> Result<(Key, SessionHandle), NoSession> {
        let mut entries = self.entries.lock();
        if entries.replaced.has(line, now) {
            return Err(NoSession::Replaced);
        }
        let Entries { by_key, by_line, .. } = &mut *entries;
        let entry = by_line.get(&line).and_then(|key| Some((key, by_key.get_mut(key)?)));
        let fits = |entry: &Entry| &*entry.family == family && !entry.session.inbox.is_closed();
        let (key, entry) = entry.filter(|(_, entry)| fits(entry)).ok_or(NoSession::Unknown)?;
        entry.live = Some(socket);
        entry.peer = peer;
        Ok((key.clone(), entry.session.clone()))
    }

    /// Marks a session as settled: its client has sent `set_flag` or a call other than a poll. Then another login is no
    /// twin.
    pub fn settled(&self, key: &Key, session: u64, loses_calls: bool) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.by_key.get_mut(key).filter(|e| e.session.id == session) {
            (entry.settled, entry.loses_calls) = (true, loses_calls);
        }
    }

    /// Returns true if the account has a session, or its app has fewer than `most` (0 for no limit).
    pub fn has_room(&self, key: &Key, most: u32) -> bool {
        let entries = self.entries.lock();
        let count = entries.of_app.get(&key.0).copied().unwrap_or(0);
        most == 0 || count < most as usize || entries.by_key.contains_key(key)
    }

    /// Returns the session of an account.
    pub fn session(&self, key: &Key) -> Option<SessionHandle> {
        self.entries.lock().by_key.get(key).map(|entry| entry.session.clone())
    }

    /// Exchanges the tables of a session by `exchange`, unless it returns false. A login that is admitted later gets the
    /// new ones. Returns `None` if a socket other than `socket` has an admitted login.
    pub fn exchange(
        &self,
        key: &Key,
        (session, socket): (u64, Option<SocketId>),
        set: &Arc<TableSet>,
        exchange: impl FnOnce() -> bool,
    ) -> Option<bool> {
        let mut entries = self.entries.lock();
        let entry = entries.by_key.get_mut(key);
        // A client whose login is admitted already decodes by the tables of the session.
        let is_only = |entry: &Entry| entry.live.is_none() || entry.live == socket;
        let entry = entry.filter(|entry| entry.session.id == session && is_only(entry))?;
        let is_exchanged = exchange();
        if is_exchanged {
            entry.session.set = set.clone();
        }
        Some(is_exchanged)
    }

    /// Unregisters a socket, unless its session has a newer one.
    pub fn socket_closed(&self, key: &Key, socket: SocketId) {
        if let Some(entry) = self
            .entries
            .lock()
            .by_key
            .get_mut(key)
            .filter(|entry| entry.live == Some(socket))
        {
            entry.live = None;
        }
    }

    /// Unregisters a session; the account may have a newer one. `kicked` means a login elsewhere.
    pub fn remove(&self, key: &Key, session: u64, kicked: bool, now: Time) {
        let mut entries = self.entries.lock();
        if entries.by_key.get(key).is_some_and(|entry| entry.session.id == session)
            && let Some(entry) = entries.remove(key)
        {
            if kicked {
                entries.replaced.add(entry.line, now);
            }
        } else if let Some(entry) = entries.by_key.get_mut(key) {
            entry.before.take_if(|before| before.id == session);
        }
    }

    /// Returns the number of sessions.
    pub fn len(&self) -> usize {
        self.entries.lock().by_key.len()
    }

    /// Returns true if there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    a.expose_secret().as_bytes().ct_eq(b.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session_inbox::inbox;
    use tables::Tables;

    const NATIVE: &str = "native";

    fn set() -> Arc<TableSet> {
        TableSet::new(Arc::new(Tables::default())).expect("no profiles, no wires")
    }

    fn key(account: &str) -> Key {
        (AppId::new("app").unwrap(), Account::new(account).unwrap())
    }

    fn attempt(socket: u64) -> LoginAttempt {
        LoginAttempt {
            socket: SocketId(socket),
            peer: [127, 0, 0, 1].into(),
            accepted: Time::from_millis(1_000),
            family: NATIVE.into(),
            token: SecretString::from("t"),
            loses_calls: false,
        }
    }

    fn session(socket: u64) -> SessionHandle {
        SessionHandle {
            id: 100 + socket,
            inbox: inbox(&Arc::default(), &Arc::default()),
            view: SessionView::for_test(100 + socket),
            set: set(),
        }
    }

    fn login(registry: &SessionRegistry, socket: u64, window: Duration) -> (Admission, u64, u64) {
        let (admission, session, line) = registry.admit(key("dora"), attempt(socket), window, || session(socket));
        (admission, session.id, line)
    }

    const NOW: Time = Time::from_millis(2_000);

    fn known(registry: &SessionRegistry, line: u64) -> Result<u64, NoSession> {
        let found = registry.by_line(line, NATIVE, (SocketId(99), [127, 0, 0, 1].into()), NOW);
        found.map(|(_, session)| session.id)
    }

    #[test]
    fn only_the_line_of_the_latest_login_is_known() {
        let registry = SessionRegistry::default();
        let (admission, session, first) = login(&registry, 1, Duration::ZERO);
        assert_eq!((admission, known(&registry, first)), (Admission::New, Ok(session)));
        // A twin is the same client: its session has one line.
        let twin = login(&registry, 2, Duration::from_secs(1));
        assert_eq!(twin, (Admission::Twin, session, first));
        let key = key("dora");
        registry.socket_closed(&key, SocketId(2));
        let (admission, resumed, second) = login(&registry, 3, Duration::ZERO);
        assert_eq!((admission, resumed), (Admission::Resume, session));
        assert_eq!(
            (known(&registry, first), known(&registry, second)),
            (Err(NoSession::Replaced), Ok(session))
        );
        let (admission, replaced, third) = login(&registry, 4, Duration::ZERO);
        let is_replaced = Err(NoSession::Replaced);
        assert_eq!((admission, known(&registry, second)), (Admission::Replace, is_replaced));
        // The replaced session is still reachable.
        let before = || {
            registry.entries.lock().by_key[&key]
                .before
                .as_ref()
                .map(|before| before.id)
        };
        assert_eq!(before(), Some(session));
        // The end of the replaced session does not end the new session.
        registry.remove(&key, session, true, NOW);
        assert_eq!((known(&registry, third), before()), (Ok(replaced), None));
        registry.remove(&key, replaced, false, NOW);
        assert_eq!((known(&registry, third), registry.len()), (Err(NoSession::Unknown), 0));
        assert_eq!(known(&registry, second), is_replaced, "still replaced");
        // A login at another sidecar or of an RTM-native user.
        let (_, session, line) = login(&registry, 5, Duration::ZERO);
        registry.remove(&key, session, true, NOW);
        assert_eq!(known(&registry, line), is_replaced);
        assert_eq!(known(&registry, 77), Err(NoSession::Unknown));
    }

    #[test]
    fn a_settled_client_is_replaced() {
        let registry = SessionRegistry::default();
        let key = key("dora");
        let window = Duration::from_secs(1);
        let (_, session, _) = login(&registry, 1, window);
        assert_eq!(login(&registry, 2, window).0, Admission::Twin);
        registry.settled(&key, session + 1, false);
        assert_eq!(login(&registry, 3, window).0, Admission::Twin, "another session");
        registry.settled(&key, session, false);
        assert_eq!(login(&registry, 4, window).0, Admission::Replace);
    }

    #[test]
    fn every_session_counts_against_its_app() {
        let registry = SessionRegistry::default();
        login(&registry, 1, Duration::ZERO);
        // Another sidecar had this session.
        let adopted = registry.adopt(key("erin"), 7, attempt(2), || session(2));
        let again = registry.adopt(key("erin"), 8, attempt(3), || session(3));
        let has_room = || registry.has_room(&key("finn"), 2);
        assert!(!has_room());
        registry.remove(&key("erin"), adopted.id, false, NOW);
        assert!(!has_room(), "the account has a newer session");
        registry.remove(&key("erin"), again.id, false, NOW);
        assert!(has_room() && !registry.has_room(&key("finn"), 1));
    }
}
