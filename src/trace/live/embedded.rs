//! The embedded RTM, on the clock of a trace: an hour of it takes no time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::front::hearing::Hearing;
use crate::front::{ClientFrame, login_field};
use crate::ident::AppId;
use crate::mapping::Tables;
use crate::mapping::wire::{Target, Wire};
use crate::rtm::RtmCall;
use crate::shell::Speech;
use crate::time::Time;
use crate::trace::env::Begin;
use crate::trace::names::ReadNames;
use crate::trace::reader::Trace;
use crate::trace::record::{Dir, Leg, Record};
use crate::trace::replay::{NoSense, Outcome};
use crate::upstream::Told;
use crate::upstream::embedded::{ClientId, Output, World, WorldConfig};
use crate::value::Value;

use super::compare::compare;
use super::stage::{Ask, Stage};

/// Plays the legacy side of a trace against an embedded RTM that nobody has used yet. `rate_scale` multiplies its rates, as
/// that of the config does.
///
/// # Errors
/// The first record that cannot have happened.
pub fn replay_embedded(
    tables: &Arc<Tables>,
    speeches: &Arc<Vec<Arc<dyn Speech>>>,
    trace: &Trace,
    rate_scale: u32,
) -> Result<Outcome, NoSense> {
    let started = trace.header.started_ms;
    let mut names = ReadNames::default();
    for (_, record) in &trace.records {
        if record.leg == Leg::Env && record.dir == Dir::In {
            names.learn(&record.data);
        }
    }
    let config = WorldConfig {
        offline_messages: offline_messages(trace),
        rate_scale,
        ..WorldConfig::default()
    };
    let mut theatre = Theatre {
        stage: Stage::new(tables, speeches, started, Arc::new(names), apps(tables, trace)),
        worlds: Worlds::new(config),
    };
    let unfinished = before_rests(trace);
    let mut now = Time::from_millis(started);
    let inputs = trace.records.iter().filter(|(_, record)| is_input(record));
    for (line, record) in inputs {
        // Sessions may stand a step across each other.
        now = now.max(Time::from_millis(started.saturating_add(record.t_us / 1000)));
        theatre.run_until(now);
        let taken = theatre.stage.take(now, record);
        taken.map_err(|what| NoSense { line: *line, what })?;
        if !unfinished.contains(line) {
            theatre.settle(now);
        }
    }
    Ok(compare(trace, &theatre.stage.played))
}

struct Theatre<'s> {
    stage: Stage<'s>,
    worlds: Worlds,
}

impl Theatre<'_> {
    /// Fires what is due until then, in the order of time.
    fn run_until(&mut self, now: Time) {
        loop {
            let due = self.worlds.deadline().into_iter().chain(self.stage.deadline()).min();
            let Some(due) = due.filter(|due| *due <= now) else {
                return;
            };
            self.worlds.tick(due, &mut self.stage);
            self.settle(due);
            self.stage.fire(due);
            self.settle(due);
        }
    }

    /// Until nobody has anything to say to anybody.
    fn settle(&mut self, now: Time) {
        loop {
            for ask in self.stage.take_asks() {
                self.worlds.ask(now, ask, &mut self.stage);
            }
            if !self.stage.work(now) {
                return;
            }
        }
    }
}

/// The RTM of each app.
struct Worlds {
    config: WorldConfig,
    /// Sessions whose logins name no app, as those of redacted traces may not, share one.
    by_app: BTreeMap<Option<AppId>, App>,
}

struct App {
    world: World,
    clients: HashMap<u64, ClientId>,
    sessions: HashMap<ClientId, u64>,
}

impl Worlds {
    fn new(config: WorldConfig) -> Self {
        Self {
            config,
            by_app: BTreeMap::new(),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.by_app.values().filter_map(|app| app.world.deadline()).min()
    }

    fn tick(&mut self, now: Time, stage: &mut Stage<'_>) {
        for app in self.by_app.values_mut() {
            let mut out = Vec::new();
            app.world.tick(now, &mut out);
            app.tell(out, stage);
        }
    }

    fn ask(&mut self, now: Time, ask: Ask, stage: &mut Stage<'_>) {
        let (Ask::Call { session, .. } | Ask::Close { session }) = ask;
        let app = self.by_app.entry(stage.app(session).cloned());
        let app = app.or_insert_with(|| App {
            world: World::new(self.config),
            clients: HashMap::new(),
            sessions: HashMap::new(),
        });
        let mut out = Vec::new();
        match ask {
            Ask::Call { request, call, .. } => {
                let client = app.client(session);
                app.world.call(now, client, request, call, &mut out);
            }
            Ask::Close { .. } => {
                if let Some(client) = app.clients.remove(&session) {
                    app.sessions.remove(&client);
                    // A logout withdraws the client's invitations, which a mere close cannot.
                    app.world.call(now, client, 0, RtmCall::Logout {}, &mut out);
                    app.world.close(now, client, &mut out);
                }
            }
        }
        app.tell(out, stage);
    }
}

impl App {
    fn client(&mut self, session: u64) -> ClientId {
        *self.clients.entry(session).or_insert_with(|| {
            let client = self.world.open();
            self.sessions.insert(client, session);
            client
        })
    }

    fn tell(&self, outputs: Vec<Output>, stage: &mut Stage<'_>) {
        for output in outputs {
            let (client, told) = match output {
                Output::Reply {
                    client,
                    request,
                    result,
                } => (client, Told::Reply { request, result }),
                Output::Event { client, event } => (client, Told::Event(event)),
            };
            if let Some(session) = self.sessions.get(&client) {
                stage.deliver(*session, told);
            }
        }
    }
}

fn offline_messages(trace: &Trace) -> bool {
    let mut begins = trace.records.iter().filter_map(|(_, record)| record.data.get("begin"));
    begins.any(|begin| begin.get("offlineMessages") == Some(&Value::Bool(true)))
}

/// The app that the first login of each session names.
fn apps(tables: &Arc<Tables>, trace: &Trace) -> HashMap<u64, AppId> {
    let mut apps = HashMap::new();
    let mut ears: HashMap<u64, (Hearing, Arc<Wire>)> = HashMap::new();
    for (_, record) in trace.records.iter().filter(|(_, record)| record.dir == Dir::In) {
        if let Some(ear) = ear(tables, record) {
            ears.insert(record.session, ear);
        }
        let Some((ear, wire)) = ears.get(&record.session) else {
            continue;
        };
        if let Some(fields) = login_of(ear, record) {
            if let Target::Row(row) = &wire.login.target
                && let Ok(app) = AppId::new(login_field(row, &fields, "appId").into_text())
            {
                apps.insert(record.session, app);
            }
            ears.remove(&record.session);
        }
    }
    apps
}

fn ear(tables: &Arc<Tables>, record: &Record) -> Option<(Hearing, Arc<Wire>)> {
    let begin = Begin::read(record.data.get("begin")?).ok()?;
    let profile = tables.profiles.iter().find(|profile| profile.name == begin.profile)?;
    let wire = tables.wire(&profile.family)?;
    Some((Hearing::new(profile.transport, tables), wire.clone()))
}

fn login_of(ear: &Hearing, record: &Record) -> Option<Value> {
    let frame = record.data.get("frame").and_then(Value::as_text)?;
    let frames = ear.hear(frame)?.frames;
    frames.into_iter().find_map(|frame| match frame {
        ClientFrame::Login(fields) => Some(fields),
        _ => None,
    })
}

/// Something that came in; names are asked for in the middle of a step.
fn is_input(record: &Record) -> bool {
    record.dir == Dir::In && record.data.get("name").is_none()
}

/// Lines of logins behind which their text goes on: a session takes a text in one go.
fn before_rests(trace: &Trace) -> HashSet<usize> {
    let mut last: HashMap<u64, usize> = HashMap::new();
    let mut found = HashSet::new();
    for (line, record) in &trace.records {
        if !is_input(record) {
            continue;
        }
        if let Some(before) = last.insert(record.session, *line)
            && record.data.get("rest").is_some()
        {
            found.insert(before);
        }
    }
    found
}
