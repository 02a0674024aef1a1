//! The register of sessions: who is here, and what a new login means for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::mpsc;

use crate::bridge::{self, Admission, SocketId, admit};
use crate::ident::{Account, AppId};
use crate::time::Time;
use crate::value::Text;

use super::message::Message;

type Key = (AppId, Account);

/// Sessions by app id and account.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

/// The way to a session.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    /// Its number, which its lines carry.
    pub id: u64,
    /// Its inbox.
    pub inbox: mpsc::Sender<Message>,
    /// It is recorded, so its messages come with their frames.
    pub recorded: bool,
}

/// A socket that logs in.
#[derive(Debug)]
pub struct Newcomer {
    /// Its number.
    pub socket: SocketId,
    /// Where it comes from.
    pub peer: IpAddr,
    /// When it was accepted.
    pub accepted: Time,
    /// Its family.
    pub family: Text,
    /// Its token.
    pub token: SecretString,
}

#[derive(Debug)]
struct Entry {
    session: SessionHandle,
    live: Option<SocketId>,
    peer: IpAddr,
    accepted: Time,
    family: Text,
    token: SecretString,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    by_line: HashMap<u64, Key>,
}

impl Registry {
    /// Decides what a login means and notes it. `create` makes the session of a new one.
    pub fn admit(
        &self,
        key: Key,
        login: Newcomer,
        twin_window: Duration,
        create: impl FnOnce() -> SessionHandle,
    ) -> (Admission, SessionHandle) {
        let mut entries = self.entries.lock();
        let existing = entries
            .by_key
            .get(&key)
            .filter(|entry| !entry.session.inbox.is_closed());
        let known = existing.map(|entry| bridge::Existing {
            live: entry.live.is_some(),
            peer: entry.peer,
            accepted: entry.accepted,
            same_token: same(&entry.token, &login.token),
            same_family: entry.family == login.family,
        });
        let newcomer = bridge::Newcomer {
            peer: login.peer,
            accepted: login.accepted,
        };
        let admission = admit(known.as_ref(), &newcomer, twin_window);
        let session = match (admission, existing) {
            (Admission::Twin | Admission::Resume, Some(entry)) => entry.session.clone(),
            _ => create(),
        };
        let entry = Entry {
            session: session.clone(),
            live: Some(login.socket),
            peer: login.peer,
            accepted: login.accepted,
            family: login.family,
            token: login.token,
        };
        entries.by_line.insert(session.id, key.clone());
        if let Some(before) = entries.by_key.insert(key, entry)
            && before.session.id != session.id
        {
            entries.by_line.remove(&before.session.id);
        }
        (admission, session)
    }

    /// A client comes back by the line of a session, whether or not the loss of its socket was noticed here.
    pub fn by_line(&self, session: u64, family: &str, socket: SocketId, peer: IpAddr) -> Option<(Key, SessionHandle)> {
        let mut entries = self.entries.lock();
        let key = entries.by_line.get(&session)?.clone();
        let entry = entries.by_key.get_mut(&key)?;
        if &*entry.family != family || entry.session.inbox.is_closed() {
            return None;
        }
        entry.live = Some(socket);
        entry.peer = peer;
        Some((key, entry.session.clone()))
    }

    /// The session that an account has.
    pub fn session(&self, key: &Key) -> Option<SessionHandle> {
        self.entries.lock().by_key.get(key).map(|entry| entry.session.clone())
    }

    /// A socket is gone; its session may have another by now.
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

    /// A session is over; the account may have another by now.
    pub fn remove(&self, key: &Key, session: u64) {
        let mut entries = self.entries.lock();
        entries.by_line.remove(&session);
        if entries.by_key.get(key).is_some_and(|entry| entry.session.id == session) {
            entries.by_key.remove(key);
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.entries.lock().by_key.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    a.expose_secret().as_bytes().ct_eq(b.expose_secret().as_bytes()).into()
}
