//! Platform vocabularies: the canonical RTM names in the spelling of one SDK.

use std::collections::HashSet;

use rtm::value::{Text, Value};
use rtm::{CallKind, ErrorEnum, EventKind, RtmCall, RtmError, RtmEvent};

/// The names and the missing calls of one SDK.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The comparison page's name.
    pub name: Text,
    /// Names of calls that differ from the canonical ones.
    pub calls: Vec<(CallKind, Text)>,
    /// Names of events that differ.
    pub events: Vec<(EventKind, Text)>,
    /// Names of error members that differ.
    pub errors: Vec<(RtmError, Text)>,
    /// Calls that the SDK does not have.
    pub lacks: HashSet<CallKind>,
}

/// A call, an event or an error in an SDK's own names.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The SDK's name.
    pub name: Text,
    /// Arguments or fields, as an object.
    pub args: Value,
}

impl Platform {
    /// Returns the SDK's name of a call.
    pub fn call_name(&self, kind: CallKind) -> &str {
        let named = self.calls.iter().find(|(call, _)| *call == kind);
        named.map_or(kind.name(), |(_, name)| name)
    }

    /// Returns the SDK's name of an event.
    pub fn event_name(&self, kind: EventKind) -> &str {
        let named = self.events.iter().find(|(event, _)| *event == kind);
        named.map_or(kind.name(), |(_, name)| name)
    }

    /// Returns the SDK's name of an error.
    pub fn error_name(&self, error: RtmError) -> &str {
        let named = self.errors.iter().find(|(e, _)| *e == error);
        named.map_or(error.name(), |(_, name)| name)
    }

    /// Converts a call to the SDK's names; `None` if the SDK lacks the call.
    pub fn write_call(&self, call: &RtmCall) -> Option<Named> {
        let kind = call.kind();
        if self.lacks.contains(&kind) {
            return None;
        }
        Some(Named {
            name: self.call_name(kind).into(),
            args: call.args(),
        })
    }

    /// Converts an SDK's name and arguments to a call.
    pub fn read_call(&self, named: &Named) -> Option<RtmCall> {
        let kind = CallKind::ALL
            .iter()
            .copied()
            .find(|&k| self.call_name(k) == &*named.name)?;
        kind.build(&in_order(kind.fields().iter().map(|f| f.name), &named.args))
            .ok()
    }

    /// Converts an event to the SDK's names.
    pub fn write_event(&self, event: &RtmEvent) -> Named {
        let names = event.kind().fields().iter().map(|f| Text::from(f.name));
        let args = Value::Map(names.zip(event.values()).collect());
        Named {
            name: self.event_name(event.kind()).into(),
            args,
        }
    }

    /// Converts an SDK's name and fields to an event.
    pub fn read_event(&self, named: &Named) -> Option<RtmEvent> {
        let kind = EventKind::ALL
            .iter()
            .copied()
            .find(|&k| self.event_name(k) == &*named.name)?;
        kind.build(&in_order(kind.fields().iter().map(|f| f.name), &named.args))
            .ok()
    }

    /// Converts an SDK's name to the error of an enum.
    pub fn read_error(&self, of: ErrorEnum, name: &str) -> Option<RtmError> {
        of.members().into_iter().find(|&e| self.error_name(e) == name)
    }
}

fn in_order<'n>(names: impl Iterator<Item = &'n str>, args: &Value) -> Vec<Value> {
    names.map(|name| args.get(name).cloned().unwrap_or_default()).collect()
}
