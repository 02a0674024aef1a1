//! One legacy client's session: coordinates its state machines.

mod conditions;
mod exchange;
mod invocation;
mod outcome;
mod rtm_events;
mod rtm_requests;
mod scope;
mod stored;
mod test_fixtures;

use std::sync::Arc;
use std::time::Duration;

use protocol::event::{Answer, CallRef, Event, LOGIN, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, RtmCall};
use tables::condition::EmulationOutcome;
use tables::reason::Reason;
use tables::row::{Limit, RowId, Status as RowStatus};
use tables::wire::{ResumeMode, Target};

use crate::api::{Attach, DropReason, Effect, EndReason, Input, SessionContext, TimerKey};
use crate::client::Client;
use crate::context::{Ctx, Env};
use crate::durable::Saved;
use crate::emulate::channel::ChannelState;
use crate::emulate::directory::Directory;
use crate::emulate::invitations::Invitations;
use crate::emulate::outbox::Outbox;
use crate::emulate::rate_limits::RateLimits;
use crate::emulate::status::Status;
use crate::emulate::transient_join::TransientJoins;
use crate::requests::Requests;
use crate::run::{Run, Runs};
use crate::timers::Timers;

/// Maximum number of sockets that wait for one login; clients race with two.
const MAX_TWINS: usize = 4;

/// The engine's state for one client.
pub struct Session {
    env: Arc<Env>,
    client: Client,
    status: Status,
    runs: Runs,
    requests: Requests,
    channel: ChannelState,
    invitations: Invitations,
    rate_limits: RateLimits,
    outbox: Outbox,
    directory: Directory,
    transient_joins: TransientJoins,
    /// The state in the store, if the session is stored.
    saved: Option<Box<Saved>>,
    /// Sockets of the same client that arrived while the login was pending.
    twins: Vec<CallRef>,
    timers: Timers,
    end_reason: Option<EndReason>,
}

impl Session {
    /// Creates a session for an account, before its login.
    pub fn new(context: SessionContext, account: Text) -> Self {
        Self {
            saved: context.durable.then(Box::default),
            env: Arc::new(Env::new(context, account)),
            client: Client::new(),
            status: Status::default(),
            runs: Runs::default(),
            requests: Requests::default(),
            channel: ChannelState::default(),
            invitations: Invitations::default(),
            rate_limits: RateLimits::default(),
            outbox: Outbox::default(),
            directory: Directory::default(),
            transient_joins: TransientJoins::default(),
            twins: Vec::new(),
            timers: Timers::default(),
            end_reason: None,
        }
    }

    /// Processes one input at one time; its effects are appended to `out`, in order.
    // The functions for the inputs are not inlined: they use the same part of the stack one after another, so a message
    // touches fewer cache lines.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        let first = out.len();
        self.process(now, input, out);
        self.timers.note(&out[first..]);
    }

    /// Returns the time of the next timer.
    pub fn next_timer(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Removes and returns the first timer that is due. It has to be the next input; it may set others again.
    pub fn take_due(&mut self, now: Time) -> Option<TimerKey> {
        self.timers.pop(now)
    }

    /// Removes a timer, which then has to be the next input. Returns its time.
    pub fn take_timer(&mut self, key: TimerKey) -> Option<Time> {
        self.timers.remove(key)
    }

    fn process(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        if self.end_reason.is_some() {
            return;
        }
        let env = self.env.clone();
        let ctx = &mut Ctx::new(now, &env, out);
        match input {
            Input::Admitted {
                call,
                verdict,
                line,
                args,
            } => self.admitted(call, verdict, line, args, ctx),
            Input::Attached { call, how, line } => self.attached(call, how, line, ctx),
            Input::Subscribed { socket, cid, msgid } => {
                if !self.subscribed_early(socket, cid, msgid) && self.client.has_socket(socket) {
                    self.channel.resume_lines(socket, cid, msgid, ctx);
                }
            }
            Input::Call {
                call,
                row,
                args,
                acknowledges,
            } => {
                if ends(call, ctx) {
                    self.client.mailbox.acknowledge_at_logout(acknowledges);
                }
                self.called(call, row, args, ctx);
            }
            Input::Refused {
                call,
                row,
                args,
                reason,
            } => {
                let run = self.run_for(call, row, args, ctx);
                self.refuse(run, reason, ctx);
            }
            Input::OverRate { socket, id } => self.rate_limits.announce(socket, id),
            Input::Pressed(pressed) => self.client.press(pressed),
            Input::Poll { call, ver_clear, max } => {
                self.client.poll(call, ver_clear, max, ctx);
                // A client polls last before it is idle.
                self.runs.shrink();
                self.requests.shrink();
            }
            Input::RtmReply { request, result } => self.replied(request, result, ctx),
            Input::RtmEvent(event) => self.rtm_event(event, ctx),
            Input::Upstream(up) => self.upstream_changed(up, ctx),
            Input::Unsupported(lacks) => Arc::make_mut(&mut self.env).set_unsupported(lacks),
            Input::OfflineLines(lines) => {
                self.client.add_offline_lines(lines, ctx);
                if self.status.logged_in {
                    self.client.deliver_waiting(ctx);
                }
            }
            Input::Timer(key) => self.timer(key, ctx),
            Input::FrontClosed(socket) => self.front_closed(socket, ctx.env.limits.grace, ctx),
            Input::FrontClosedByClient { socket, grace } => {
                self.front_closed(socket, grace.min(ctx.env.limits.grace), ctx);
            }
        }
    }

    /// Returns the session's account.
    pub fn account(&self) -> &Text {
        &self.env.account
    }

    /// Returns the session line of the latest login.
    pub fn line(&self) -> &Text {
        &self.client.line
    }

    /// Returns the number of messages that would be lost if the session ended now: unacknowledged
    /// lines, and messages that wait for their peers.
    pub fn unfinished(&self) -> usize {
        self.client.mailbox.len() + self.outbox.len()
    }

    /// Returns the number of unacknowledged lines.
    pub fn lines(&self) -> usize {
        self.client.mailbox.len()
    }

    /// Returns true if the mailbox has unacknowledged lines.
    pub fn has_lines(&self) -> bool {
        !self.client.mailbox.is_empty()
    }

    /// Takes the unacknowledged lines of a terminated session, with their times.
    pub fn leave_lines(&mut self) -> Vec<(Event, Time)> {
        self.client.leave_lines(&self.env)
    }

    /// Returns the RTM calls that withdraw the unanswered calls of a terminated session.
    pub fn leave_calls(&mut self) -> Vec<RtmCall> {
        self.invitations.withdrawals()
    }

    /// Returns the name of the session's channel.
    pub fn channel_name(&self) -> Option<&Text> {
        self.channel.name()
    }

    /// Returns the RTM id of the joined channel.
    pub fn joined_channel(&self) -> Option<&ChannelId> {
        self.channel.joined_id()
    }

    /// Returns the client's call that a pending RTM request belongs to.
    pub fn caller(&self, request: u64) -> Option<CallRef> {
        self.runs.call_of(self.requests.waiting_run(request)?)
    }

    /// Returns true while the row of a client's call is not at its end.
    pub fn is_running(&self, call: CallRef) -> bool {
        self.runs.has_call(call)
    }

    /// Returns the reason of its end; `None` while the session is active.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end_reason
    }

    /// Returns true after the login.
    pub fn is_logged_in(&self) -> bool {
        self.status.logged_in
    }

    /// Returns true if a client is connected.
    pub fn is_live(&self) -> bool {
        self.client.is_connected()
    }

    /// Returns the size of all stores, in bytes.
    pub fn bytes(&self) -> usize {
        self.client.mailbox.bytes() + self.outbox.bytes() + self.channel.bytes()
    }

    #[inline(never)]
    fn admitted(
        &mut self,
        call: CallRef,
        verdict: Result<(), Reason>,
        line: Text,
        args: Vec<Value>,
        ctx: &mut Ctx<'_>,
    ) {
        self.client.connect(call.socket, line);
        let Some(row) = login_row(ctx) else { return };
        let run = self.run_for(call, row, args, ctx);
        match verdict {
            Err(reason) => {
                self.refuse(run, reason, ctx);
                self.end(EndReason::Refused, ctx);
            }
            Ok(()) => {
                ctx.set_timer_in(TimerKey::Login, ctx.env.limits.login);
                self.start(run, ctx);
            }
        }
    }

    /// Handles the answer to a login or logout. A refused login ends the session, and so does a
    /// logout that was not refused.
    fn after_answer(&mut self, call: CallRef, refused: bool, ctx: &mut Ctx<'_>) {
        if call.function == LOGIN {
            if refused && !self.status.logged_in {
                return self.end(EndReason::Refused, ctx);
            }
            if !self.status.logged_in {
                self.status.logged_in = true;
                self.directory.write_own(&mut self.requests, ctx);
                self.continue_restored(ctx);
            }
            if !refused {
                self.client.announce(ctx);
                self.client.deliver_waiting(ctx);
            }
            for twin in std::mem::take(&mut self.twins) {
                self.welcome(twin, ctx);
            }
        } else if !refused && ends(call, ctx) {
            self.client.store_lines(ctx);
            self.end(EndReason::LoggedOut, ctx);
        }
    }

    #[inline(never)]
    fn attached(&mut self, call: CallRef, how: Attach, line: Text, ctx: &mut Ctx<'_>) {
        let before = self.client.connect(call.socket, line);
        match how {
            Attach::BySessionLine if !self.status.logged_in => return self.resume_elsewhere(call, ctx),
            Attach::BySessionLine => return self.resumed(call, before, ctx),
            Attach::Resume => {
                let mode = ctx.env.wire.resume_mode;
                let forgets_calls = matches!(mode, ResumeMode::BySessionLine | ResumeMode::Never);
                self.begin_again(forgets_calls, ctx);
            }
            Attach::Reset => {
                self.client.lose_calls();
                self.begin_again(true, ctx);
            }
            Attach::Twin => {}
        }
        if self.status.logged_in {
            self.welcome(call, ctx);
        } else if self.twins.len() < MAX_TWINS {
            self.twins.push(call);
        } else {
            ctx.push(Effect::Close(call.socket));
        }
    }

    /// Handles a resume by session line. The loss of its old socket may not have been detected yet.
    fn resumed(&mut self, call: CallRef, before: Option<SocketId>, ctx: &mut Ctx<'_>) {
        if let Some(old) = before.filter(|old| *old != call.socket) {
            ctx.push(Effect::Close(old));
        }
        ctx.push(Effect::Resumed(call));
        self.client.hint(ctx);
        self.channel.wait_for_resume(ctx);
    }

    /// Starts a new login of the session.
    fn begin_again(&mut self, forgets_calls: bool, ctx: &mut Ctx<'_>) {
        self.client.restart_mailbox(ctx);
        if forgets_calls {
            self.invitations.forget(&mut self.requests, ctx);
        }
        self.channel.mute(ctx);
    }

    /// Answers a login of a session that is already logged in.
    fn welcome(&mut self, call: CallRef, ctx: &mut Ctx<'_>) {
        let Some(row) = login_row(ctx) else { return };
        let mut run = self.run_for(call, row, Vec::new(), ctx);
        self.answer(&mut run, ctx);
    }

    #[inline(never)]
    fn called(&mut self, call: CallRef, row: RowId, args: Vec<Value>, ctx: &mut Ctx<'_>) {
        let mut run = self.run_for(call, row, args, ctx);
        let over_channel_rate = self.rate_limits.take_announced(call);
        let env = ctx.env;
        if env.row(row).status == RowStatus::ClientSide {
            return self.start(run, ctx);
        }
        if !self.status.logged_in {
            return self.refuse(run, Reason::NotLogin, ctx);
        }
        if ends(call, ctx) && !self.status.upstream {
            // Answer logout locally while RTM is disconnected.
            return self.answer(&mut run, ctx);
        }
        if ends(call, ctx) {
            // After a logout RTM accepts no call.
            self.invitations.withdraw(&mut self.requests, ctx);
        }
        if !self.status.upstream {
            return self.refuse(run, Reason::Failed, ctx);
        }
        if self.runs.is_lane_full() || !self.channel.admits(&run, ctx) {
            return self.refuse(run, Reason::TooOften, ctx);
        }
        let limit = env.row(row).limit;
        if !self.rate_limits.admits(limit, over_channel_rate, ctx.now, &env.limits) {
            if env.limits.discard_over_rate && limit != Some(Limit::Invitations) {
                // Legacy servers discarded messages over the rate silently.
                ctx.dropped(DropReason::MessagesOverRate);
                let answer = Answer::default();
                return ctx.push(Effect::Answer { call, row, answer });
            }
            return self.refuse(run, Reason::TooOften, ctx);
        }
        self.start(run, ctx);
    }

    fn run_for(&mut self, call: CallRef, row: RowId, args: Vec<Value>, ctx: &Ctx<'_>) -> Box<Run> {
        let mut run = self.new_run(row, args, ctx);
        run.call = Some(call);
        run
    }

    fn upstream_changed(&mut self, up: bool, ctx: &mut Ctx<'_>) {
        if !up {
            ctx.set_timer_in(TimerKey::Grace, ctx.env.limits.grace);
        }
        if let Some(outcome) = self.status.upstream_changed(up) {
            self.report_status(outcome, ctx);
        }
    }

    #[inline(never)]
    fn timer(&mut self, key: TimerKey, ctx: &mut Ctx<'_>) {
        match key {
            TimerKey::Login if !self.status.logged_in => {
                self.resume_refused();
                if let Some(run) = login_row(ctx).and_then(|row| self.runs.take_of_row(row)) {
                    self.requests.forget(run.id);
                    self.refuse(run, Reason::Timeout, ctx);
                }
                self.end(EndReason::Refused, ctx);
            }
            TimerKey::Grace if !self.client.is_connected() || !self.status.upstream => {
                if self.client.is_connected() {
                    self.report_status(EmulationOutcome::Lost, ctx);
                }
                self.client.store_lines(ctx);
                self.end(EndReason::Lost, ctx);
            }
            TimerKey::Rejoin => self.channel.rejoin_timer(&mut self.requests, ctx),
            TimerKey::Invite(invitation) => {
                if let Some(origin) = self.invitations.time_out(invitation) {
                    self.fire_origin(origin, EmulationOutcome::TimedOut, ctx);
                }
            }
            TimerKey::Ring(invitation) => self.ring_timer(invitation, ctx),
            TimerKey::Retry(request) => self.go_out(request, ctx),
            TimerKey::Names => self.names_timer(ctx),
            TimerKey::Outbox => self.outbox_timer(ctx),
            TimerKey::TransientJoins => self.transient_joins.timer(&mut self.requests, ctx),
            TimerKey::MemberNum => self.member_num_timer(ctx),
            TimerKey::Gather(kind) => self.gather_timer(kind, ctx),
            TimerKey::Login | TimerKey::Grace => {}
        }
    }

    fn front_closed(&mut self, socket: SocketId, grace: Duration, ctx: &mut Ctx<'_>) {
        if self.client.disconnect(socket) {
            ctx.set_timer_in(TimerKey::Grace, grace);
        }
    }

    /// Ends the session; its socket is closed after pending writes.
    fn end(&mut self, how: EndReason, ctx: &mut Ctx<'_>) {
        if self.end_reason.is_some() {
            return;
        }
        if self.status.logged_in && matches!(how, EndReason::LoggedOut | EndReason::Lost) {
            self.invitations.withdraw(&mut self.requests, ctx);
        }
        self.end_reason = Some(how);
        if !self.outbox.is_empty() && self.saved.is_none() {
            ctx.dropped(DropReason::OfflineMessages);
        }
        self.client.close(ctx);
        ctx.push(Effect::End);
    }
}

/// Returns the row of a login on the client's wire.
fn login_row(ctx: &Ctx<'_>) -> Option<RowId> {
    match &ctx.env.wire.login.target {
        Target::Row(row) => Some(row.row),
        Target::Local(_) | Target::Invoke(_) => None,
    }
}

/// Returns true for a call that ends the session.
fn ends(call: CallRef, ctx: &Ctx<'_>) -> bool {
    ctx.env.wire.function(call.function).ends
}
