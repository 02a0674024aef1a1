//! Live view of a session: a bounded ring between the session and one viewer, and the stream to the viewer.
//!
//! The session copies its records into the ring, as it does for a recording. The viewer's task redacts them, names
//! their rows and writes them as server-sent events. A viewer that is too slow loses the stream, and the last event
//! has the reason.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::admin::reply::Body;
use crate::server::{Inbox, Message, Server, SessionView, TableSet, Viewer};
use analysis::explain;
use identity::Account;
use rtm::time::Time;
use rtm::value::Value;
use tables::row::RowId;
use tables::wire::Wire;
use trace::{Dir, Leg, Record, Redaction, Redactor, SessionRecorder, Sink, TraceEvent};

/// Maximum of viewers.
const MAX_VIEWERS: usize = 8;
/// Records of a ring.
const RECORDS: usize = 1024;
/// Bytes of a ring.
const BYTES: usize = 1 << 20;
/// Approximate bytes of a record without a frame.
const RECORD_BYTES: usize = 256;
/// Records of a stream. The viewer then opens another: the redactor keeps each name.
const MOST: usize = 20_000;
/// Interval of comments that show an ended connection.
const BEAT: Duration = Duration::from_secs(10);

/// All viewers.
#[derive(Debug)]
pub struct Viewers {
    room: Arc<Semaphore>,
    last: AtomicU64,
}

impl Default for Viewers {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(MAX_VIEWERS)),
            last: AtomicU64::new(0),
        }
    }
}

/// Reason against a new viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoView {
    /// Too many viewers.
    Full,
    /// The session is over.
    Over,
    /// The system has no randomness for the redaction.
    NoKey,
}

/// Ring between a session and a viewer.
#[derive(Debug, Default)]
struct Ring {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    bytes: usize,
    /// A record did not fit.
    lost: bool,
    /// The session has ended, or has too many viewers.
    ended: bool,
}

/// The session's end of a ring.
struct Feed(Arc<Ring>);

impl Sink for Feed {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        let mut state = self.0.state.lock();
        if state.lost {
            return;
        }
        let bytes = bytes_of(&what);
        if state.records.len() >= RECORDS || state.bytes + bytes > BYTES {
            state.lost = true;
        } else {
            state.bytes += bytes;
            state.records.push_back(what.record(t_us, session));
        }
        drop(state);
        self.0.filled.notify_one();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.filled.notify_one();
    }
}

fn bytes_of(what: &TraceEvent<'_>) -> usize {
    let text = match what {
        TraceEvent::Decoded { frame, .. } | TraceEvent::Sent { frame, .. } => frame.len(),
        _ => 0,
    };
    RECORD_BYTES + text
}

/// The viewer's end of a ring; its drop removes the viewer from the session.
struct View {
    server: Arc<Server>,
    /// Tables at the beginning of the view.
    set: Arc<TableSet>,
    ring: Arc<Ring>,
    redactor: Redactor,
    wire: Option<Arc<Wire>>,
    inbox: Inbox,
    number: u64,
    started: Time,
    sent: usize,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for View {
    fn drop(&mut self) {
        // The session may be over.
        let _ = self.inbox.send(Message::Unwatch(self.number));
    }
}

/// Returns the tables of a session, which may be those of before a reload.
fn tables_of(server: &Server, session: &SessionView) -> Arc<TableSet> {
    let account = Account::new(session.account.clone()).ok();
    let handle = account.and_then(|account| server.registry.session(&(session.app.clone(), account)));
    let own = handle.filter(|handle| handle.id == session.id);
    own.map_or_else(|| server.sets.current(), |handle| handle.set)
}

/// Attaches a viewer to a session. Returns the stream of server-sent events.
///
/// # Errors
/// The reason against it.
pub fn view(server: &Arc<Server>, session: &SessionView, inbox: Inbox) -> Result<Body, NoView> {
    let viewers = &server.admin.viewers;
    let permit = viewers.room.clone().try_acquire_owned().map_err(|_| NoView::Full)?;
    let number = viewers.last.fetch_add(1, Ordering::Relaxed);
    let config = server.config();
    let (record, set) = (&config.record, tables_of(server, session));
    let redaction = Redaction::new(&set.tables, record.names, record.bodies).map_err(|_| NoView::NoKey)?;
    let (ring, started) = (Arc::new(Ring::default()), server.clock.now());
    let feed = Arc::new(Feed(ring.clone()));
    let recorder = SessionRecorder::new(feed, set.tables.clone(), started, 1);
    let viewer = Viewer {
        number,
        recorder,
        set: set.clone(),
    };
    inbox.send(Message::Watch(Box::new(viewer))).map_err(|_| NoView::Over)?;
    let profile = session.client().profile;
    let profile = set.tables.profiles.iter().find(|known| known.name == profile);
    let wire = profile.and_then(|profile| set.tables.wire(&profile.family)).cloned();
    let view = View {
        server: server.clone(),
        set,
        ring,
        redactor: Redactor::new(redaction),
        wire,
        inbox,
        number,
        started,
        sent: 0,
        over: false,
        _permit: permit,
    };
    let chunks = unfold(view, |mut view| async move {
        let text = view.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), view))
    });
    Ok(StreamBody::new(chunks).boxed_unsync())
}

impl View {
    /// Returns the next events as text, or `None` after the last one.
    async fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        loop {
            let ring = self.ring.clone();
            let filled = ring.filled.notified();
            let (records, lost, ended) = {
                let mut state = ring.state.lock();
                state.bytes = 0;
                (std::mem::take(&mut state.records), state.lost, state.ended)
            };
            let mut text = String::new();
            for record in records {
                self.sent += 1;
                self.write(record, &mut text);
            }
            let last = if lost {
                self.server.metrics.dropped("console events of a slow viewer");
                Some("the viewer was too slow, and events were lost")
            } else if ended {
                Some("the session has ended, or has four viewers already")
            } else if self.sent >= MOST {
                Some("the view has reached its length")
            } else {
                None
            };
            if let Some(reason) = last {
                self.over = true;
                event("end", &End { lost, reason }, &mut text);
            }
            if !text.is_empty() {
                return Some(text);
            }
            if timeout(BEAT, filled).await.is_err() {
                return Some(":\n\n".into());
            }
        }
    }

    fn write(&mut self, record: Record, text: &mut String) {
        let (leg, dir) = (record.leg, record.dir);
        let row = self.row_of(&record);
        let at_ms = self.started.as_millis() + record.t_us / 1000;
        let record = self.redactor.redact(record);
        let Some((kind, what)) = shown(leg, dir, &record.data) else {
            return;
        };
        let row = row.map(|row| &self.set.tables.rows[row]);
        let shown = Shown {
            at_ms,
            kind,
            place: row.map(|row| &*row.place),
            row: row.map(|row| &*row.id),
            what,
        };
        event("record", &shown, text);
    }

    /// Returns the row of an effect, a note, or a client's frame.
    fn row_of(&self, record: &Record) -> Option<RowId> {
        let tables = &self.set.tables;
        let noted = || record.data.get("note")?.get("row")?.as_text();
        if let Some(id) = record.row.as_ref().or_else(noted) {
            return tables.row_named(id);
        }
        let is_of_client = (record.leg, record.dir) == (Leg::Legacy, Dir::In);
        let frame = record.data.get("frame").filter(|_| is_of_client)?.as_text()?;
        explain::row_of(tables, self.wire.as_ref()?, frame)
    }
}

/// A record as viewers get it.
#[derive(Serialize)]
struct Shown<'r> {
    at_ms: u64,
    kind: &'static str,
    place: Option<&'r str>,
    row: Option<&'r str>,
    what: What<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'r> {
    Data(&'r Value),
    Begin {
        account: Option<&'r Value>,
        profile: Option<&'r Value>,
    },
}

/// The last event.
#[derive(Serialize)]
struct End {
    lost: bool,
    reason: &'static str,
}

/// Returns kind and content of a record, or `None` for one that no viewer needs.
fn shown(leg: Leg, dir: Dir, data: &Value) -> Option<(&'static str, What<'_>)> {
    let member = |name: &str| data.get(name).map(What::Data);
    let is = |name: &str| data.get(name).is_some();
    let all = What::Data(data);
    Some(match (leg, dir) {
        (Leg::Legacy, Dir::In) if is("frame") => ("frame-in", member("frame")?),
        (Leg::Legacy, Dir::Out) if is("frame") => ("frame-out", member("frame")?),
        (Leg::Legacy, _) => ("connection", all),
        (Leg::Rtm, Dir::Out) => ("call", all),
        (Leg::Rtm, Dir::In) if is("event") => ("event", member("event")?),
        (Leg::Rtm, Dir::In) => ("reply", all),
        (Leg::Timer, _) => ("timer", all),
        (Leg::Env, Dir::Out) if is("note") => ("note", member("note")?),
        (Leg::Env, Dir::In) if is("begin") => {
            let begin = data.get("begin")?;
            let (account, profile) = (begin.get("account"), begin.get("profile"));
            ("begin", What::Begin { account, profile })
        }
        (Leg::Env, _) if is("name") => return None,
        (Leg::Env, _) => ("state", all),
        (Leg::Http, _) => return None,
    })
}

fn event(name: &str, data: &impl Serialize, text: &mut String) {
    // These types are always representable, and JSON has no line end within it.
    let data = serde_json::to_string(data).unwrap_or_default();
    for part in ["event: ", name, "\ndata: ", &data, "\n\n"] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::SocketId;

    fn ring() -> (Arc<Ring>, Feed) {
        let ring = Arc::new(Ring::default());
        (ring.clone(), Feed(ring))
    }

    fn frame(feed: &Feed, frame: &str) {
        let socket = SocketId(1);
        feed.take(0, 1, TraceEvent::Decoded { socket, frame });
    }

    #[test]
    fn a_ring_is_bounded_in_records_and_in_bytes() {
        let (ring, feed) = ring();
        for _ in 0..RECORDS {
            frame(&feed, "x");
        }
        assert!(!ring.state.lock().lost);
        frame(&feed, "x");
        assert!(ring.state.lock().lost);
        assert_eq!(ring.state.lock().records.len(), RECORDS);
        let (ring, feed) = super::tests::ring();
        frame(&feed, &"x".repeat(BYTES));
        assert!(ring.state.lock().lost && ring.state.lock().records.is_empty());
        drop(feed);
        assert!(ring.state.lock().ended);
    }
}
