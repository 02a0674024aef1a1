//! One legacy client's session.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::event::{Answer, CallRef, Event, LOGIN, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, EventKind, RtmCall};
use tables::condition::EmulationOutcome;
use tables::row::{Limit, Status};
use tables::wire::{ResumeMode, Target, Wire};

use crate::api::{Attach, DropReason, Effect, EndReason, Input, SessionContext, TimerKey};
use crate::durable::Saved;
use crate::emulate::channel::Channel;
use crate::emulate::invitations::Calls;
use crate::emulate::mailbox::Mailbox;
use crate::emulate::name_directory::Directory;
use crate::emulate::outbox::Outbox;
use crate::emulate::token_bucket::Bucket;
use crate::emulate::transient_join::TransientJoins;
use crate::invocation::{Run, RunId};
use crate::rtm_requests::Requests;

/// Maximum number of sockets that wait for one login; clients race with two.
const MAX_TWINS: usize = 4;
/// Maximum number of runs that wait for the channel lane; more are refused.
const MAX_WAITING: usize = 200;

/// The engine's state for one client.
pub struct Session {
    pub(super) context: SessionContext,
    pub(super) account: Text,
    pub(super) line: Text,
    /// The client's socket; `None` in the grace time.
    pub(super) socket: Option<SocketId>,
    pub(super) runs: HashMap<RunId, Run>,
    pub(super) next_run: RunId,
    pub(super) lane_holder: Option<RunId>,
    pub(super) lane: VecDeque<Run>,
    pub(super) requests: Requests,
    pub(super) channel: Option<Channel>,
    /// Number of joins so far, which is the number of the current channel.
    pub(super) cids: i64,
    pub(super) calls: Calls,
    pub(super) mailbox: Mailbox,
    pub(super) rate: Bucket,
    pub(super) invitations: Bucket,
    /// Announced calls that exceed their channel's rate.
    over_rate: Vec<(SocketId, i64)>,
    /// The memory budget is exhausted.
    pub(super) pressed: bool,
    pub(super) outbox: Outbox,
    pub(super) directory: Directory,
    /// What a store has of the session, if it is stored.
    pub(super) saved: Option<Box<Saved>>,
    pub(super) transient_joins: TransientJoins,
    pub(super) logged_in: bool,
    /// The client has lost the calls before its latest login, and gets no events of them.
    pub(super) lost_calls: bool,
    /// Sockets of the same client that arrived while the login was pending.
    pub(super) twins: Vec<CallRef>,
    pub(super) reconnecting: bool,
    pub(super) upstream: bool,
    pub(super) over: bool,
    pub(super) end_reason: Option<EndReason>,
}

/// The context of an input: its time and its effects.
pub(super) struct Ctx<'o> {
    pub now: Time,
    pub out: &'o mut Vec<Effect>,
}

impl Session {
    /// Creates a session for an account, before its login.
    pub fn new(context: SessionContext, account: Text) -> Self {
        Self {
            saved: context.durable.then(Box::default),
            context,
            account,
            line: "".into(),
            socket: None,
            runs: HashMap::new(),
            next_run: 0,
            lane_holder: None,
            lane: VecDeque::new(),
            requests: Requests::default(),
            channel: None,
            cids: 0,
            calls: Calls::default(),
            mailbox: Mailbox::default(),
            rate: Bucket::default(),
            invitations: Bucket::default(),
            over_rate: Vec::new(),
            pressed: false,
            outbox: Outbox::default(),
            directory: Directory::default(),
            transient_joins: TransientJoins::default(),
            logged_in: false,
            lost_calls: false,
            twins: Vec::new(),
            reconnecting: false,
            upstream: true,
            over: false,
            end_reason: None,
        }
    }

    /// Processes one input at one time; its effects are appended to `out`, in order.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        if self.over {
            return;
        }
        let ctx = &mut Ctx { now, out };
        match input {
            Input::Admitted {
                call,
                verdict,
                line,
                args,
            } => self.admitted(call, verdict, line, args, ctx),
            Input::Attached { call, how, line } => self.attached(call, how, line, ctx),
            Input::Subscribed { socket, cid, msgid } => self.subscribed(socket, cid, msgid, ctx),
            Input::Call {
                call,
                row,
                args,
                acknowledges,
            } => {
                if self.ends(call) {
                    self.mailbox.acknowledge_at_logout(acknowledges);
                }
                self.called(call, row, args, ctx);
            }
            Input::Refused {
                call,
                row,
                args,
                reason,
            } => {
                let run = self.run_for(call, row, args);
                self.refuse(run, &reason, ctx);
            }
            Input::OverRate { socket, id } if self.over_rate.len() < MAX_WAITING => self.over_rate.push((socket, id)),
            Input::OverRate { .. } => {}
            Input::Pressed(pressed) => self.pressed = pressed,
            Input::Poll { call, ver_clear, max } => self.polled(call, ver_clear, max, ctx),
            Input::RtmReply { request, result } => self.replied(request, result, ctx),
            Input::RtmEvent(event) => self.rtm_event(event, ctx),
            Input::Upstream(up) => self.upstream_changed(up, ctx),
            Input::Unsupported(lacks) => self.context.can = Arc::new(move |kind| !lacks.contains(&kind)),
            Input::OfflineLines(lines) => self.offline_lines(lines, ctx),
            Input::Timer(key) => self.timer(key, ctx),
            Input::FrontClosed(socket) => self.front_closed(socket, self.context.limits.grace, ctx),
            Input::FrontClosedByClient { socket, grace } => {
                self.front_closed(socket, grace.min(self.context.limits.grace), ctx);
            }
        }
    }

    /// Returns the session's account.
    pub fn account(&self) -> &Text {
        &self.account
    }

    /// Returns the session line of the latest login.
    pub fn line(&self) -> &Text {
        &self.line
    }

    /// Returns the number of messages that would be lost if the session ended now: unacknowledged
    /// lines, and messages that wait for their peers.
    pub fn unfinished(&self) -> usize {
        self.mailbox.len() + self.outbox.len()
    }

    /// Returns true if the mailbox has unacknowledged lines.
    pub fn has_lines(&self) -> bool {
        !self.mailbox.is_empty()
    }

    /// Takes the unacknowledged lines of a terminated session, with their times.
    pub fn leave_lines(&mut self) -> Vec<(Event, Time)> {
        let mut lines = self.mailbox.leave();
        lines.retain(|(event, _)| !self.is_volatile(event));
        lines
    }

    /// Returns the name of the session's channel.
    pub fn channel_name(&self) -> Option<Text> {
        self.channel.as_ref().map(|channel| channel.name.clone())
    }

    /// Returns the RTM id of the joined channel.
    pub fn joined_channel(&self) -> Option<&ChannelId> {
        self.channel
            .as_ref()
            .filter(|channel| channel.joined)
            .map(|channel| &channel.id)
    }

    /// Returns the reason of its end; `None` while the session is active.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end_reason
    }

    /// Returns true after the login.
    pub fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// Returns true if a client is connected.
    pub fn is_live(&self) -> bool {
        self.socket.is_some()
    }

    /// Returns the name of the client's family, which selects the numbers of failures.
    pub(super) fn family(&self) -> &str {
        &self.context.wire.family
    }

    fn admitted(&mut self, call: CallRef, verdict: Result<(), Text>, line: Text, args: Vec<Value>, ctx: &mut Ctx<'_>) {
        self.line = line;
        self.socket = Some(call.socket);
        let Some(row) = self.login_row() else { return };
        let run = self.run_for(call, row, args);
        match verdict {
            Err(reason) => {
                self.refuse(run, &reason, ctx);
                self.end(EndReason::Refused, ctx);
            }
            Ok(()) => {
                ctx.out.push(Effect::SetTimer {
                    key: TimerKey::Login,
                    at: ctx.now + self.context.limits.login,
                });
                self.start(run, ctx);
            }
        }
    }

    /// Handles the answer to a login or logout. A refused login ends the session, and so does a
    /// logout that was not refused.
    pub(super) fn after_answer(&mut self, call: CallRef, refused: bool, ctx: &mut Ctx<'_>) {
        if call.function == LOGIN {
            if refused && !self.logged_in {
                return self.end(EndReason::Refused, ctx);
            }
            if !self.logged_in {
                self.logged_in = true;
                self.write_name(ctx);
                self.continue_restored(ctx);
            }
            if !refused {
                self.announce(ctx);
                self.deliver_waiting(ctx);
            }
            for twin in std::mem::take(&mut self.twins) {
                self.welcome(twin, ctx);
            }
        } else if !refused && self.ends(call) {
            self.store_lines(ctx);
            self.end(EndReason::LoggedOut, ctx);
        }
    }

    fn attached(&mut self, call: CallRef, how: Attach, line: Text, ctx: &mut Ctx<'_>) {
        let before = self.socket.replace(call.socket);
        self.line = line;
        match how {
            Attach::BySessionLine if !self.logged_in => return self.resume_elsewhere(call, ctx),
            Attach::BySessionLine => return self.resumed(call, before, ctx),
            Attach::Resume => {
                let forgets_calls = matches!(self.resume_mode(), ResumeMode::BySessionLine | ResumeMode::Never);
                self.begin_again(forgets_calls, ctx);
            }
            Attach::Reset => {
                self.lost_calls = true;
                self.begin_again(true, ctx);
            }
            Attach::Twin => {}
        }
        if self.logged_in {
            self.welcome(call, ctx);
        } else if self.twins.len() < MAX_TWINS {
            self.twins.push(call);
        } else {
            ctx.out.push(Effect::Close(call.socket));
        }
    }

    /// Starts a new login of the session.
    pub(super) fn begin_again(&mut self, forgets_calls: bool, ctx: &mut Ctx<'_>) {
        if self.resume_mode() != ResumeMode::ToSession {
            let dropped = self.mailbox.restart(ctx.now, self.context.limits.mailbox_ttl);
            if dropped > 0 {
                ctx.out.push(Effect::Dropped(DropReason::EarlierMailboxLines));
            }
        }
        if forgets_calls {
            self.forget_calls(ctx);
        }
        if let Some(channel) = &mut self.channel {
            channel.muted = true;
            channel.away = false;
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Rejoin,
                at: ctx.now + self.context.limits.rejoin,
            });
        }
    }

    /// Answers a login of a session that is already logged in.
    fn welcome(&mut self, call: CallRef, ctx: &mut Ctx<'_>) {
        let Some(row) = self.login_row() else { return };
        let mut run = self.run_for(call, row, Vec::new());
        self.answer(&mut run, ctx);
    }

    fn login_row(&self) -> Option<usize> {
        match &self.context.wire.login.target {
            Target::Row(row) => Some(row.row),
            Target::Local(_) | Target::Invoke(_) => None,
        }
    }

    /// Returns true for a call that ends the session.
    fn ends(&self, call: CallRef) -> bool {
        self.context.wire.function(call.function).ends
    }

    fn called(&mut self, call: CallRef, row: usize, args: Vec<Value>, ctx: &mut Ctx<'_>) {
        let mut run = self.run_for(call, row, args);
        let marked = self.over_rate.len();
        self.over_rate.retain(|other| *other != (call.socket, call.id));
        let over_rate = self.over_rate.len() < marked;
        if self.context.tables.rows[row].status == Status::ClientSide {
            return self.start(run, ctx);
        }
        if !self.logged_in {
            return self.refuse(run, "not login", ctx);
        }
        if self.ends(call) && !self.upstream {
            // Answer logout locally while RTM is disconnected.
            return self.answer(&mut run, ctx);
        }
        if self.ends(call) {
            // After a logout RTM accepts no call.
            self.withdraw_calls(ctx);
        }
        if !self.upstream {
            return self.refuse(run, "failed", ctx);
        }
        if self.lane.len() >= MAX_WAITING {
            return self.refuse(run, "too often", ctx);
        }
        if !self.within_channel_limits(&run, ctx) {
            return self.refuse(run, "too often", ctx);
        }
        let limits = self.context.limits;
        let limit = self.context.tables.rows[row].limit;
        let within = match limit {
            None => true,
            Some(Limit::Messages | Limit::ChannelMessages) => {
                !over_rate && self.rate.take(ctx.now, limits.messages_per_second)
            }
            Some(Limit::Invitations) => self.invitations.take(ctx.now, limits.invitations_per_second),
        };
        if !within {
            if limits.discard_over_rate && limit != Some(Limit::Invitations) {
                // Legacy servers discarded messages over the rate silently.
                ctx.out.push(Effect::Dropped(DropReason::MessagesOverRate));
                ctx.out.push(Effect::Answer {
                    call,
                    row,
                    answer: Answer::default(),
                });
                return;
            }
            return self.refuse(run, "too often", ctx);
        }
        self.start(run, ctx);
    }

    fn run_for(&mut self, call: CallRef, row: usize, args: Vec<Value>) -> Run {
        let mut run = self.new_run(row, args);
        run.call = Some(call);
        run
    }

    fn upstream_changed(&mut self, up: bool, ctx: &mut Ctx<'_>) {
        self.upstream = up;
        if up {
            self.link_changed(EmulationOutcome::Recovered, ctx);
        } else {
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Grace,
                at: ctx.now + self.context.limits.grace,
            });
            self.link_changed(EmulationOutcome::Reconnecting, ctx);
        }
    }

    /// Reports a lost or restored connection to RTM, once, to a connected client.
    fn link_changed(&mut self, outcome: EmulationOutcome, ctx: &mut Ctx<'_>) {
        let lost = outcome == EmulationOutcome::Reconnecting;
        if !self.logged_in || self.reconnecting == lost {
            return;
        }
        self.reconnecting = lost;
        if let Some(row) = self.context.tables.row_on(EventKind::ConnectionStateChanged) {
            let mut run = self.new_run(row, Vec::new());
            self.fire_named(&mut run, outcome, ctx);
        }
    }

    /// Reports to a connected client that RTM was disconnected for too long.
    fn upstream_lost(&mut self, ctx: &mut Ctx<'_>) {
        let row = self.context.tables.row_on(EventKind::ConnectionStateChanged);
        if let Some(row) = row.filter(|_| self.socket.is_some()) {
            let mut run = self.new_run(row, Vec::new());
            self.fire_named(&mut run, EmulationOutcome::Lost, ctx);
        }
    }

    /// Adds the lines of an earlier session before newer ones, without lines of that login only.
    fn offline_lines(&mut self, lines: Vec<(Event, Time)>, ctx: &mut Ctx<'_>) {
        let before = self.mailbox.len();
        for (event, at) in lines {
            let fresh = ctx.now.since(at) < self.context.limits.mailbox_ttl;
            if !self.is_volatile(&event)
                && fresh
                && self
                    .mailbox
                    .push(event.clone(), (self.sender_of(&event), false), at, self.mailbox_bound())
                    .is_err()
            {
                ctx.out.push(Effect::Dropped(DropReason::MailboxLines));
            }
        }
        // Versions are known: the client has already polled, or polls only after a notification.
        if let (true, Some(socket), Some(version)) = (self.mailbox.len() > before, self.socket, self.mailbox.last()) {
            ctx.out.push(Effect::Hint { socket, version });
        }
        if self.logged_in {
            self.deliver_waiting(ctx);
        }
    }

    /// Passes the unacknowledged lines on to the account's next session on this sidecar.
    pub(super) fn store_lines(&mut self, ctx: &mut Ctx<'_>) {
        if self.saved.is_some() {
            return self.end_lines(ctx.now);
        }
        let lines = self.leave_lines();
        if !lines.is_empty() {
            ctx.out.push(Effect::StoreLines(lines));
        }
    }

    /// Removes the lines that are not for a later login, where a store keeps the others.
    pub(super) fn end_lines(&mut self, now: Time) {
        let (wire, ttl) = (self.context.wire.clone(), self.context.limits.mailbox_ttl);
        self.mailbox.end(now, ttl, |event| is_volatile(&wire, event));
    }

    /// Returns true for an event of the current login only.
    fn is_volatile(&self, event: &Event) -> bool {
        is_volatile(&self.context.wire, event)
    }

    fn timer(&mut self, key: TimerKey, ctx: &mut Ctx<'_>) {
        match key {
            TimerKey::Login if !self.logged_in => {
                self.resume_refused();
                let login = self
                    .runs
                    .values()
                    .find(|run| Some(run.row) == self.login_row())
                    .map(|run| run.id);
                if let Some(run) = login.and_then(|id| self.runs.remove(&id)) {
                    self.forget_requests(run.id);
                    self.refuse(run, "timeout", ctx);
                }
                self.end(EndReason::Refused, ctx);
            }
            TimerKey::Grace if self.socket.is_none() || !self.upstream => {
                self.upstream_lost(ctx);
                self.store_lines(ctx);
                self.end(EndReason::Lost, ctx);
            }
            TimerKey::Rejoin => {
                if let Some(channel) = self.channel.as_ref().filter(|c| c.muted) {
                    let channel_id = channel.id.clone();
                    self.channel = None;
                    self.send_aside(RtmCall::Leave { channel_id }, ctx);
                } else if let Some(channel) = &mut self.channel {
                    channel.away = false;
                }
            }
            TimerKey::Invite(invitation) => self.call_timed_out(invitation, ctx),
            TimerKey::Ring(invitation) => self.ring_timed_out(invitation, ctx),
            TimerKey::Retry(request) => self.retry_timer(request, ctx),
            TimerKey::Names => self.names_timer(ctx),
            TimerKey::Outbox => self.outbox_timer(ctx),
            TimerKey::TransientJoins => self.transient_joins_timer(ctx),
            TimerKey::MemberNum => self.member_num_timer(ctx),
            TimerKey::Gather(kind) => self.gather_timer(kind, ctx),
            TimerKey::Login | TimerKey::Grace => {}
        }
    }

    fn front_closed(&mut self, socket: SocketId, grace: Duration, ctx: &mut Ctx<'_>) {
        if self.socket != Some(socket) {
            return;
        }
        self.socket = None;
        ctx.out.push(Effect::SetTimer {
            key: TimerKey::Grace,
            at: ctx.now + grace,
        });
    }
}

fn is_volatile(wire: &Wire, event: &Event) -> bool {
    let form = wire.events.get(event.sig).and_then(Option::as_ref);
    form.is_none_or(|form| form.volatile)
}
