//! Spans of a session's calls, by its inputs and effects.

use std::sync::Arc;

use engine::{Effect, Input};
use protocol::event::{CallRef, SocketId};
use rtm::value::Text;
use rtm::{AppId, CallKind, RtmCall};
use tables::Tables;
use tables::row::RowId;

use crate::otel::span::{Attribute, Begun, Kind, Span};
use crate::otel::tracer::Tracer;

/// Maximum of traced calls that are open at once, and of their open RTM calls. Spans of further ones are dropped.
const MAX_OPEN: usize = 64;
/// Maximum of limitation codes of a span.
const MAX_CODES: usize = 16;
/// Outcome of a call that ends with its session or connection.
const ABANDONED: &str = "abandoned";

/// Spans of a session; without a collector, none.
#[derive(Debug)]
pub struct SessionSpans(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    tracer: Arc<Tracer>,
    app: Text,
    profile: Text,
    session: Text,
    calls: Vec<OpenCall>,
    requests: Vec<OpenRequest>,
    /// The call that the current input belongs to.
    cause: Option<CallRef>,
}

/// Call of the client with unanswered RTM calls, or without an answer.
#[derive(Debug)]
struct OpenCall {
    call: CallRef,
    begun: Begun,
    /// The row; `None` for a login, whose span is that of its log line.
    row: Option<Text>,
    answer: Option<Outcome>,
    codes: Vec<Text>,
    /// Its latest answer or reply.
    last: u64,
}

#[derive(Debug)]
enum Outcome {
    Done,
    Refused(Text),
}

/// RTM call without a reply.
#[derive(Debug)]
struct OpenRequest {
    number: u64,
    call: CallRef,
    parent: Begun,
    begun: Begun,
    kind: CallKind,
}

impl SessionSpans {
    /// Creates the spans of a session with the number `session` in the log.
    pub fn new(tracer: &Arc<Tracer>, app: &AppId, session: u64) -> Self {
        let open = || {
            Box::new(Open {
                tracer: tracer.clone(),
                app: app.as_str().into(),
                profile: "".into(),
                session: session.to_string().into(),
                calls: Vec::new(),
                requests: Vec::new(),
                cause: None,
            })
        };
        Self(tracer.is_on().then(open))
    }

    /// Returns true if calls may be traced.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Sets the profile of the client.
    pub fn set_profile(&mut self, profile: &str) {
        if let Some(open) = &mut self.0 {
            open.profile = profile.into();
        }
    }

    /// Follows an input. `login` returns the span of the login of a socket.
    pub fn input(&mut self, tables: &Tables, input: &Input, login: impl Fn(SocketId) -> Option<Begun>) {
        let Some(open) = &mut self.0 else { return };
        open.cause = match input {
            Input::Call { call, row, .. } | Input::Refused { call, row, .. } => {
                if let Some(begun) = open.tracer.begin() {
                    open.call(*call, begun, Some((tables, *row)));
                }
                Some(*call)
            }
            Input::Admitted { call, .. } | Input::Attached { call, .. } => {
                if let Some(begun) = login(call.socket) {
                    open.call(*call, begun, None);
                }
                Some(*call)
            }
            Input::RtmReply { request, result } => {
                let failure = result.as_ref().err().map(|error| error.name());
                open.replied(*request, failure)
            }
            _ => None,
        };
    }

    /// Follows an effect. `caller` returns the call that an RTM request belongs to.
    pub fn effect(&mut self, tables: &Tables, effect: &Effect, caller: impl Fn(u64) -> Option<CallRef>) {
        let Some(open) = &mut self.0 else { return };
        match effect {
            Effect::Rtm { request, call } | Effect::RtmVia { request, call, .. } => {
                if !open.calls.is_empty()
                    && let Some(caller) = caller(*request)
                {
                    open.request(*request, call, caller);
                }
            }
            Effect::Answer { call, answer, .. } => {
                let outcome = match &answer.failure {
                    None => Outcome::Done,
                    Some(refusal) => Outcome::Refused(refusal.reason.clone()),
                };
                open.answered(*call, outcome);
            }
            Effect::Resumed(call) => open.answered(*call, Outcome::Done),
            Effect::Note { row, code, .. } => open.note(&tables.rows[*row].id, tables.code_name(*code)),
            _ => {}
        }
    }

    /// Ends the spans of calls that are over. `is_running` returns true for a call whose row is not at its end.
    pub fn settle(&mut self, is_running: impl Fn(CallRef) -> bool) {
        let Some(open) = &mut self.0 else { return };
        let mut at = 0;
        while let Some(call) = open.calls.get(at) {
            let waits = open.requests.iter().any(|request| request.call == call.call);
            if waits || is_running(call.call) {
                at += 1;
            } else {
                open.end_call(at);
            }
        }
    }

    /// Ends all spans.
    pub fn end(&mut self) {
        let Some(open) = &mut self.0 else { return };
        while let Some(request) = open.requests.first() {
            open.replied(request.number, Some(ABANDONED));
        }
        while !open.calls.is_empty() {
            open.end_call(0);
        }
    }
}

impl Open {
    fn call(&mut self, call: CallRef, begun: Begun, row: Option<(&Tables, RowId)>) {
        if self.calls.len() >= MAX_OPEN {
            return self.tracer.dropped();
        }
        self.calls.push(OpenCall {
            call,
            begun,
            row: row.map(|(tables, row)| tables.rows[row].id.clone()),
            answer: None,
            codes: Vec::new(),
            last: begun.at,
        });
    }

    fn request(&mut self, number: u64, call: &RtmCall, caller: CallRef) {
        let Some(parent) = self.calls.iter().find(|open| open.call == caller) else {
            return;
        };
        if self.requests.len() >= MAX_OPEN {
            return self.tracer.dropped();
        }
        self.requests.push(OpenRequest {
            number,
            call: caller,
            parent: parent.begun,
            begun: self.tracer.below(parent.begun),
            kind: call.kind(),
        });
    }

    /// Ends the span of an RTM call. Returns the client's call.
    fn replied(&mut self, number: u64, failure: Option<&'static str>) -> Option<CallRef> {
        let at = self.requests.iter().position(|request| request.number == number)?;
        let request = self.requests.swap_remove(at);
        let ended = self.tracer.now();
        if let Some(call) = self.calls.iter_mut().find(|open| open.call == request.call) {
            call.last = ended;
        }
        let name = request.kind.name();
        self.tracer.emit(Span {
            begun: request.begun,
            parent: Some(request.parent.span),
            name: name.into(),
            kind: Kind::Client,
            ended,
            attributes: vec![
                ("rtm.call", name.into()),
                ("rtm.result", failure.unwrap_or("ok").into()),
            ],
            failure: failure.map(Into::into),
        });
        Some(request.call)
    }

    fn answered(&mut self, call: CallRef, outcome: Outcome) {
        let now = self.tracer.now();
        if let Some(open) = self.calls.iter_mut().find(|open| open.call == call) {
            open.answer = Some(outcome);
            open.last = now;
        }
    }

    /// Adds a limitation code to the call of the row: that of the input, or another with this row.
    fn note(&mut self, row: &Text, code: &Text) {
        let of_row = |open: &OpenCall| open.row.as_ref() == Some(row);
        let is_cause = |open: &OpenCall| Some(open.call) == self.cause;
        let calls = &self.calls;
        let at = calls.iter().position(|open| is_cause(open) && of_row(open));
        let at = at.or_else(|| calls.iter().position(of_row));
        let at = at.or_else(|| calls.iter().position(is_cause));
        if let Some(open) = at.map(|at| &mut self.calls[at])
            && open.codes.len() < MAX_CODES
            && !open.codes.contains(code)
        {
            open.codes.push(code.clone());
        }
    }

    fn end_call(&mut self, at: usize) {
        let open = self.calls.remove(at);
        let Some(row) = open.row else { return };
        let (ended, failure) = match open.answer {
            Some(Outcome::Done) => (open.last, None),
            Some(Outcome::Refused(reason)) => (open.last, Some(reason)),
            None => (self.tracer.now(), Some(ABANDONED.into())),
        };
        let outcome = failure.clone().unwrap_or_else(|| "ok".into());
        let mut attributes: Vec<(&str, Attribute)> = vec![
            ("sigbridge.outcome", outcome.into()),
            ("sigbridge.app", self.app.clone().into()),
            ("sigbridge.profile", self.profile.clone().into()),
            ("sigbridge.session", self.session.clone().into()),
        ];
        if !open.codes.is_empty() {
            attributes.push(("sigbridge.limitations", Attribute::List(open.codes)));
        }
        self.tracer.emit(Span {
            begun: open.begun,
            parent: None,
            name: row,
            kind: Kind::Server,
            ended,
            attributes,
            failure,
        });
    }
}
