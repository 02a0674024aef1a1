//! What a session has used of the tables: counted while it is played, from what the engine is told and what it wants done.

use std::collections::BTreeSet;

use engine::{Effect, Input};
use protocol::event::Event;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::row::{RowId, SigId};
use tables::wire::{Target, Wire};

/// Rows that a session has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Rows of calls that its client has made, and that its front has found right.
    pub called: BTreeSet<RowId>,
    /// Those of them that were about the client's own account, by name.
    pub for_oneself: BTreeSet<RowId>,
    /// Rows whose calls were answered by a success.
    pub succeeded: BTreeSet<RowId>,
    /// Events that its client was told, or that its SDK makes of an answer, each with the row that it is of.
    pub told: BTreeSet<(SigId, RowId)>,
}

impl Used {
    /// Something goes into the session.
    pub(super) fn enter(&mut self, tables: &Tables, wire: &Wire, own: &Text, input: &Input) {
        match input {
            Input::Call { row, args, .. } => {
                self.called.insert(*row);
                let about = tables.rows[*row].account.and_then(|slot| args.get(slot));
                if about.and_then(Value::as_text) == Some(own) {
                    self.for_oneself.insert(*row);
                }
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
                    answer.events.iter().for_each(|event| self.tell(event));
                    match &answer.failure {
                        Some(refusal) => self.tell(&refusal.event),
                        None => {
                            self.succeeded.insert(*row);
                        }
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
