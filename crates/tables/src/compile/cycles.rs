//! Detection of cycles: rows that run one another, and outcomes that replace one another, would not
//! terminate.

use crate::ast::{RawOutcome, RawRow};
use crate::compile::Compiler;
use crate::diagnostics::Diag;

impl Compiler<'_> {
    /// Reports every step that runs its own row, and every outcome that replaces itself, directly
    /// or indirectly.
    pub fn check_circles(&mut self) {
        let raw = self.raw;
        for row in &raw.rows {
            for target in row.steps.iter().filter_map(|step| step.row.as_ref()) {
                if self.leads_to(&target.value, &row.id.value, raw.rows.len()) {
                    let title = format!("row `{}` runs itself, directly or indirectly", row.id.value);
                    self.error(Diag::new(&target.span, title));
                }
            }
            for outcome in &row.outcomes {
                if let Some(other) = outcome.otherwise.as_ref().filter(|_| is_in_its_own_place(row, outcome)) {
                    let title = format!("`{}` replaces itself, directly or indirectly", outcome.name.value);
                    self.error(Diag::new(&other.span, title));
                }
            }
        }
    }

    fn leads_to(&self, from: &str, to: &str, depth: usize) -> bool {
        let Some(row) = self.row_ids.get(from).map(|&id| &self.raw.rows[id]) else {
            return false;
        };
        let inner = |row: &RawRow| -> Vec<_> {
            let targets = row.steps.iter().filter_map(|step| step.row.as_ref());
            targets.map(|target| target.value.clone()).collect()
        };
        from == to || (depth > 0 && inner(row).iter().any(|next| self.leads_to(next, to, depth - 1)))
    }
}

fn is_in_its_own_place(row: &RawRow, outcome: &RawOutcome) -> bool {
    let named = |name: &str| row.outcomes.iter().find(|o| &*o.name.value == name);
    let next = |o: &RawOutcome| o.otherwise.as_ref().and_then(|other| named(&other.value));
    let mut at = next(outcome);
    for _ in &row.outcomes {
        match at {
            Some(other) if other.name.value == outcome.name.value => return true,
            Some(other) => at = next(other),
            None => return false,
        }
    }
    false
}
