//! Sessions of a live replay with a caller-driven clock; acts as the server around them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::names::{ReadNames, TraceNames};
use crate::record::{Dir, Leg, Record};
use crate::session_context;
use crate::session_context::Begin;
use crate::session_replay::{InvalidRecord, Out, SessionReplay};
use engine::{Effect, ForOthers, Names, Route};
use protocol::encoder::Encoder;
use protocol::event::Event;
use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Text;
use rtm::{ChannelId, GetMembersErr, RtmCall};
use rtm_embedded::Timers;
use tables::Tables;

/// Request to RTM.
#[derive(Debug)]
pub enum RtmRequest {
    /// Call of a session's RTM client, which the first call creates.
    Call { session: u64, request: u64, call: RtmCall },
    /// End of a session and its client.
    Close { session: u64 },
}

type Lines = Vec<(Event, Time)>;
type Key = (Option<AppId>, Text);

/// Message to a session.
enum Message {
    UpstreamEvent(UpstreamEvent),
    Kept(Lines),
}

struct ReplaySession {
    session_replay: SessionReplay,
    key: Key,
    /// Channel of which other sessions know this one to be a member.
    member_of: Option<ChannelId>,
    for_others: ForOthers<u64>,
    over: bool,
}

/// Sessions of a trace.
pub struct Harness<'s> {
    tables: &'s Arc<Tables>,
    encoders: &'s Arc<Vec<Arc<dyn Encoder>>>,
    started: u64,
    names: Arc<ReadNames>,
    apps: HashMap<u64, AppId>,
    session_entries: BTreeMap<u64, ReplaySession>,
    /// Current session of an account, and whether it had an earlier one.
    current: HashMap<Key, u64>,
    offline_lines: HashMap<Key, Lines>,
    members: HashMap<(Option<AppId>, ChannelId), Vec<u64>>,
    /// Sessions by the times of their timers.
    timers: Timers<u64>,
    inbox: VecDeque<(u64, Message)>,
    requests: Vec<RtmRequest>,
    /// Replayed frames and notes, by session.
    pub played: BTreeMap<u64, Vec<Record>>,
    /// Number of outputs to clients, by session.
    pub event: HashMap<u64, usize>,
}

impl<'s> Harness<'s> {
    /// Creates a harness; `apps` are those of future logins.
    pub fn new(
        tables: &'s Arc<Tables>,
        encoders: &'s Arc<Vec<Arc<dyn Encoder>>>,
        started: u64,
        names: Arc<ReadNames>,
        apps: HashMap<u64, AppId>,
    ) -> Self {
        Self {
            tables,
            encoders,
            started,
            names,
            apps,
            session_entries: BTreeMap::new(),
            current: HashMap::new(),
            offline_lines: HashMap::new(),
            members: HashMap::new(),
            timers: Timers::default(),
            inbox: VecDeque::new(),
            requests: Vec::new(),
            played: BTreeMap::new(),
            event: HashMap::new(),
        }
    }

    /// Takes the pending requests to RTM.
    pub fn take_requests(&mut self) -> Vec<RtmRequest> {
        std::mem::take(&mut self.requests)
    }

    /// Delivers an RTM event to a session.
    pub fn deliver(&mut self, session: u64, event: UpstreamEvent) {
        self.inbox.push_back((session, Message::UpstreamEvent(event)));
    }

    /// Returns the app of a session, if its login names one.
    pub fn app(&self, session: u64) -> Option<&AppId> {
        self.apps.get(&session)
    }

    /// Processes one message; returns false if there is none.
    pub fn work(&mut self, now: Time) -> bool {
        let Some((session, message)) = self.inbox.pop_front() else {
            return false;
        };
        match message {
            Message::UpstreamEvent(event) => {
                let entry = self.session_entries.get_mut(&session);
                match entry.map(|entry| entry.for_others.route(event)) {
                    Some(Route::Own(event)) => {
                        self.with(now, session, |session_replay| session_replay.rtm_event(now, event));
                    }
                    Some(Route::Other(requester, event)) => self.deliver(requester, event),
                    Some(Route::Nowhere) | None => {}
                }
            }
            Message::Kept(lines) => self.with(now, session, |session_replay| session_replay.mailbox_lines(now, lines)),
        }
        true
    }

    /// Returns the time of the next timer.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    /// Fires the first timer, if due.
    pub fn fire(&mut self, now: Time) {
        if let Some((_, session)) = self.timers.pop(now) {
            self.with(now, session, |session_replay| session_replay.fire(now));
        }
    }

    /// Handles a record: a client frame or an external input.
    pub fn take(&mut self, now: Time, record: &Record) -> Result<(), InvalidRecord> {
        let session = record.session;
        let data = &record.data;
        if record.dir != Dir::In || session == 0 {
            return Ok(());
        }
        match record.leg {
            Leg::Env if data.get("name").is_some() => Ok(()),
            Leg::Env if data.get("begin").is_some() => {
                let begin = Begin::read(data.get("begin").unwrap_or(&rtm::value::Value::Null))?;
                self.begin(session, &begin)
            }
            Leg::Env if record.env("cut") || record.env("lost") => {
                self.finish(session);
                Ok(())
            }
            Leg::Env if data.get("kept").is_some() => {
                // The trace determines the remaining lines of its sessions.
                if self.is_first_of_account(session) {
                    let lines =
                        session_context::read_lines(self.tables, data.get("kept").unwrap_or(&rtm::value::Value::Null))?;
                    self.with(now, session, |session_replay| session_replay.mailbox_lines(now, lines));
                }
                Ok(())
            }
            Leg::Env | Leg::Legacy => self.feed(now, record),
            // Part of the session's environment, as at its beginning.
            Leg::Rtm if data.get("lacks").is_some() => self.feed(now, record),
            Leg::Rtm | Leg::Timer | Leg::Http => Ok(()),
        }
    }

    fn begin(&mut self, session: u64, begin: &Begin) -> Result<(), InvalidRecord> {
        if self.session_entries.contains_key(&session) {
            return Err(format!("session {session} began already").into());
        }
        let app = self.apps.get(&session).cloned();
        let names: Arc<dyn Names> = Arc::new(TraceNames {
            read: self.names.clone(),
            app: app.clone(),
        });
        let session_replay = SessionReplay::new(self.tables.clone(), self.encoders.clone(), begin, names)?.live();
        let key = (app, session_replay.account().clone());
        self.current.insert(key.clone(), session);
        let entry = ReplaySession {
            session_replay,
            key,
            member_of: None,
            for_others: ForOthers::default(),
            over: false,
        };
        self.session_entries.insert(session, entry);
        Ok(())
    }

    fn is_first_of_account(&self, session: u64) -> bool {
        let key = self.session_entries.get(&session).map(|entry| &entry.key);
        self.session_entries
            .iter()
            .all(|(other, entry)| *other == session || Some(&entry.key) != key)
    }

    fn feed(&mut self, now: Time, record: &Record) -> Result<(), InvalidRecord> {
        let session = record.session;
        let entry = self.session_entries.get_mut(&session);
        let entry = entry.ok_or_else(|| format!("session {session} did not begin"))?;
        self.played.entry(session).or_default().push(record.clone());
        if entry.over {
            return Ok(());
        }
        let outs = entry.session_replay.feed(now, record)?;
        let is_login = record.leg == Leg::Env;
        let offline_lines = is_login.then(|| self.offline_lines.remove(&entry.key)).flatten();
        self.done(now, session, outs);
        if let Some(lines) = offline_lines {
            self.with(now, session, |session_replay| session_replay.mailbox_lines(now, lines));
        }
        Ok(())
    }

    fn with(&mut self, now: Time, session: u64, act: impl FnOnce(&mut SessionReplay) -> Vec<Out>) {
        if let Some(entry) = self.session_entries.get_mut(&session).filter(|entry| !entry.over) {
            let outs = act(&mut entry.session_replay);
            self.done(now, session, outs);
        }
    }

    /// Handles the outputs of a step.
    fn done(&mut self, now: Time, session: u64, outs: Vec<Out>) {
        let t_us = now.as_millis().saturating_sub(self.started).saturating_mul(1000);
        let event = outs.iter().filter(|out| out.leg == Leg::Legacy).count();
        *self.event.entry(session).or_default() += event;
        let played = self.played.entry(session).or_default();
        let shown = outs.into_iter().filter(|out| matches!(out.leg, Leg::Legacy | Leg::Env));
        played.extend(shown.map(|out| Record {
            t_us,
            session,
            leg: out.leg,
            dir: Dir::Out,
            row: out.row,
            data: out.data,
        }));
        self.note_membership(session);
        let Some(entry) = self.session_entries.get_mut(&session) else {
            return;
        };
        for request_to_others in entry.session_replay.take_requests() {
            self.grant(session, request_to_others);
        }
    }

    /// Registers the session as a channel member for requests of others.
    fn note_membership(&mut self, session: u64) {
        let Some(entry) = self.session_entries.get_mut(&session) else {
            return;
        };
        let joined = entry.session_replay.joined().filter(|_| !entry.over);
        if joined == entry.member_of.as_ref() {
            return;
        }
        let (app, joined) = (entry.key.0.clone(), joined.cloned());
        if let Some(left) = std::mem::replace(&mut entry.member_of, joined.clone()) {
            self.members
                .entry((app.clone(), left))
                .or_default()
                .retain(|member| *member != session);
        }
        if let Some(channel) = joined {
            self.members.entry((app, channel)).or_default().push(session);
        }
    }

    fn grant(&mut self, session: u64, request_to_others: Effect) {
        match request_to_others {
            Effect::Rtm { request, call } => self.requests.push(RtmRequest::Call { session, request, call }),
            Effect::RtmVia { request, channel, call } => {
                let app = self.session_entries.get(&session).and_then(|entry| entry.key.0.clone());
                let member = self.members.get(&(app, channel)).and_then(|members| members.last());
                let member = member.and_then(|member| Some((*member, self.session_entries.get_mut(member)?)));
                let begun = match member {
                    Some((member, entry)) => {
                        let begun = entry.for_others.begin(&session, request);
                        begun.map(|request| (member, request))
                    }
                    None => Err(GetMembersErr::NotInChannel.into()),
                };
                match begun {
                    Ok((session, request)) => self.requests.push(RtmRequest::Call { session, request, call }),
                    Err(error) => {
                        let result = Err(error);
                        self.deliver(session, UpstreamEvent::Reply { request, result });
                    }
                }
            }
            Effect::SetTimer { at, .. } => drop(self.timers.set(at, session)),
            Effect::StoreLines(lines) => {
                let Some(entry) = self.session_entries.get(&session) else {
                    return;
                };
                match self.current.get(&entry.key) {
                    Some(next) if *next != session => self.inbox.push_back((*next, Message::Kept(lines))),
                    _ => self.offline_lines.entry(entry.key.clone()).or_default().extend(lines),
                }
            }
            Effect::End => self.finish(session),
            _ => {}
        }
    }

    fn finish(&mut self, session: u64) {
        let Some(entry) = self.session_entries.get_mut(&session) else {
            return;
        };
        if std::mem::replace(&mut entry.over, true) {
            return;
        }
        if self.current.get(&entry.key) == Some(&session) {
            self.current.remove(&entry.key);
        }
        self.note_membership(session);
        self.requests.push(RtmRequest::Close { session });
    }
}
