//! Directory of live sessions for the admin address, which is read without a lock or a message of the session.
//!
//! A session writes values that change with each message into atomics, and the rest under a short lock of its own. A list
//! copies references under the lock of the directory, which sessions take at their start and end only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use rtm::AppId;
use rtm::time::Time;
use rtm::value::Text;

use crate::server::session_inbox::{Inbox, WeakInbox};

/// Live sessions by number.
#[derive(Debug, Default)]
pub struct SessionDirectory {
    sessions: Mutex<HashMap<u64, (Arc<SessionView>, WeakInbox)>>,
}

/// A session as operators see it.
#[derive(Debug)]
pub struct SessionView {
    /// Session number.
    pub id: u64,
    pub app: AppId,
    /// The account itself, for comparison only.
    pub account: Text,
    /// The account as `[log] accounts` shows it.
    pub shown_account: Option<Box<str>>,
    /// Time of the first login.
    pub since: Time,
    client: Mutex<ClientView>,
    connections: AtomicUsize,
    mailbox: AtomicUsize,
    inexact: AtomicU64,
    calls: AtomicU64,
    events: AtomicU64,
    /// The session is recorded.
    recorded: AtomicBool,
    /// A viewer follows the session.
    watched: AtomicBool,
}

/// A session's client as operators see it; changes at logins, joins and leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Name of its profile.
    pub profile: Text,
    /// Version of its SDK, if its logins have one.
    pub version: Option<Text>,
    /// Address of its latest connection.
    pub peer: IpAddr,
    /// Time of the latest login.
    pub login: Time,
    /// The channel, as the client names it.
    pub channel: Option<Text>,
}

/// Numbers of a session at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionNumbers {
    /// Open connections; 0 in the grace time.
    pub connections: usize,
    /// Messages that the client has not acknowledged.
    pub mailbox: usize,
    /// Inexact translations.
    pub inexact: u64,
    /// Answered calls.
    pub calls: u64,
    /// Events sent to the client.
    pub events: u64,
}

impl SessionView {
    /// Creates the view of a session before its first login is answered.
    pub fn new(
        id: u64,
        (app, account, shown_account): (AppId, Text, Option<Box<str>>),
        since: Time,
        client: ClientView,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            app,
            account,
            shown_account,
            since,
            client: Mutex::new(client),
            connections: AtomicUsize::new(0),
            mailbox: AtomicUsize::new(0),
            inexact: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            events: AtomicU64::new(0),
            recorded: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        })
    }

    /// Creates a view for tests.
    #[cfg(test)]
    pub fn for_test(id: u64) -> Arc<Self> {
        let client = ClientView {
            profile: "web".into(),
            version: None,
            peer: [127, 0, 0, 1].into(),
            login: Time::default(),
            channel: None,
        };
        let app = AppId::new("app").expect("a legal id");
        Self::new(id, (app, "dora".into(), Some("dora".into())), Time::default(), client)
    }

    /// Returns a copy of the client's data.
    pub fn client(&self) -> ClientView {
        self.client.lock().clone()
    }

    /// Calls `read` with the client's data.
    pub fn with_client<T>(&self, read: impl FnOnce(&ClientView) -> T) -> T {
        read(&self.client.lock())
    }

    /// Changes the client's data.
    pub fn change(&self, change: impl FnOnce(&mut ClientView)) {
        change(&mut self.client.lock());
    }

    /// Returns the numbers.
    pub fn numbers(&self) -> SessionNumbers {
        SessionNumbers {
            connections: self.connections.load(Ordering::Relaxed),
            mailbox: self.mailbox.load(Ordering::Relaxed),
            inexact: self.inexact.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
        }
    }

    /// Sets the number of open connections.
    pub fn set_connections(&self, connections: usize) {
        self.connections.store(connections, Ordering::Relaxed);
    }

    /// Sets the number of unacknowledged messages.
    pub fn set_mailbox(&self, lines: usize) {
        // Only the session writes, and most steps change nothing.
        if self.mailbox.load(Ordering::Relaxed) != lines {
            self.mailbox.store(lines, Ordering::Relaxed);
        }
    }

    /// Counts an inexact translation.
    pub fn count_inexact(&self) {
        add(&self.inexact);
    }

    /// Counts an answered call.
    pub fn count_call(&self) {
        add(&self.calls);
    }

    /// Counts an event.
    pub fn count_event(&self) {
        add(&self.events);
    }

    /// Marks the session as recorded.
    pub fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

    /// Reports whether the session is recorded.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Marks the session as followed by a viewer, or not.
    pub fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// Reports whether a viewer follows the session.
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Reports whether messages to the session must contain their frames.
    pub fn wants_frames(&self) -> bool {
        self.is_recorded() || self.is_watched()
    }
}

/// Adds one to a counter that has a single writer.
fn add(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl SessionDirectory {
    /// Adds a session.
    pub fn add(&self, view: Arc<SessionView>, inbox: WeakInbox) {
        self.sessions.lock().insert(view.id, (view, inbox));
    }

    /// Removes a session.
    pub fn remove(&self, id: u64) {
        self.sessions.lock().remove(&id);
    }

    /// Returns a session.
    pub fn get(&self, id: u64) -> Option<(Arc<SessionView>, Inbox)> {
        let (view, inbox) = self.sessions.lock().get(&id).cloned()?;
        Some((view, inbox.upgrade()?))
    }

    /// Returns all sessions, in no order.
    pub fn views(&self) -> Vec<Arc<SessionView>> {
        let sessions = self.sessions.lock();
        sessions.values().map(|(view, _)| view.clone()).collect()
    }

    /// Returns the inboxes of sessions without a client.
    pub fn away(&self) -> Vec<Inbox> {
        let sessions = self.sessions.lock();
        let away = sessions.values().filter(|(view, _)| view.numbers().connections == 0);
        away.filter_map(|(_, inbox)| inbox.upgrade()).collect()
    }

    /// Returns the inboxes of all sessions.
    pub fn inboxes(&self) -> Vec<Inbox> {
        let sessions = self.sessions.lock();
        sessions.values().filter_map(|(_, inbox)| inbox.upgrade()).collect()
    }
}
