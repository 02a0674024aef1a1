//! How exact a translation is.

use std::collections::BTreeSet;

use serde::Serialize;

use engine::CODES;
use tables::Tables;
use tables::row::{CodeId, RowId, Status};

/// How exact a translation is, from the worst to the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Not served.
    Refused,
    /// Not quite the same: a limitation was noted, or holds at all times.
    Inexact,
    /// The same, made out of other calls and events.
    Emulated,
    /// The SDK does it by itself.
    ClientSide,
    /// The same: one call or event of the other side.
    Exact,
}

impl Class {
    /// As the report writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Inexact => "inexact",
            Self::Emulated => "emulated",
            Self::ClientSide => "client-side",
            Self::Exact => "exact",
        }
    }

    /// Of a row whose limitations are left aside.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Direct => Self::Exact,
            Status::Emulated | Status::Internal => Self::Emulated,
            Status::ClientSide => Self::ClientSide,
            Status::Refused => Self::Refused,
        }
    }
}

/// Codes that are noted when what they say happens; all others hold at all times (docs/limits.md).
#[derive(Clone, Debug)]
pub struct Noted(BTreeSet<CodeId>);

impl Noted {
    /// By those tables.
    pub fn of(tables: &Tables) -> Self {
        let outcomes = tables.rows.iter().flat_map(|row| &row.outcomes);
        let engine = (0..tables.codes.len()).filter(|at| CODES.contains(&&*tables.codes[*at].name));
        Self(outcomes.filter_map(|outcome| outcome.code).chain(engine).collect())
    }

    /// The codes of a row that hold at all times.
    pub fn always(&self, tables: &Tables, row: RowId) -> Vec<CodeId> {
        let codes = tables.rows[row].codes.iter().copied();
        codes.filter(|code| !self.0.contains(code)).collect()
    }
}
