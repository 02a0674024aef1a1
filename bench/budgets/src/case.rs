//! Cases and their budgets: `bench/budgets.toml`.

use serde::{Deserialize, Serialize};

use crate::Stage;

/// Content of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Version of the compiler that the budgets were measured with.
    pub rustc: String,
    pub case: Vec<Case>,
}

/// A call with its budgets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Calls before it: `alice: call arguments`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    pub call: String,
    /// Instructions of each stage.
    #[serde(default)]
    pub instructions: Costs,
    /// Allocations of each stage.
    #[serde(default)]
    pub allocations: Costs,
}

/// Costs by stage.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    pub decode: u64,
    pub row: u64,
    pub encode: u64,
}

impl Costs {
    /// Returns the cost of a stage.
    pub fn of(&self, stage: Stage) -> u64 {
        match stage {
            Stage::Decode => self.decode,
            Stage::Row => self.row,
            Stage::Encode => self.encode,
        }
    }

    /// Reads the costs of the stages in order.
    pub fn read(costs: &[u64]) -> Option<Self> {
        let &[decode, row, encode] = costs else { return None };
        Some(Self { decode, row, encode })
    }
}
