//! Writes of a channel's attributes by one session, with an RTM that is far away and refuses some: RTM ends in the state
//! of the last write, and the session's client gets one event for each of its writes, in their order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Input, Names, Session, SessionContext, SessionLimits, TimerKey};
use proptest::prelude::*;
use protocol::event::{CallRef, Event, LOGIN, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{AttributeOperation, ChannelAttribute, ChannelId, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use tables::Tables;

const SOCKET: SocketId = SocketId(1);
const ROOM: &str = "room";
/// Bob's own name, by which his writes are known.
const OF_BOB: &str = "bob";

/// One number for all accounts.
struct SameUid;

impl Names for SameUid {
    fn uid(&self, _: &Text) -> i64 {
        1
    }
}

/// A write of the client.
#[derive(Clone, Debug, PartialEq)]
enum Write {
    Set(&'static str, &'static str),
    Delete(&'static str),
    Clear,
}

/// Time of RTM's event about a write at its writer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Notification {
    BeforeTheReply,
    BehindIt,
    /// Behind it, and later than what follows.
    Late,
    Never,
}

/// Events of a run, each after some milliseconds.
#[derive(Clone, Debug)]
struct Plan {
    writes: Vec<(u64, Write)>,
    /// Writes of Bob to names of his own.
    others: Vec<(u64, &'static str)>,
    /// Delays of RTM's replies and events, used in turn.
    ways: Vec<u64>,
    /// True if RTM delays a call again and again.
    refusals: Vec<bool>,
    emitted: Notification,
}

/// Something on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wakeup {
    Write(usize),
    Other(usize),
    Arrives(u64),
    Comes(usize),
    Timer(TimerKey),
}

struct Harness {
    tables: Arc<Tables>,
    session: Session,
    plan: Plan,
    now: u64,
    ahead: BinaryHeap<Reverse<(u64, u64, Wakeup)>>,
    steps: u64,
    used: usize,
    requested: usize,
    calls: BTreeMap<u64, RtmCall>,
    /// What RTM sends, and when the last of it arrives: it keeps its order.
    inputs: Vec<Option<Input>>,
    last: (u64, u64, u64),
    attributes: Vec<(Text, ChannelAttribute)>,
    answers: usize,
    events: Vec<Event>,
}

impl Harness {
    fn new(tables: Arc<Tables>, plan: Plan) -> Self {
        let context = SessionContext {
            wire: tables.documented(),
            names: Arc::new(SameUid),
            offline_messages: false,
            durable: false,
            can: Arc::new(|_| true),
            limits: SessionLimits::default(),
            tables: tables.clone(),
        };
        let mut session = Session::new(context, "alice".into());
        session.assume_live(SOCKET);
        session.assume_joined(ROOM.into());
        let mut stage = Self {
            tables,
            session,
            now: 0,
            ahead: BinaryHeap::new(),
            steps: 0,
            used: 0,
            requested: 0,
            calls: BTreeMap::new(),
            inputs: Vec::new(),
            last: (0, 0, 0),
            attributes: Vec::new(),
            answers: 0,
            events: Vec::new(),
            plan,
        };
        let mut at = 0;
        for (n, (pause, _)) in stage.plan.writes.clone().iter().enumerate() {
            at += pause;
            stage.plan_at(at, Wakeup::Write(n));
        }
        let mut at = 0;
        for (n, (pause, _)) in stage.plan.others.clone().iter().enumerate() {
            at += pause;
            stage.plan_at(at, Wakeup::Other(n));
        }
        stage
    }

    fn plan_at(&mut self, at: u64, what: Wakeup) {
        self.steps += 1;
        self.ahead.push(Reverse((at, self.steps, what)));
    }

    fn way(&mut self) -> u64 {
        self.used += 1;
        self.plan.ways[self.used % self.plan.ways.len()]
    }

    fn run(&mut self) {
        while let Some(Reverse((at, _, what))) = self.ahead.pop() {
            self.now = at;
            match what {
                Wakeup::Write(n) => self.write(n),
                Wakeup::Other(n) => {
                    let (name, value) = (OF_BOB, self.plan.others[n].1);
                    self.put("bob", &[(name.into(), value.into())]);
                    self.emit(false);
                }
                Wakeup::Arrives(request) => self.arrives(request),
                Wakeup::Comes(n) => {
                    let input = self.inputs[n].take().expect("it comes once");
                    self.feed(input);
                }
                Wakeup::Timer(key) => self.feed(Input::Timer(key)),
            }
        }
    }

    fn write(&mut self, n: usize) {
        let (row, args) = match &self.plan.writes[n].1 {
            Write::Set(name, value) => ("channel-attr.set", vec![ROOM, name, value]),
            Write::Delete(name) => ("channel-attr.delete", vec![ROOM, name]),
            Write::Clear => ("channel-attr.clear", vec![ROOM]),
        };
        let row = self.tables.row_named(row).expect("a row");
        let call = CallRef {
            socket: SOCKET,
            id: i64::try_from(n).expect("few"),
            function: LOGIN - 1,
        };
        let args = args.into_iter().map(Value::text).collect();
        self.feed(Input::Call {
            call,
            row,
            args,
            acknowledges: None,
        });
    }

    fn feed(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.session.step(Time::from_millis(self.now), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Rtm { request, call } => {
                    let at = self.last.0.max(self.now + self.way());
                    self.last.0 = at;
                    self.calls.insert(request, call);
                    self.plan_at(at, Wakeup::Arrives(request));
                }
                Effect::SetTimer { key, at } => self.plan_at(at.as_millis(), Wakeup::Timer(key)),
                Effect::Answer { answer, .. } => {
                    assert_eq!(answer.failure, None);
                    self.answers += 1;
                }
                Effect::Notify { event, .. } => self.events.push(event),
                Effect::Note { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// A call arrives at RTM.
    fn arrives(&mut self, request: u64) {
        let call = self.calls.remove(&request).expect("it was made");
        self.requested += 1;
        if self.plan.refusals[self.requested % self.plan.refusals.len()] {
            let error: RtmError = AttributeOperation::TooOften.into();
            return self.reply(request, Err(error));
        }
        match call {
            RtmCall::AddOrUpdateChannelAttributes { attributes, .. } => self.put("alice", &attributes),
            RtmCall::DeleteChannelAttributesByKeys { keys, .. } => {
                self.attributes.retain(|(known, _)| !keys.contains(known));
            }
            RtmCall::ClearChannelAttributes { .. } => self.attributes.clear(),
            other => panic!("{other:?}"),
        }
        if self.plan.emitted == Notification::BeforeTheReply {
            self.emit(false);
        }
        self.reply(request, Ok(RtmReply::Void));
        match self.plan.emitted {
            Notification::BehindIt => self.emit(false),
            Notification::Late => self.emit(true),
            Notification::BeforeTheReply | Notification::Never => {}
        }
    }

    fn put(&mut self, by: &str, entries: &[(Text, Text)]) {
        for (name, value) in entries {
            self.attributes.retain(|(known, _)| known != name);
            let attribute = ChannelAttribute {
                value: value.clone(),
                last_update_user_id: UserId::new(by).expect("an id"),
                last_update_ts: self.now,
            };
            self.attributes.push((name.clone(), attribute));
        }
    }

    fn reply(&mut self, request: u64, result: Result<RtmReply, RtmError>) {
        let at = self.last.1.max(self.now + self.way());
        self.last.1 = at;
        self.input(at, Input::RtmReply { request, result });
    }

    /// RTM sends the list: in order with its replies, or later.
    fn emit(&mut self, late: bool) {
        let at = self.last.1.max(self.now + self.way()).max(self.last.2);
        let at = if late { at + 3 * self.way() } else { at };
        if late {
            self.last.2 = at;
        } else {
            self.last.1 = at;
        }
        let event = RtmEvent::AttributesUpdated {
            channel_id: ChannelId::new(ROOM).expect("an id"),
            attributes: Arc::new(self.attributes.clone()),
        };
        self.input(at, Input::RtmEvent(event));
    }

    fn input(&mut self, at: u64, input: Input) {
        self.inputs.push(Some(input));
        self.plan_at(at, Wakeup::Comes(self.inputs.len() - 1));
    }

    /// The attributes that RTM has, under the names that Signaling shows.
    fn ends_with(&self) -> BTreeMap<Text, Text> {
        let plain: Vec<(Text, Text)> = self
            .attributes
            .iter()
            .map(|(name, attr)| (name.clone(), attr.value.clone()))
            .collect();
        let shown = identity::attribute::decode(&plain, Text::clone, |_, value| value);
        shown.into_iter().filter(|(name, _)| &**name != OF_BOB).collect()
    }

    /// The events about some attributes: name, value, type of each.
    fn emitted(&self, of_bob: bool) -> Vec<[String; 3]> {
        let events = self.events.iter().map(|event| {
            assert_eq!(&*self.tables.signatures[event.sig].name, "onChannelAttrUpdated");
            let text = |at: usize| event.args[at].clone().into_text().to_string();
            [text(1), text(2), text(3)]
        });
        events.filter(|[name, ..]| (name == OF_BOB) == of_bob).collect()
    }
}

fn written(write: &Write) -> [String; 3] {
    match write {
        Write::Set(name, value) => [(*name).into(), (*value).into(), "update".into()],
        Write::Delete(name) => [(*name).into(), String::new(), "del".into()],
        Write::Clear => [String::new(), String::new(), "clear".into()],
    }
}

/// A name that RTM cannot hold, too.
const NAMES: &[&str] = &["hand", "page", "a-name-that-is-longer-than-32-bytes"];
const VALUES: &[&str] = &["1", "2", ""];

fn write() -> impl Strategy<Value = Write> {
    let name = || proptest::sample::select(NAMES);
    prop_oneof![
        5 => (name(), proptest::sample::select(VALUES)).prop_map(|(name, value)| Write::Set(name, value)),
        3 => name().prop_map(Write::Delete),
        1 => Just(Write::Clear),
    ]
}

fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0_u64), 2 => 1..60_u64, 1 => 500..2_000_u64]
}

fn plan(emitted: &'static [Notification], others: usize) -> impl Strategy<Value = Plan> {
    (
        prop::collection::vec((pause(), write()), 1..40),
        prop::collection::vec((1..300_u64, proptest::sample::select(VALUES)), 0..=others),
        prop::collection::vec(0..200_u64, 1..8),
        prop::collection::vec(prop::bool::weighted(0.3), 1..12),
        proptest::sample::select(emitted),
    )
        .prop_map(|(writes, others, ways, mut refusals, emitted)| {
            // RTM takes a call in the end.
            refusals.push(false);
            Plan {
                writes,
                others,
                ways,
                refusals,
                emitted,
            }
        })
}

/// Plays a plan, and compares.
fn check(plan: Plan) -> Harness {
    thread_local! {
        static TABLES: Arc<Tables> = Arc::new(Tables::built_in().expect("the built-in tables"));
    }
    let mut stage = Harness::new(TABLES.with(Arc::clone), plan);
    stage.run();
    let mut last: BTreeMap<Text, Text> = BTreeMap::new();
    for (_, write) in &stage.plan.writes {
        match write {
            Write::Set(name, value) => drop(last.insert((*name).into(), (*value).into())),
            Write::Delete(name) => drop(last.remove(*name)),
            Write::Clear => last.clear(),
        }
    }
    assert_eq!(stage.ends_with(), last, "RTM ends in the state of the last writes");
    assert_eq!(stage.answers, stage.plan.writes.len(), "each call is answered");
    let writes: Vec<_> = stage.plan.writes.iter().map(|(_, write)| written(write)).collect();
    assert_eq!(stage.emitted(false), writes, "each write has one event");
    stage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_last_write_wins_and_each_has_one_event(
        plan in plan(&[Notification::BeforeTheReply, Notification::BehindIt, Notification::Late, Notification::Never], 0)
    ) {
        check(plan);
    }

    /// The writes of another member have one event each, too.
    #[test]
    fn the_writes_of_others_have_one_event(
        plan in plan(&[Notification::BeforeTheReply, Notification::BehindIt], 12)
    ) {
        let others: Vec<_> = plan.others.iter().map(|(_, value)| {
            [OF_BOB.to_owned(), (*value).to_owned(), "update".to_owned()]
        }).collect();
        let stage = check(plan);
        let updates: Vec<_> = stage.emitted(true).into_iter().filter(|[_, _, kind]| kind == "update").collect();
        prop_assert_eq!(updates, others);
    }
}

/// The bursts of apps: a count that goes up, a hand that is raised, taken down and raised.
#[test]
fn bursts_of_apps() {
    for refusals in [vec![false], vec![true, false], vec![true, true, true, false, false]] {
        for emitted in [
            Notification::BeforeTheReply,
            Notification::BehindIt,
            Notification::Late,
            Notification::Never,
        ] {
            let mut writes: Vec<(u64, Write)> = (0..150).map(|n| (0, Write::Set("page", VALUES[n % 2]))).collect();
            for write in [
                Write::Set("hand", "1"),
                Write::Delete("hand"),
                Write::Set("hand", "2"),
                Write::Clear,
                Write::Set("hand", "1"),
            ] {
                writes.push((50, write));
            }
            let stage = check(Plan {
                writes,
                others: Vec::new(),
                ways: vec![40, 90],
                refusals: refusals.clone(),
                emitted,
            });
            assert!(
                stage.requested < 60,
                "a backlog travels together: {} calls",
                stage.requested
            );
            assert!(
                Duration::from_millis(stage.now) < Duration::from_secs(30),
                "{}",
                stage.now
            );
        }
    }
}
