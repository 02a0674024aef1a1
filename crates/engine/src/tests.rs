//! Tests of a session's shared limits: rates and memory.

use crate::DropReason;
use std::sync::Arc;

use protocol::event::{CallRef, Event, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{Message, RtmEvent, UserId};
use tables::Tables;

use crate::context::tests::OneNumber;
use crate::durable::{Record, SavedLine};
use crate::{Attach, Effect, Input, Session, SessionContext, SessionLimits};

const SOCKET: SocketId = SocketId(1);

struct Bench {
    tables: Arc<Tables>,
    session: Session,
}

impl Bench {
    fn new(limits: SessionLimits) -> Self {
        Self::with(limits, false)
    }

    fn with(limits: SessionLimits, durable: bool) -> Self {
        let tables = Arc::new(Tables::built_in().unwrap());
        let context = SessionContext {
            wire: tables.wire("web").unwrap().clone(),
            tables: tables.clone(),
            names: Arc::new(OneNumber),
            offline_messages: false,
            durable,
            can: Arc::new(|_| true),
            limits,
        };
        let mut session = Session::new(context, "alice".into());
        session.assume_live(SOCKET);
        Self { tables, session }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.session.step(Time::from_millis(1_000), input, &mut effects);
        effects
    }

    /// Offers the same tables to the session.
    fn exchanges_tables(&mut self) -> bool {
        let wire = self.tables.wire("web").unwrap().clone();
        let tables = (self.tables.clone(), wire);
        let convert = |event: &Event| Some((event.sig, event.row));
        self.session.rests() && self.session.exchange_tables(tables, &convert)
    }

    /// Returns the reason for the refusal of a channel message.
    fn send(&mut self, id: i64) -> Option<Text> {
        let row = self.tables.row_named("channel-msg.send").unwrap();
        let args = vec!["room".into(), "hi".into(), "m1".into()];
        let call = CallRef {
            socket: SOCKET,
            id,
            function: 0,
        };
        let effects = self.step(Input::Call {
            call,
            row,
            args,
            acknowledges: None,
        });
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => answer.failure.map(|refusal| refusal.reason),
            _ => None,
        });
        answer.filter(|reason| &**reason == "too often")
    }

    /// Returns true if a message of 8 kB fits into the mailbox.
    fn has_room_for(&mut self, peer: &str) -> bool {
        let effects = self.step(Input::RtmEvent(RtmEvent::MessageFromPeer {
            peer_id: UserId::new(peer).unwrap(),
            message: Message::Text("x".repeat(8_000).into()),
            server_received_ts: 1,
            is_offline_message: false,
        }));
        let noted = |effect: &Effect| match effect {
            Effect::Note { code, about, .. } => {
                &**self.tables.code_name(*code) == "MAILBOX-FULL" && about.as_deref() == Some(peer)
            }
            _ => false,
        };
        let dropped = effects.contains(&Effect::Dropped(DropReason::MailboxLines));
        assert_eq!(dropped, effects.iter().any(noted), "{effects:?}");
        !dropped
    }
}

#[test]
fn a_call_over_the_channels_rate_is_refused() {
    let mut bench = Bench::new(SessionLimits::default());
    let over = |id| Input::OverRate { socket: SOCKET, id };
    assert_eq!(bench.step(over(1)), []);
    bench.step(over(3));
    let refused = |reason: Option<Text>| reason.is_some();
    assert!(refused(bench.send(1)));
    assert!(!refused(bench.send(2)));
    assert!(refused(bench.send(3)));
    assert!(!refused(bench.send(1)), "that was another");
}

#[test]
fn a_call_over_the_rate_is_discarded_by_policy() {
    let mut bench = Bench::new(SessionLimits {
        discard_over_rate: true,
        ..SessionLimits::default()
    });
    bench.step(Input::OverRate { socket: SOCKET, id: 1 });
    let row = bench.tables.row_named("channel-msg.send").unwrap();
    let args = vec!["room".into(), Value::text("hi"), "m1".into()];
    let call = CallRef {
        socket: SOCKET,
        id: 1,
        function: 0,
    };
    let effects = bench.step(Input::Call {
        call,
        row,
        args,
        acknowledges: None,
    });
    assert!(matches!(&effects[..], [Effect::Dropped(_), Effect::Answer { answer, .. }] if answer.failure.is_none()));
}

#[test]
fn an_exhausted_memory_budget_reduces_the_bounds() {
    let mut bench = Bench::new(SessionLimits::default());
    bench.step(Input::Pressed(true));
    let all = ["bob", "carol", "dave", "erin"];
    assert_eq!(all.map(|peer| bench.has_room_for(peer)), [true, true, false, false]);
    bench.step(Input::Pressed(false));
    assert!(bench.has_room_for("dave"));
    assert!(bench.session.bytes() > 16 * 1024);
}

#[test]
fn a_mailbox_is_bounded_in_bytes() {
    let mut bench = Bench::new(SessionLimits {
        mailbox_bytes: 100_000,
        ..SessionLimits::default()
    });
    let from_bob = (0..20).filter(|_| bench.has_room_for("bob")).count();
    assert_eq!(from_bob, 6, "half of it");
    assert!((0..3).all(|_| bench.has_room_for("carol")));
    assert!(bench.session.bytes() <= 100_000);
}

#[test]
fn tables_are_exchanged_while_nothing_refers_to_a_row() {
    let mut bench = Bench::new(SessionLimits::default());
    assert!(bench.exchanges_tables());
    // A mailbox line without an equal in the other tables.
    bench.has_room_for("bob");
    assert!(bench.exchanges_tables());
    let wire = bench.tables.wire("web").unwrap().clone();
    let tables = (bench.tables.clone(), wire);
    assert!(!bench.session.exchange_tables(tables, &|_| None));
    // A call is under way.
    bench.session.assume_joined("room".into());
    assert_eq!(bench.send(1), None);
    assert!(!bench.exchanges_tables(), "a request to RTM is pending");
}

#[test]
fn a_restored_session_saves_its_changes_only() {
    let mut bench = Bench::with(SessionLimits::default(), true);
    let sig = bench.tables.signature_named("onMessageInstantReceive").unwrap();
    let row = bench.tables.row_named("peer.received").unwrap();
    let line = |volatile| SavedLine {
        event: Event {
            sig,
            row,
            args: vec!["bob".into(), Value::Int(0), "hi".into()],
        },
        sender: "bob".into(),
        volatile,
        at: Time::from_millis(7),
    };
    // More lines than one set of changes has.
    let mut record = Record {
        lines: (0..600).map(|number| (number, line(number == 599))).collect(),
        ..Record::default()
    };
    record.head.family = "web".into();
    let now = Time::from_millis(1_000);
    bench
        .session
        .restore(now, record, Some(Attach::Resume), &mut Vec::new());
    let changes = bench.session.changes().expect("a new state");
    assert!(!changes.all && !changes.more && changes.head.is_some());
    assert_eq!((changes.lines.len(), changes.removed_lines), (0, vec![599]));
    assert!(bench.session.changes().is_none());
}
/// A session of each client is in memory while the client is idle. What few sessions need is in boxes.
#[test]
fn a_session_without_a_channel_is_small() {
    assert!(size_of::<Session>() <= 800, "{}", size_of::<Session>());
}
