//! What a session has used of the tables: counted while it is played, from what the engine is told and what it wants done.

use std::collections::BTreeSet;

use crate::bridge::{Effect, Event, Input};
use crate::mapping::row::{RowId, SigId};
use crate::mapping::wire::{Target, Wire};

/// Rows that a session has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Rows of calls that its client has made.
    pub called: BTreeSet<RowId>,
    /// Rows whose calls were answered.
    pub answered: BTreeSet<RowId>,
    /// Events that its client was told, or that its SDK makes of an answer, each with the row that it is of.
    pub told: BTreeSet<(SigId, RowId)>,
}

impl Used {
    /// Something goes into the session.
    pub(super) fn enter(&mut self, wire: &Wire, input: &Input) {
        match input {
            Input::Call { row, .. } | Input::Refused { row, .. } => {
                self.called.insert(*row);
            }
            Input::Admitted { .. } | Input::Attached { .. } => {
                if let Target::Row(of) = &wire.login.target {
                    self.called.insert(of.row);
                }
            }
            _ => {}
        }
    }

    /// Something comes of it.
    pub(super) fn come(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Answer { row, answer, .. } => {
                    self.answered.insert(*row);
                    answer.events.iter().for_each(|event| self.tell(event));
                    if let Some(refusal) = &answer.failure {
                        self.tell(&refusal.event);
                    }
                }
                Effect::Mailbox { lines, .. } => lines.iter().for_each(|(_, event)| self.tell(event)),
                Effect::Notify { event, .. } => self.tell(event),
                _ => {}
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        self.told.insert((event.sig, event.row));
    }
}
