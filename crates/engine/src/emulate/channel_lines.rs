//! The lines of a channel for a client that resumes by its session line (decisions H4).

use std::collections::VecDeque;

use protocol::event::Event;

/// Maximum number of channel lines that are stored for a disconnected client.
const RING: usize = 200;
/// Maximum size of the stored channel lines, in bytes.
const RING_BYTES: usize = 256 * 1024;

/// The lines of a channel, and whether the client receives them.
#[derive(Clone, Debug, Default)]
pub struct ChannelLines {
    /// The client has reconnected and has not joined again: it gets no channel events.
    pub muted: bool,
    /// The client has resumed by its line and has not sent its last line number.
    pub away: bool,
    /// The session continues in another sidecar, which does not know the number of the client's last line.
    pub restored: bool,
    /// The last lines.
    ring: Ring,
    /// The number of the last line.
    msgid: u64,
}

impl ChannelLines {
    /// Numbers an event, and stores it if `keeps`. Returns its number if the client receives it now.
    pub fn add(&mut self, event: &Event, keeps: bool) -> Option<u64> {
        if self.muted {
            return None;
        }
        self.msgid += 1;
        if keeps {
            self.ring.push(self.msgid, event.clone());
        }
        (!self.away).then_some(self.msgid)
    }

    /// Handles the client's acknowledgement of the resumed channel: returns the lines after
    /// `msgid`, and true if some of them were removed.
    pub fn resume(&mut self, msgid: u64) -> (Vec<(u64, Event)>, bool) {
        self.away = false;
        if std::mem::take(&mut self.restored) {
            self.msgid = self.ring.number_from(msgid);
        }
        self.ring.after(msgid)
    }

    /// Handles a client that has fetched the complete state: it does not request missed lines.
    pub fn restart(&mut self) {
        (self.muted, self.away) = (false, false);
        self.ring = Ring::default();
    }

    /// Returns the events of all stored lines.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.ring.lines.iter_mut().map(|(_, event)| event)
    }

    /// Returns the size of the stored lines in bytes.
    pub fn bytes(&self) -> usize {
        self.ring.bytes
    }
}

/// The last lines of a channel, by number.
#[derive(Clone, Debug, Default)]
struct Ring {
    lines: VecDeque<(u64, Event)>,
    /// Size of the lines in bytes.
    bytes: usize,
    /// The number of the last removed line.
    removed: u64,
}

impl Ring {
    /// Adds a line; the oldest are removed if necessary.
    fn push(&mut self, msgid: u64, event: Event) {
        self.bytes += event.bytes();
        while (self.lines.len() == RING || self.bytes > RING_BYTES)
            && let Some((removed, event)) = self.lines.pop_front()
        {
            self.bytes -= event.bytes();
            self.removed = removed;
        }
        self.lines.push_back((msgid, event));
    }

    /// Gives the lines new numbers after `msgid`; returns the last one.
    fn number_from(&mut self, msgid: u64) -> u64 {
        for ((number, _), next) in self.lines.iter_mut().zip(msgid.saturating_add(1)..) {
            *number = next;
        }
        self.removed = self.removed.min(msgid);
        msgid.saturating_add(self.lines.len() as u64)
    }

    /// Returns the lines after a number, and true if some of them were removed.
    fn after(&self, msgid: u64) -> (Vec<(u64, Event)>, bool) {
        let missed = self.lines.iter().filter(|(id, _)| *id > msgid).cloned().collect();
        (missed, self.removed > msgid)
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

    #[test]
    fn a_client_receives_lines_only_in_the_channel() {
        let event = Event {
            sig: 0,
            row: 0,
            args: Vec::new(),
        };
        let mut lines = ChannelLines::default();
        assert_eq!(lines.add(&event, true), Some(1));
        lines.away = true;
        assert_eq!(lines.add(&event, true), None);
        assert_eq!(lines.resume(1), (vec![(2, event.clone())], false));
        assert_eq!(lines.add(&event, false), Some(3));
        lines.muted = true;
        assert_eq!(lines.add(&event, true), None, "and it gets no number");
        lines.restart();
        assert_eq!(lines.add(&event, true), Some(4));
        assert_eq!(lines.resume(0), (vec![(4, event)], false));
    }
}
