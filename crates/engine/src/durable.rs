//! What a store keeps of a session, and a session that continues with it.
//!
//! A session has no effect for its store: after a step, the server asks for what has changed since it asked before
//! ([`Session::changes`]). So changes of several steps are stored at once.

use protocol::event::{CallRef, Event, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, PeerMessageErr, RtmCall, RtmError, UserId};
use tables::condition::{Emulation, EmulationOutcome};
use tables::row::RowId;
use tables::wire::ResumeMode;

use crate::api::{Attach, DropReason, Effect, EndReason, TimerKey};
use crate::emulate::channel::Channel;
use crate::emulate::invitations::{CallState, Role};
use crate::invocation::Run;
use crate::session::{Ctx, Session};

/// Lines and messages in one set of changes.
const AT_ONCE: usize = 256;

/// Numbers of the entries of a queue, and those that a store has.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Entries that were ever added.
    pub(crate) added: u64,
    /// The store has the entries with lower numbers.
    pub(crate) below: u64,
    /// Removed entries that the store has.
    pub(crate) removed: Vec<u64>,
    /// Number of times that a client got entries which it may never acknowledge.
    pub(crate) fetched: u64,
}

/// The versions of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The acknowledged version.
    pub acknowledged: Option<u64>,
    /// It is assumed.
    pub assumed: bool,
    /// The first version of the login.
    pub base: u64,
    /// The last version that a client got which may never acknowledge it.
    pub fetched: u64,
}

/// A line of a mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedLine {
    /// The event.
    pub event: Event,
    /// The account that caused it.
    pub sender: Text,
    /// It is of the current login only.
    pub volatile: bool,
    /// Its time.
    pub at: Time,
}

/// A message that waits for its peer.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedMessage {
    /// The peer.
    pub peer: UserId,
    /// The row that sends it.
    pub row: RowId,
    /// The row's values.
    pub slots: Vec<Value>,
    /// Its expiry.
    pub until: Time,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedCall {
    /// The channel.
    pub channel: Text,
    /// The other party.
    pub peer: Text,
    /// The session's side.
    pub role: Role,
    /// It was accepted.
    pub talking: bool,
    /// The row that started it, with its values.
    pub origin: Option<(RowId, Vec<Value>)>,
}

/// The state of a session without its queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The family of the client.
    pub family: Text,
    /// The session has ended: its next one gets the lines only.
    pub ended: bool,
    /// The versions of the mailbox.
    pub versions: Versions,
    /// Number of joins.
    pub cids: i64,
    /// The session line.
    pub line: Text,
    /// The joined channel.
    pub channel: Option<Text>,
}

/// A stored session.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The state.
    pub head: Head,
    /// Unacknowledged lines by number, in order.
    pub lines: Vec<(u64, SavedLine)>,
    /// Messages for offline peers by number, in order.
    pub messages: Vec<(u64, SavedMessage)>,
    /// Calls.
    pub calls: Vec<SavedCall>,
}

/// What a store does not have.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The store removes what it has before.
    pub all: bool,
    /// There are more changes.
    pub more: bool,
    /// The changed state.
    pub head: Option<Head>,
    /// New lines.
    pub lines: Vec<(u64, SavedLine)>,
    /// Numbers of removed lines.
    pub removed_lines: Vec<u64>,
    /// New messages.
    pub messages: Vec<(u64, SavedMessage)>,
    /// Numbers of removed messages.
    pub removed_messages: Vec<u64>,
    /// The calls after a change.
    pub calls: Option<Vec<SavedCall>>,
    /// The last expiry of a message.
    pub until: Option<Time>,
}

/// What a store has of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    head: Head,
    calls: Vec<SavedCall>,
    /// The store may have anything.
    unknown: bool,
    /// A resume by line whose RTM login is pending.
    resuming: Option<CallRef>,
    /// The channel state that its client has sent meanwhile: number of the channel, number of the last line.
    subscribed: Option<(SocketId, u64, u64)>,
    /// The channel to join again.
    channel: Option<Text>,
    /// The channel whose members are fetched.
    lists: Option<ChannelId>,
    /// Calls whose invitations ended with the last RTM client.
    unanswered: Vec<(Role, rtm::InvitationId)>,
}

impl Stored {
    /// Returns the number of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.added
    }

    /// Notes a removed entry.
    pub(crate) fn removes(&mut self, number: u64) {
        if number < self.below {
            self.removed.push(number);
        }
    }

    fn forget(&mut self) {
        self.below = 0;
        self.removed.clear();
    }

    fn restore(&mut self, last: Option<u64>) {
        self.added = last.map_or(0, |last| last + 1);
        self.below = self.added;
    }

    /// Takes the first entries that are not stored; returns true if there are more.
    fn take<T>(&mut self, mut unstored: Vec<(u64, T)>, out: &mut Vec<(u64, T)>) -> bool {
        let more = unstored.len() > AT_ONCE;
        unstored.truncate(AT_ONCE);
        self.below = unstored.last().map_or(self.added, |(number, _)| number + 1);
        *out = unstored;
        more
    }
}

impl Session {
    /// Returns the changes since the last call; `None` if there are none.
    pub fn changes(&mut self) -> Option<Changes> {
        let ended = matches!(self.end_reason, Some(EndReason::LoggedOut | EndReason::Lost));
        let channel = self.channel_name();
        let saved = self.saved.as_mut()?;
        let head = Head {
            family: self.context.wire.family.clone(),
            ended,
            versions: self.mailbox.versions(),
            cids: self.cids,
            line: self.line.clone(),
            channel: channel.or_else(|| saved.channel.clone()),
        };
        let mut changes = Changes {
            all: std::mem::take(&mut saved.unknown),
            until: self.outbox.until(),
            ..Changes::default()
        };
        if changes.all {
            self.mailbox.stored.forget();
            self.outbox.stored.forget();
        }
        if self.mailbox.stored.below < self.mailbox.stored.added {
            let unstored = self.mailbox.unstored().take(AT_ONCE + 1).collect();
            changes.more |= self.mailbox.stored.take(unstored, &mut changes.lines);
        }
        if self.outbox.stored.below < self.outbox.stored.added {
            let unstored = self.outbox.unstored().take(AT_ONCE + 1).collect();
            changes.more |= self.outbox.stored.take(unstored, &mut changes.messages);
        }
        changes.removed_lines = std::mem::take(&mut self.mailbox.stored.removed);
        changes.removed_messages = std::mem::take(&mut self.outbox.stored.removed);
        if changes.all || head != saved.head {
            saved.head = head.clone();
            changes.head = Some(head);
        }
        if changes.all || !self.calls.are(&saved.calls) {
            saved.calls = self.calls.saved();
            changes.calls = Some(saved.calls.clone());
        }
        let is_changed = changes.all
            || changes.head.is_some()
            || changes.calls.is_some()
            || !changes.lines.is_empty()
            || !changes.messages.is_empty()
            || !changes.removed_lines.is_empty()
            || !changes.removed_messages.is_empty();
        is_changed.then_some(changes)
    }

    /// Handles a store that may have lost changes: the next ones contain everything.
    pub fn store_again(&mut self) {
        if let Some(saved) = &mut self.saved {
            saved.unknown = true;
        }
    }

    /// Returns a number that grows with everything that must be stored before the client gets it.
    pub fn to_store(&self) -> u64 {
        self.mailbox.stored.added + self.outbox.stored.added + self.mailbox.stored.fetched
    }

    /// Returns true while an event waits for a name: it is not in a mailbox yet.
    pub fn has_waiting_events(&self) -> bool {
        self.directory.has_waiting()
    }

    /// Continues a stored session, before the first step; without `how` with its lines and messages only.
    pub fn restore(&mut self, now: Time, record: Record, how: Option<Attach>, out: &mut Vec<Effect>) {
        let ctx = &mut Ctx { now, out };
        let numbers = |last: Option<&u64>| last.copied();
        self.outbox
            .stored
            .restore(numbers(record.messages.last().map(|(number, _)| number)));
        self.outbox.restore(record.messages);
        self.mailbox
            .stored
            .restore(numbers(record.lines.last().map(|(number, _)| number)));
        self.mailbox.restore(record.head.versions, record.lines);
        self.cids = record.head.cids;
        let unanswered = self.calls.restore(record.calls);
        if let Some(saved) = &mut self.saved {
            saved.unanswered = unanswered;
            saved.unknown = true;
        }
        let is_of_family = record.head.family == self.context.wire.family;
        match how.filter(|_| is_of_family) {
            Some(Attach::BySessionLine) => {
                self.line = record.head.line;
                if let Some(saved) = &mut self.saved {
                    saved.channel = record.head.channel;
                }
            }
            Some(Attach::Resume | Attach::Twin) => {
                let forgets_calls = matches!(self.resume_mode(), ResumeMode::BySessionLine | ResumeMode::Never);
                self.begin_again(forgets_calls, ctx);
            }
            Some(Attach::Reset) => {
                self.lost_calls = true;
                self.begin_again(true, ctx);
            }
            None => {
                self.end_lines(now);
                self.mailbox.forget_versions();
                self.forget_calls(ctx);
            }
        }
    }

    /// Resumes a stored session by its line: RTM has to know it first.
    pub(super) fn resume_elsewhere(&mut self, call: CallRef, ctx: &mut Ctx<'_>) {
        let uid = UserId::new(self.context.names.user_id(&self.account));
        let (Some(saved), Ok(uid)) = (&mut self.saved, uid) else {
            return self.end(EndReason::Refused, ctx);
        };
        saved.resuming = Some(call);
        ctx.out.push(Effect::SetTimer {
            key: TimerKey::Login,
            at: ctx.now + self.context.limits.login,
        });
        self.send_aside(RtmCall::Login { uid, token: None }, ctx);
    }

    /// Handles RTM's answer to the login of a resume.
    pub(super) fn resumed_login(&mut self, accepted: bool, ctx: &mut Ctx<'_>) {
        let Some(saved) = &mut self.saved else { return };
        let Some(call) = saved.resuming.take() else { return };
        if !accepted {
            return self.end(EndReason::Refused, ctx);
        }
        self.logged_in = true;
        self.write_name(ctx);
        if let Some(name) = self.saved.as_mut().and_then(|saved| saved.channel.take())
            && let Ok(id) = ChannelId::new(self.context.names.channel_id(&name))
        {
            let mut channel = Channel::new(name, id.clone());
            channel.restored = true;
            self.channel = Some(channel);
            self.send_aside(RtmCall::Join { channel_id: id.clone() }, ctx);
            // The client knows the members.
            if let Some(saved) = &mut self.saved {
                saved.lists = Some(id.clone());
            }
            self.send_aside(RtmCall::GetMembers { channel_id: id }, ctx);
        }
        self.resumed(call, None, ctx);
        if let Some((socket, cid, msgid)) = self.saved.as_mut().and_then(|saved| saved.subscribed.take()) {
            self.subscribed(socket, cid, msgid, ctx);
        }
        self.continue_restored(ctx);
    }

    /// Keeps the channel state of a client whose resume is pending; returns true if it is.
    pub(super) fn subscribed_early(&mut self, socket: SocketId, cid: u64, msgid: u64) -> bool {
        let saved = self.saved.as_mut().filter(|saved| saved.resuming.is_some());
        saved
            .map(|saved| saved.subscribed = Some((socket, cid, msgid)))
            .is_some()
    }

    /// Handles the timeout of a resume.
    pub(super) fn resume_refused(&mut self) {
        if let Some(saved) = &mut self.saved {
            saved.resuming = None;
        }
    }

    /// Takes the members of a channel that was joined again, without events; returns true if it did.
    pub(super) fn lists_silently(&mut self, id: &ChannelId, list: &[UserId]) -> bool {
        let lists = self
            .saved
            .as_mut()
            .and_then(|saved| saved.lists.take_if(|lists| lists == id));
        let channel = self.channel.as_mut().filter(|channel| channel.id == *id);
        let (Some(_), Some(channel)) = (lists, channel) else {
            return false;
        };
        channel.members = list.iter().cloned().collect();
        true
    }

    /// Continues messages and calls of a restored session after its login.
    pub(super) fn continue_restored(&mut self, ctx: &mut Ctx<'_>) {
        let Some(saved) = &mut self.saved else { return };
        let unanswered = std::mem::take(&mut saved.unanswered);
        let peer_ids = self.outbox.peers();
        if !peer_ids.is_empty() {
            self.send_aside(RtmCall::SubscribePeersOnlineStatus { peer_ids }, ctx);
            self.arm_outbox(ctx);
        }
        for (role, invitation) in unanswered {
            let Some(call) = self.calls.by_invitation(role, invitation) else {
                continue;
            };
            call.state = CallState::Withdrawn;
            self.fire_origin(role, invitation, EmulationOutcome::TimedOut, ctx);
            self.calls.remove(role, invitation);
        }
    }

    /// Returns true for a run whose call is answered once RTM or the store has its message.
    pub(super) fn answers_late(&self, run: &Run) -> bool {
        self.saved.is_some() && self.emulation(run) == Some(Emulation::Outbox)
    }

    /// Returns the reason if a run that answers late has failed: nobody has its message.
    pub(super) fn late_failure(&self, run: &Run, outcome: Option<usize>) -> Option<&'static str> {
        let error = run.error?;
        let keeps = outcome.is_some_and(|at| self.context.tables.rows[run.row].outcomes[at].hold);
        let is_timeout = error == RtmError::PeerMessage(PeerMessageErr::Timeout);
        (!keeps).then_some(if is_timeout { "timeout" } else { "failed" })
    }

    /// Notes that messages end with a session, unless a store has them.
    pub(super) fn drop_messages(&self, ctx: &mut Ctx<'_>) {
        if !self.outbox.is_empty() && self.saved.is_none() {
            ctx.out.push(Effect::Dropped(DropReason::OfflineMessages));
        }
    }
}
