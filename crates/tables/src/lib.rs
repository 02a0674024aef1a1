//! Mapping tables: the only translation between Signaling names and RTM names.
//!
//! `mappings/*.toml` contain rows (the translation of a Signaling call or an RTM event),
//! `mappings/wire/` the functions and notifications of a client family, `mappings/platforms/` the
//! names of the RTM SDKs. They are parsed with source positions ([`ast`]) and compiled once
//! ([`compile`]). The crate `engine` executes the rows. The Signaling side is data: names, typed
//! arguments, numbers. The RTM side is the closed types of [`rtm`].

#![warn(missing_docs)]

#[allow(
    missing_docs,
    reason = "the written form, key by key: the format's documentation is docs/tables.md"
)]
pub mod ast;
pub mod bridge_messages;
pub mod coerce;
pub mod comparison;
mod compile;
pub mod condition;
pub mod diagnostics;
pub mod duration;
pub mod errors;
pub mod expr;
pub mod func;
mod ids;
mod parsed;
pub mod platform;
pub mod profile;
pub mod reason;
pub mod row;
pub mod scope;
mod source;
pub mod spanned_toml;
pub mod spanned_value;
pub mod ty;
pub mod wire;

use std::sync::Arc;

use ast::RawExample;
use errors::{EngineCode, FailClass, LimitCode};
use platform::Platform;
use profile::{Profile, Transport};
use reason::{Reason, ReasonId};
use row::{CodeId, Row, RowId, SigId, Signature};
use wire::Wire;

use rtm::EventKind;
use rtm::value::{Text, Value};

use crate::diagnostics::Diags;

pub use compile::compile;
pub use parsed::ParsedTables;
pub use source::{embedded, from_dir};

/// Compiled tables, immutable and shared.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Declared Signaling calls and events.
    pub signatures: Vec<Signature>,
    /// Rows.
    pub rows: Vec<Row>,
    /// Row of each RTM event, by the event's number.
    pub by_event: Vec<Option<RowId>>,
    /// Reasons of refusals: those of [`Reason`], then those that only tables name.
    pub reasons: Vec<Text>,
    /// Failure classes.
    pub fails: Vec<FailClass>,
    /// Limitation codes.
    pub codes: Vec<LimitCode>,
    /// The codes that the engine notes itself, by [`EngineCode`].
    pub engine_codes: Vec<Option<CodeId>>,
    /// Wires by family.
    pub wires: Vec<Arc<Wire>>,
    /// Client profiles; the first match with a login applies.
    pub profiles: Vec<Arc<Profile>>,
    /// Platform vocabularies.
    pub platforms: Vec<Platform>,
    /// Examples of the rows, for `check`.
    pub examples: Vec<Example>,
}

/// An example of a row.
#[derive(Clone, Debug)]
pub struct Example {
    /// Row of its calls.
    pub row: RowId,
    /// Row that contains the example.
    pub of: RowId,
    /// Syntax of the example.
    pub raw: Arc<RawExample>,
}

impl Tables {
    /// Returns the built-in tables.
    ///
    /// # Errors
    /// Errors in the tables; a test checks that there are none.
    pub fn built_in() -> Result<Self, Diags> {
        let (tables, diags) = compile(&embedded());
        diags.or_ok(tables)
    }

    /// Returns the row of an RTM event.
    pub fn row_on(&self, event: EventKind) -> Option<RowId> {
        self.by_event.get(event as usize).copied().flatten()
    }

    /// Returns the row with an id.
    pub fn row_named(&self, id: &str) -> Option<RowId> {
        self.rows.iter().position(|row| &*row.id == id)
    }

    /// Returns the signature with a name.
    pub fn signature_named(&self, name: &str) -> Option<SigId> {
        self.signatures.iter().position(|sig| &*sig.name == name)
    }

    /// Returns the wire of a family.
    pub fn wire(&self, family: &str) -> Option<&Arc<Wire>> {
        self.wires.iter().find(|wire| &*wire.family == family)
    }

    /// Returns the wire of the documented API, used by examples. Compiled tables always have it.
    pub fn documented(&self) -> Arc<Wire> {
        let found = self.wires.iter().find(|wire| wire.documented);
        found.cloned().unwrap_or_else(|| Arc::new(Wire::nothing()))
    }

    /// Returns the position of a client's profile, by its transport and its login.
    pub fn profile(&self, transport: Transport, login: &Value) -> Option<usize> {
        self.profiles.iter().position(|profile| profile.fits(transport, login))
    }

    /// Parses an event in the notation of examples: its name, then the arguments in order.
    pub fn parse_event(&self, text: &str) -> Option<(SigId, Vec<Value>)> {
        parse_event(&self.signatures, text)
    }

    /// Returns the text of a reason.
    pub fn reason(&self, reason: ReasonId) -> Text {
        let known = self.reasons.get(reason);
        known.cloned().unwrap_or_else(|| Reason::Failed.name().into())
    }

    /// Returns the number of a code that the engine notes itself.
    pub fn engine_code(&self, code: EngineCode) -> Option<CodeId> {
        self.engine_codes.get(code as usize).copied().flatten()
    }

    /// Returns the name of a limitation code.
    pub fn code_name(&self, code: usize) -> &Text {
        &self.codes[code].name
    }
}

fn parse_event(signatures: &[Signature], text: &str) -> Option<(SigId, Vec<Value>)> {
    let mut words = text.split_whitespace();
    let name = words.next()?;
    let sig = signatures.iter().position(|signature| &*signature.name == name)?;
    let args = signatures[sig].args.iter();
    let values: Option<Vec<Value>> = args
        .map(|(_, ty)| coerce::typed(Value::text(words.next()?), *ty))
        .collect();
    Some((sig, values.filter(|_| words.next().is_none())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_tables_have_no_errors() {
        if let Err(diags) = Tables::built_in() {
            panic!("{}", diags.render(false));
        }
    }
}
