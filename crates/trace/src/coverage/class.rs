//! Exactness of a translation.

use std::collections::BTreeSet;

use serde::Serialize;

use tables::Tables;
use tables::row::{CodeId, RowId, Status};

/// Exactness of a translation, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Refused.
    Refused,
    /// Inexact: a limitation was noted or always applies.
    Inexact,
    /// Equivalent, made of other calls and events.
    Emulated,
    /// Done by the SDK itself.
    ClientSide,
    /// One call or event of the other side.
    Exact,
}

impl Class {
    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Inexact => "inexact",
            Self::Emulated => "emulated",
            Self::ClientSide => "client-side",
            Self::Exact => "exact",
        }
    }

    /// Returns the class of a row, ignoring its limitations.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Direct => Self::Exact,
            Status::Emulated | Status::Internal => Self::Emulated,
            Status::ClientSide => Self::ClientSide,
            Status::Refused => Self::Refused,
        }
    }
}

/// Codes noted when they occur; all others always apply (docs/limits.md).
#[derive(Clone, Debug)]
pub struct Noted(BTreeSet<CodeId>);

impl Noted {
    /// Returns true for a code that is noted when it occurs.
    pub fn contains(&self, code: CodeId) -> bool {
        self.0.contains(&code)
    }

    /// Returns the codes of the tables.
    pub fn of(tables: &Tables) -> Self {
        let outcomes = tables.rows.iter().flat_map(|row| &row.outcomes);
        let engine = tables.engine_codes.iter().flatten().copied();
        Self(outcomes.filter_map(|outcome| outcome.code).chain(engine).collect())
    }

    /// Returns the codes of a row that always apply.
    pub fn always(&self, tables: &Tables, row: RowId) -> Vec<CodeId> {
        let codes = tables.rows[row].codes.iter().copied();
        codes.filter(|code| !self.0.contains(code)).collect()
    }
}
