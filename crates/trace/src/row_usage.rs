//! Table usage of a session, counted during a replay.

use std::collections::BTreeSet;

use engine::{Effect, Input};
use protocol::event::Event;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::row::{RowId, SigId};
use tables::wire::{Target, Wire};

/// Rows used by a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Rows of valid client calls.
    pub called: BTreeSet<RowId>,
    /// Calls among them about the client's own account, by name.
    pub for_oneself: BTreeSet<RowId>,
    /// Rows of successful calls.
    pub succeeded: BTreeSet<RowId>,
    /// Events sent to the client or derived by its SDK from an answer, with their rows.
    pub emitted: BTreeSet<(SigId, RowId)>,
}

impl Used {
    /// Counts an input.
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

    /// Counts effects.
    pub(super) fn come(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Answer { row, answer, .. } => {
                    answer.events.iter().for_each(|event| self.emit(event));
                    match &answer.failure {
                        Some(refusal) => self.emit(&refusal.event),
                        None => {
                            self.succeeded.insert(*row);
                        }
                    }
                }
                Effect::Mailbox { lines, .. } => lines.iter().for_each(|(_, event)| self.emit(event)),
                Effect::Notify { event, .. } => self.emit(event),
                _ => {}
            }
        }
    }

    fn emit(&mut self, event: &Event) {
        self.emitted.insert((event.sig, event.row));
    }
}
