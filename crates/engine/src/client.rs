//! The client's side of a session: its socket, and the delivery of events in the form of its family.
//!
//! Clients of the documented API receive each event by name. The event's form on a line wire still
//! decides about clients that are disconnected (the event is stored) or have not rejoined their
//! channel (it is dropped).

use protocol::event::{CallRef, Event, Form, SocketId};
use rtm::time::Time;
use rtm::value::Text;
use tables::errors::EngineCode;
use tables::ty::SigType;
use tables::wire::{Polls, ResumeMode, Via, Wire, WireEvent};

use crate::api::{DropReason, Effect, SessionLimits};
use crate::context::{Ctx, Env};
use crate::emulate::channel::ChannelState;
use crate::emulate::mailbox::{Full, Mailbox};
use crate::emulate::mailbox_share::Amount;

/// The bound of each store while the memory budget is exhausted.
const SMALL_SHARE: usize = 16 * 1024;

/// The client of a session.
pub(crate) struct Client {
    /// `None` in the grace time.
    socket: Option<SocketId>,
    /// The session line of the latest login.
    pub line: Text,
    /// The lines that the client has not acknowledged.
    pub mailbox: Mailbox,
    /// The client has lost the calls before its latest login, and gets no events of them.
    lost_calls: bool,
    /// The memory budget is exhausted.
    pressed: bool,
}

impl Client {
    /// Creates a client that is not connected.
    pub fn new() -> Self {
        Self {
            socket: None,
            line: "".into(),
            mailbox: Mailbox::default(),
            lost_calls: false,
            pressed: false,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Connects a socket; returns the earlier one.
    pub fn connect(&mut self, socket: SocketId, line: Text) -> Option<SocketId> {
        self.line = line;
        self.socket.replace(socket)
    }

    /// Removes the socket, if it is that of the client.
    pub fn disconnect(&mut self, socket: SocketId) -> bool {
        let is_own = self.socket == Some(socket);
        if is_own {
            self.socket = None;
        }
        is_own
    }

    /// Sets a client in the grace time, for examples.
    pub fn assume_away(&mut self) {
        self.socket = None;
    }

    /// Closes the socket after its pending writes.
    pub fn close(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(socket) = self.socket.take() {
            ctx.push(Effect::Close(socket));
        }
    }

    /// Returns true for the client's socket.
    pub fn has_socket(&self, socket: SocketId) -> bool {
        self.socket == Some(socket)
    }

    /// Returns true if the client has lost the calls before its latest login.
    pub fn lost_calls(&self) -> bool {
        self.lost_calls
    }

    /// Marks the calls before the latest login as lost.
    pub fn lose_calls(&mut self) {
        self.lost_calls = true;
    }

    /// Handles an exhausted memory budget, or its end.
    pub fn press(&mut self, pressed: bool) {
        self.pressed = pressed;
    }

    /// Returns true if the client is disconnected, and does not get the events of its calls after its
    /// reconnect.
    pub fn misses_events(&self, env: &Env) -> bool {
        !self.is_connected() && !gets_missed_events(&env.wire)
    }

    /// Returns the bound of each of the session's stores, in bytes.
    pub fn store_bytes(&self, limits: &SessionLimits) -> usize {
        let most = limits.mailbox_bytes;
        if self.pressed { most.min(SMALL_SHARE) } else { most }
    }

    /// Sends an event, stores it for a disconnected client, or drops it if the client cannot use
    /// it.
    pub fn deliver(&mut self, event: Event, channel: &mut ChannelState, ctx: &mut Ctx<'_>) {
        let wire = &ctx.env.wire;
        let Some(form) = form_of(&event, wire) else { return };
        match form.via {
            Via::Mailbox if wire.documented && self.is_connected() => self.notify(Form::Direct, event, ctx),
            Via::Mailbox if form.volatile && self.misses_events(ctx.env) => match form.missed {
                Some(code) => ctx.push(Effect::Note {
                    row: event.row,
                    code,
                    about: None,
                }),
                None => ctx.dropped(DropReason::LinesWithoutClient),
            },
            Via::Mailbox => {
                let outlives = wire.resume_mode == ResumeMode::ToSession;
                self.post(event, form.volatile && !outlives, ctx);
            }
            Via::Channel if wire.documented => {
                if channel.gets_events() {
                    self.notify(Form::Direct, event, ctx);
                }
            }
            Via::Channel => {
                let keeps = wire.resume_mode == ResumeMode::BySessionLine;
                if let Some(form) = channel.add_line(&event, keeps) {
                    self.notify(form, event, ctx);
                }
            }
            Via::Control | Via::Client if wire.documented => self.notify(Form::Direct, event, ctx),
            Via::Control => self.notify(Form::Control, event, ctx),
            Via::Client => {}
        }
    }

    /// Sends an event that is part of an answer, even while other events are held back.
    pub fn deliver_part(&mut self, event: Event, channel: &mut ChannelState, ctx: &mut Ctx<'_>) {
        if ctx.env.wire.documented {
            self.notify(Form::Direct, event, ctx);
        } else {
            self.deliver(event, channel, ctx);
        }
    }

    /// Sends the stored events to a client of the documented API; other clients poll.
    pub fn deliver_waiting(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.env.wire.documented && self.is_connected() {
            for (event, at) in self.mailbox.leave() {
                if ctx.now.since(at) < ctx.env.limits.mailbox_ttl {
                    self.notify(Form::Direct, event, ctx);
                } else {
                    ctx.dropped(DropReason::EarlierMailboxLines);
                }
            }
        }
    }

    fn post(&mut self, event: Event, volatile: bool, ctx: &mut Ctx<'_>) {
        let (row, sender) = (event.row, sender_of(&event, ctx.env));
        let bound = self.mailbox_bound(&ctx.env.limits);
        match self
            .mailbox
            .push(event.clone(), (sender.clone(), volatile), ctx.now, bound)
        {
            Ok(Some(version)) => {
                // Other clients only get a notification.
                if self.is_connected() && ctx.env.wire.polls != Polls::LoginThenNotified {
                    self.mailbox.pushed(version);
                }
                self.notify(Form::Mailbox(version), event, ctx);
            }
            Ok(None) => {}
            Err(Full) => {
                ctx.dropped(DropReason::MailboxLines);
                ctx.note(EngineCode::MailboxFull, row, Some(sender));
            }
        }
    }

    fn mailbox_bound(&self, limits: &SessionLimits) -> Amount {
        Amount {
            events: limits.mailbox,
            bytes: self.store_bytes(limits),
        }
    }

    fn notify(&mut self, form: Form, event: Event, ctx: &mut Ctx<'_>) {
        if let Some(socket) = self.socket {
            ctx.push(Effect::Notify { socket, form, event });
        }
    }

    /// Handles a poll: acknowledges lines and returns the next.
    pub fn poll(&mut self, call: CallRef, ver_clear: u64, max: usize, ctx: &mut Ctx<'_>) {
        let (ver_clear, lines) = self.mailbox.poll(ver_clear, max);
        let last = lines.last().map(|(version, _)| *version);
        ctx.push(Effect::Mailbox { call, ver_clear, lines });
        if ctx.env.wire.polls != Polls::LoginThenNotified {
            return;
        }
        if let Some(last) = last {
            self.mailbox.fetched(last);
            // The client does not poll for the lines that did not fit.
            if let Some(version) = self.mailbox.last().filter(|version| *version > last) {
                let socket = call.socket;
                ctx.push(Effect::Hint { socket, version });
            }
        }
    }

    /// Notifies a client that polls only after a notification, when its login is answered.
    pub fn announce(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.env.wire.polls == Polls::OnNotification {
            self.mailbox.begin();
            self.hint(ctx);
        }
    }

    /// Notifies a client of waiting lines, if it does not poll by itself.
    pub fn hint(&self, ctx: &mut Ctx<'_>) {
        if ctx.env.wire.polls == Polls::OnNotification {
            self.hint_last(ctx);
        }
    }

    fn hint_last(&self, ctx: &mut Ctx<'_>) {
        if let Some((socket, version)) = self.socket.zip(self.mailbox.last()) {
            ctx.push(Effect::Hint { socket, version });
        }
    }

    /// Starts a new login: drops the lines of the earlier login only, and expired ones.
    pub fn restart_mailbox(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.env.wire.resume_mode != ResumeMode::ToSession
            && self.mailbox.restart(ctx.now, ctx.env.limits.mailbox_ttl) > 0
        {
            ctx.dropped(DropReason::EarlierMailboxLines);
        }
    }

    /// Adds the lines of an earlier session before newer ones, without lines of that login only.
    pub fn add_offline_lines(&mut self, lines: Vec<(Event, Time)>, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let before = self.mailbox.len();
        let bound = self.mailbox_bound(&env.limits);
        for (event, at) in lines {
            if is_volatile(&event, &env.wire) || ctx.now.since(at) >= env.limits.mailbox_ttl {
                continue;
            }
            let sender = sender_of(&event, env);
            if self.mailbox.push(event, (sender, false), at, bound).is_err() {
                ctx.dropped(DropReason::MailboxLines);
            }
        }
        // Versions are known: the client has already polled, or polls only after a notification.
        if self.mailbox.len() > before {
            self.hint_last(ctx);
        }
    }

    /// Takes the unacknowledged lines, without lines of the current login only.
    pub fn leave_lines(&mut self, env: &Env) -> Vec<(Event, Time)> {
        let mut lines = self.mailbox.leave();
        lines.retain(|(event, _)| !is_volatile(event, &env.wire));
        lines
    }

    /// Removes the lines of the current login only, and expired ones, where a store keeps the others.
    pub fn end_lines(&mut self, ctx: &Ctx<'_>) {
        let env = ctx.env;
        self.mailbox
            .end(ctx.now, env.limits.mailbox_ttl, |event| is_volatile(event, &env.wire));
    }

    /// Passes the unacknowledged lines on to the account's next session on this sidecar.
    pub fn store_lines(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.env.durable {
            return self.end_lines(ctx);
        }
        let lines = self.leave_lines(ctx.env);
        if !lines.is_empty() {
            ctx.push(Effect::StoreLines(lines));
        }
    }
}

fn form_of<'w>(event: &Event, wire: &'w Wire) -> Option<&'w WireEvent> {
    wire.events.get(event.sig)?.as_ref()
}

/// Returns true for an event of the current login only.
fn is_volatile(event: &Event, wire: &Wire) -> bool {
    form_of(event, wire).is_none_or(|form| form.volatile)
}

/// Returns true if a disconnected client gets the events of its calls after its reconnect.
fn gets_missed_events(wire: &Wire) -> bool {
    matches!(wire.resume_mode, ResumeMode::BySessionLine | ResumeMode::ToSession)
}

/// Returns the account that caused an event.
fn sender_of(event: &Event, env: &Env) -> Text {
    let mut args = env.tables.signatures[event.sig].args.iter();
    let at = args.position(|(_, ty)| *ty == SigType::Account);
    let sender = at.and_then(|at| event.args.get(at)?.as_text().cloned());
    sender.unwrap_or_else(|| env.account.clone())
}
