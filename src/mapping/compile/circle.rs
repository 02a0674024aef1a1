//! Rows that run one another: a circle of them would never end.

use crate::diag::Diag;
use crate::mapping::raw::RawRow;

use super::Compiler;

impl Compiler<'_> {
    /// Reports every step that runs its own row again, at once or by way of others.
    pub fn check_circles(&mut self) {
        let raw = self.raw;
        for row in &raw.rows {
            for target in row.steps.iter().filter_map(|step| step.row.as_ref()) {
                if self.leads_to(&target.value, &row.id.value, raw.rows.len()) {
                    let title = format!("row `{}` runs itself again", row.id.value);
                    self.error(Diag::new(&target.span, title));
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
