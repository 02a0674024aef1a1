//! The report as Markdown.

use std::fmt;

use crate::report::Report;

/// Rows and codes that are printed; JSON has all of them.
const MOST: usize = 30;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Migration report\n")?;
        writeln!(
            f,
            "{} to {}. {} logins, {} calls. Accounts: {} in all, {} within 7 days, {} within 30 days.\n",
            self.first,
            self.last,
            self.logins,
            self.calls,
            self.accounts.all,
            self.accounts.last_7_days,
            self.accounts.last_30_days
        )?;
        writeln!(f, "## Remaining clients\n")?;
        writeln!(
            f,
            "| app | profile | build | last seen | days since | accounts | logins | calls | inexact | refused |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        for used in &self.kinds {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                cell(&used.kind.app),
                cell(&used.kind.profile),
                cell(&used.kind.build),
                used.last_seen,
                used.days_since,
                used.accounts,
                used.logins,
                used.calls,
                used.inexact,
                used.refused
            )?;
        }
        writeln!(f, "\n## Trend\n\n| day | logins |\n|---|---|")?;
        for day in &self.trend {
            let all: u64 = day.logins.values().sum();
            writeln!(f, "| {} | {all} |", day.day)?;
        }
        writeln!(
            f,
            "\n## Calls\n\n| row | Signaling | status | calls | always inexact |\n|---|---|---|---|---|"
        )?;
        for row in self.rows.iter().take(MOST) {
            writeln!(
                f,
                "| `{}` | {} | {} | {} | {} |",
                row.row,
                row.names.join(", "),
                row.status,
                row.calls,
                row.codes.join(", ")
            )?;
        }
        writeln!(f, "\n## What is inexact, and for whom\n")?;
        writeln!(
            f,
            "| code | count | whom | cause | what an app can do |\n|---|---|---|---|---|"
        )?;
        for inexact in self.inexact.iter().take(MOST) {
            let always = if inexact.always { " (always)" } else { "" };
            let whom: Vec<String> = inexact.whom.iter().map(|whom| cell(whom)).collect();
            writeln!(
                f,
                "| {}{always} | {} | {} | {} | {} |",
                inexact.code,
                inexact.count,
                whom.join("; "),
                inexact.cause,
                inexact.workaround
            )?;
        }
        Ok(())
    }
}

/// Clients choose App IDs, which must not end a cell or a line.
fn cell(text: &str) -> String {
    let kept = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    match kept.replace('|', "\\|") {
        empty if empty.is_empty() => "–".into(),
        text => text,
    }
}
