//! Test bench for a session: virtual time, scripted RTM, and a queue of effects for the steps to expect.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Input, Names, Session, SessionContext, SessionLimits};
use protocol::event::{LOGIN, SocketId};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{CallKind, RtmCall, RtmError, RtmEvent};
use tables::diagnostics::Diag;
use tables::spanned_value::Node;
use tables::{Example, Tables};

/// Default account of examples.
const SELF: &str = "alice";

/// RTM traffic of a run, for the platform runs.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub calls: Vec<RtmCall>,
    pub errors: Vec<RtmError>,
    pub events: Vec<RtmEvent>,
}

/// Session under test.
pub struct Bench {
    pub(super) tables: Arc<Tables>,
    pub(super) session: Session,
    pub(super) row: usize,
    pub(super) now: Time,
    pub(super) next_call: i64,
    /// Requests without a reply yet.
    pub(super) open: Vec<(u64, CallKind)>,
    pub(super) traffic: Traffic,
    effects: VecDeque<Effect>,
}

impl Bench {
    /// Creates a bench for an example; `can` returns true for the calls of the upstream.
    pub fn new(tables: Arc<Tables>, example: &Example, can: impl Fn(CallKind) -> bool + Send + Sync + 'static) -> Self {
        let account: Text = example.raw.account.clone().unwrap_or_else(|| SELF.into());
        let offers = |what: &str| example.raw.offers.iter().any(|offer| &*offer.value == what);
        let limits = SessionLimits {
            empty_attributes: offers("policy-empty-attributes"),
            strict_reinvite: offers("policy-strict-reinvite"),
            force_join: offers("policy-force-join"),
            ..SessionLimits::default()
        };
        let context = SessionContext {
            tables: tables.clone(),
            wire: tables.documented(),
            names: Arc::new(ExampleNames { own: account.clone() }),
            offline_messages: offers("offline-messages"),
            durable: false,
            can: Arc::new(can),
            limits,
        };
        let mut session = Session::new(context, account);
        session.assume_live(SOCKET);
        Self {
            tables,
            session,
            row: example.row,
            now: Time::from_millis(1_000_000),
            next_call: 0,
            open: Vec::new(),
            traffic: Traffic::default(),
            effects: VecDeque::new(),
        }
    }

    /// Runs the steps of an example.
    ///
    /// # Errors
    /// The first failed step, at its place.
    pub fn run(&mut self, given: Option<&Node>, steps: &[Node]) -> Result<(), Diag> {
        if let Some(given) = given {
            self.given(given)?;
        }
        for step in steps {
            self.example_step(step)?;
        }
        match (self.next_effect(), steps.last()) {
            (Some(effect), Some(last)) => {
                let title = format!("the example ends, but more effects follow: {}", self.shown(&effect));
                Err(Diag::new(&last.span, title).help("add a step that expects it"))
            }
            _ => Ok(()),
        }
    }

    /// Feeds an input; queues its effects for the steps.
    pub(super) fn feed(&mut self, input: Input) {
        let mut out = Vec::new();
        self.session.step(self.now, input, &mut out);
        self.apply_effects(out);
    }

    pub(super) fn apply_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Rtm { request, call } => {
                    self.traffic.calls.push(call.clone());
                    self.open.push((request, call.kind()));
                    self.effects.push_back(Effect::Rtm { request, call });
                }
                Effect::RtmVia { request, channel, call } => {
                    self.traffic.calls.push(call.clone());
                    self.open.push((request, call.kind()));
                    self.effects.push_back(Effect::RtmVia { request, channel, call });
                }
                Effect::SetTimer { .. }
                | Effect::Close(_)
                | Effect::End
                | Effect::Dropped(_)
                | Effect::StoreLines(_) => {}
                effect => self.effects.push_back(effect),
            }
        }
    }

    /// Advances time; fires due timers in order.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.session.next_timer().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            if let Some(key) = self.session.take_due(self.now) {
                self.feed(Input::Timer(key));
            }
        }
        self.now = until;
    }

    /// Returns the next queued effect.
    pub(super) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }
}

/// Function of an example's calls: they enter rows directly.
pub(super) const NO_FUNCTION: usize = LOGIN - 1;

/// Socket of examples.
pub(super) const SOCKET: SocketId = SocketId(1);

/// Names with simple numbers, for readers of examples.
struct ExampleNames {
    own: Text,
}

impl Names for ExampleNames {
    fn uid(&self, account: &Text) -> i64 {
        match &**account {
            own if own == &*self.own => 1001,
            "bob" => 1002,
            "carol" => 1003,
            "dave" => 1004,
            other => 2000 + other.bytes().map(i64::from).sum::<i64>(),
        }
    }
}
