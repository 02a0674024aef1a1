//! Resume by session line: the client has its state and gets the missed lines (decisions H4).

use std::collections::VecDeque;

use protocol::event::{CallRef, Event, Form, SocketId};
use tables::wire::{Polls, ResumeMode};

use crate::api::{DropReason, Effect, TimerKey};
use crate::session::{Ctx, Session};

/// Maximum number of channel lines that are stored for a disconnected client.
const RING: usize = 200;
/// Maximum size of the stored channel lines, in bytes.
const RING_BYTES: usize = 256 * 1024;

/// The last lines of a channel, by number.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    lines: VecDeque<(u64, Event)>,
    /// Size of the lines in bytes.
    bytes: usize,
    /// The number of the last removed line.
    removed: u64,
}

impl Ring {
    /// Adds a line; the oldest are removed if necessary.
    pub fn push(&mut self, msgid: u64, event: Event) {
        self.bytes += event.bytes();
        while (self.lines.len() == RING || self.bytes > RING_BYTES)
            && let Some((removed, event)) = self.lines.pop_front()
        {
            self.bytes -= event.bytes();
            self.removed = removed;
        }
        self.lines.push_back((msgid, event));
    }

    /// Returns the size of the lines in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the lines new numbers after `msgid`; returns the last one.
    pub fn number_from(&mut self, msgid: u64) -> u64 {
        for ((number, _), next) in self.lines.iter_mut().zip(msgid.saturating_add(1)..) {
            *number = next;
        }
        self.removed = self.removed.min(msgid);
        msgid.saturating_add(self.lines.len() as u64)
    }

    /// Returns the lines after a number, and true if some of them were removed.
    pub fn after(&self, msgid: u64) -> (Vec<(u64, Event)>, bool) {
        let missed = self.lines.iter().filter(|(id, _)| *id > msgid).cloned().collect();
        (missed, self.removed > msgid)
    }
}

impl Session {
    /// Returns true if the client polls only after a notification.
    pub(crate) fn polls_on_notification(&self) -> bool {
        self.polls_as(Polls::OnNotification)
    }

    /// Returns the client's way to reconnect.
    pub(crate) fn resume_mode(&self) -> ResumeMode {
        self.context.wire.resume_mode
    }

    /// Returns true if a disconnected client gets the events of its calls after its reconnect.
    pub(crate) fn gets_missed_events(&self) -> bool {
        matches!(self.resume_mode(), ResumeMode::BySessionLine | ResumeMode::ToSession)
    }

    /// Returns true if lines are pushed to the client; others only get a notification.
    pub(crate) fn accepts_pushed_lines(&self) -> bool {
        !self.polls_as(Polls::LoginThenNotified)
    }

    fn polls_as(&self, polls: Polls) -> bool {
        self.context.wire.polls == polls
    }

    /// Handles a poll: acknowledges lines and returns the next.
    pub(crate) fn polled(&mut self, call: CallRef, ver_clear: u64, max: usize, ctx: &mut Ctx<'_>) {
        let (ver_clear, lines) = self.mailbox.poll(ver_clear, max);
        let last = lines.last().map(|(version, _)| *version);
        ctx.out.push(Effect::Mailbox { call, ver_clear, lines });
        if !self.polls_as(Polls::LoginThenNotified) {
            return;
        }
        if let Some(last) = last {
            self.mailbox.fetched(last);
            // The client does not poll for the lines that did not fit.
            if let Some(version) = self.mailbox.last().filter(|version| *version > last) {
                let socket = call.socket;
                ctx.out.push(Effect::Hint { socket, version });
            }
        }
    }

    /// Notifies a client that polls only after a notification, when its login is answered.
    pub(crate) fn announce(&mut self, ctx: &mut Ctx<'_>) {
        if self.polls_on_notification() {
            self.mailbox.begin();
            self.hint(ctx);
        }
    }

    /// Notifies a client of waiting lines, if it does not poll by itself.
    pub(crate) fn hint(&self, ctx: &mut Ctx<'_>) {
        if let (true, Some(socket), Some(version)) = (self.polls_on_notification(), self.socket, self.mailbox.last()) {
            ctx.out.push(Effect::Hint { socket, version });
        }
    }

    /// Handles a resume by session line. The loss of its old socket may not have been detected yet.
    pub(crate) fn resumed(&mut self, call: CallRef, before: Option<SocketId>, ctx: &mut Ctx<'_>) {
        if let Some(old) = before.filter(|old| *old != call.socket) {
            ctx.out.push(Effect::Close(old));
        }
        ctx.out.push(Effect::Resumed(call));
        self.hint(ctx);
        if let Some(channel) = self.channel.as_mut().filter(|c| !c.muted) {
            // The client sends its last line number; until then its channel events are held, to
            // keep their order.
            channel.away = true;
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Rejoin,
                at: ctx.now + self.context.limits.rejoin,
            });
        }
    }

    /// Handles the client's acknowledgement of the resumed channel subscription.
    pub(crate) fn subscribed(&mut self, socket: SocketId, cid: u64, msgid: u64, ctx: &mut Ctx<'_>) {
        if self.subscribed_early(socket, cid, msgid) {
            return;
        }
        let current = self.cids.unsigned_abs();
        let Some(channel) = self.channel.as_mut().filter(|c| c.away) else {
            return;
        };
        if self.socket != Some(socket) || cid != current {
            return;
        }
        channel.away = false;
        if std::mem::take(&mut channel.restored) {
            channel.msgid = channel.ring.number_from(msgid);
        }
        let (missed, gap) = channel.ring.after(msgid);
        if gap {
            ctx.out.push(Effect::Dropped(DropReason::ChannelLines));
        }
        for (msgid, event) in missed {
            let form = Form::Channel { cid, msgid };
            ctx.out.push(Effect::Notify { socket, form, event });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: std::ops::RangeInclusive<u64>, msgid: u64, first: Option<u64>, gap: bool) {
        let mut ring = Ring::default();
        for msgid in lines.clone() {
            let args = Vec::new();
            ring.push(msgid, Event { sig: 0, row: 0, args });
        }
        let (missed, missing) = ring.after(msgid);
        let numbers: Vec<u64> = missed.iter().map(|(msgid, _)| *msgid).collect();
        let expected: Vec<u64> = first.map_or_else(Vec::new, |first| (first..=*lines.end()).collect());
        assert_eq!((numbers, missing), (expected, gap), "{lines:?} after {msgid}");
    }

    #[test]
    fn a_ring_has_the_last_lines_and_reports_lost_ones() {
        check(1..=3, 0, Some(1), false);
        check(1..=3, 2, Some(3), false);
        check(1..=3, 3, None, false);
        check(1..=3, u64::MAX, None, false);
        check(1..=200, 0, Some(1), false);
        check(1..=201, 0, Some(2), true);
        check(1..=201, 1, Some(2), false);
        check(1..=500, 450, Some(451), false);
        // After a repeated join of the same channel, the numbers continue.
        check(58..=60, 0, Some(58), false);
    }
}
