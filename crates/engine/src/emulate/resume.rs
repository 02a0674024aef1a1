//! Resume by session line: the client has its state and gets the missed lines (decisions H4).

use std::collections::VecDeque;

use tables::wire::{ComesBack, Polls};

use crate::api::{Effect, TimerKey};
use crate::session::{Session, Step};
use protocol::event::{CallRef, Event, Form, SocketId};

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
    gone: u64,
}

impl Ring {
    /// Adds a line; the oldest are removed if necessary.
    pub fn push(&mut self, msgid: u64, event: Event) {
        self.bytes += event.bytes();
        while (self.lines.len() == RING || self.bytes > RING_BYTES)
            && let Some((gone, event)) = self.lines.pop_front()
        {
            self.bytes -= event.bytes();
            self.gone = gone;
        }
        self.lines.push_back((msgid, event));
    }

    /// Returns the size of the lines in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the lines after a number, and true if some of them were removed.
    pub fn after(&self, msgid: u64) -> (Vec<(u64, Event)>, bool) {
        let missed = self.lines.iter().filter(|(id, _)| *id > msgid).cloned().collect();
        (missed, self.gone > msgid)
    }
}

impl Session {
    /// Returns true if the client polls only after a notification.
    pub(crate) fn polls_when_told(&self) -> bool {
        self.polls_as(Polls::WhenTold)
    }

    /// Returns the client's way to reconnect.
    pub(crate) fn comes_back(&self) -> ComesBack {
        self.context.wire.comes_back
    }

    /// Returns true if a disconnected client gets the events of its calls after its reconnect.
    pub(crate) fn catches_up(&self) -> bool {
        matches!(self.comes_back(), ComesBack::ByLine | ComesBack::ToSession)
    }

    /// Returns true if lines are pushed to the client; others only get a notification.
    pub(crate) fn takes_lines(&self) -> bool {
        !self.polls_as(Polls::ThenWhenTold)
    }

    fn polls_as(&self, polls: Polls) -> bool {
        self.context.wire.polls == polls
    }

    /// Handles a poll: acknowledges lines and returns the next.
    pub(crate) fn polled(&mut self, call: CallRef, ver_clear: u64, max: usize, step: &mut Step<'_>) {
        let (ver_clear, lines) = self.mailbox.poll(ver_clear, max);
        let last = lines.last().map(|(version, _)| *version);
        step.out.push(Effect::Mailbox { call, ver_clear, lines });
        if !self.polls_as(Polls::ThenWhenTold) {
            return;
        }
        if let Some(last) = last {
            self.mailbox.fetched(last);
            // The client does not poll for the lines that did not fit.
            if let Some(version) = self.mailbox.last().filter(|version| *version > last) {
                let socket = call.socket;
                step.out.push(Effect::Hint { socket, version });
            }
        }
    }

    /// Notifies a client that polls only after a notification, when its login is answered.
    pub(crate) fn announce(&mut self, step: &mut Step<'_>) {
        if self.polls_when_told() {
            self.mailbox.begin();
            self.hint(step);
        }
    }

    /// Notifies a client of waiting lines, if it does not poll by itself.
    pub(crate) fn hint(&self, step: &mut Step<'_>) {
        if let (true, Some(socket), Some(version)) = (self.polls_when_told(), self.socket, self.mailbox.last()) {
            step.out.push(Effect::Hint { socket, version });
        }
    }

    /// Handles a resume by session line. The loss of its old socket may not have been detected yet.
    pub(crate) fn returned(&mut self, call: CallRef, before: Option<SocketId>, step: &mut Step<'_>) {
        if let Some(old) = before.filter(|old| *old != call.socket) {
            step.out.push(Effect::Close(old));
        }
        step.out.push(Effect::Resumed(call));
        self.hint(step);
        if let Some(channel) = self.channel.as_mut().filter(|c| !c.muted) {
            // The client sends its last line number; until then its channel events are held, to
            // keep their order.
            channel.away = true;
            step.out.push(Effect::SetTimer {
                key: TimerKey::Rejoin,
                at: step.now + self.context.limits.rejoin,
            });
        }
    }

    /// Handles the client's acknowledgement of the resumed channel subscription.
    pub(crate) fn subscribed(&mut self, socket: SocketId, cid: u64, msgid: u64, step: &mut Step<'_>) {
        let current = self.cids.unsigned_abs();
        let Some(channel) = self.channel.as_mut().filter(|c| c.away) else {
            return;
        };
        if self.socket != Some(socket) || cid != current {
            return;
        }
        channel.away = false;
        let (missed, gap) = channel.ring.after(msgid);
        if gap {
            step.out
                .push(Effect::Dropped("channel lines of a client that was away"));
        }
        for (msgid, event) in missed {
            let form = Form::Channel { cid, msgid };
            step.out.push(Effect::Notify { socket, form, event });
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
    fn a_ring_has_the_last_lines_and_knows_of_others() {
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
