//! Report as Markdown.

use std::fmt::{self, Display, Formatter};

use crate::coverage::class::Class;
use crate::coverage::report::{Finding, Named, Report, Used};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        writeln!(f, "# Coverage\n")?;
        writeln!(
            f,
            "{} of {} calls are exact; {} are emulated without a limitation, {} client-side, {} inexact, {} refused, {} \
             unknown.\n\nSessions: {}. Events: {}. Calls that failed, for any reason: {}.",
            s.exact,
            s.calls,
            s.emulated,
            s.client_side,
            s.inexact,
            s.refused,
            s.unknown,
            s.sessions,
            s.events,
            s.failed
        )?;
        if s.unreadable > 0 {
            writeln!(f, "Unreadable frames or records: {}.", s.unreadable)?;
        }
        if !self.look_at_first.is_empty() || !self.unknown.is_empty() {
            writeln!(f, "\n## Look at first\n")?;
            named(f, "unknown function", &self.unknown)?;
            self.look_at_first.iter().try_for_each(|found| finding(f, found))?;
        }
        table(f, "Calls", "call", &self.calls)?;
        table(f, "Events", "event", &self.events)?;
        if self.calls.iter().any(|used| !used.failures.is_empty()) {
            writeln!(f, "\n## Failures\n\n| count | call | reason |\n|--:|---|---|")?;
            let all = self
                .calls
                .iter()
                .flat_map(|used| used.failures.iter().map(move |failure| (used, failure)));
            let mut all: Vec<_> = all.collect();
            all.sort_by_key(|(_, (_, count))| std::cmp::Reverse(**count));
            for (used, (reason, count)) in all {
                writeln!(f, "| {count} | {} | {} |", cell(&used.name), cell(reason))?;
            }
        }
        if !self.wire.is_empty() {
            writeln!(f, "\n## Wire functions\n")?;
            named(f, "no documented call", &self.wire)?;
        }
        Ok(())
    }
}

fn finding(f: &mut Formatter<'_>, found: &Finding) -> fmt::Result {
    let what = match (found.class, found.always) {
        (Class::Refused, _) => "refused",
        (_, true) => "always applies",
        (_, false) => "noted",
    };
    writeln!(f, "- **{}**, {what}, {}×: {}", found.code, found.count, found.cause)?;
    writeln!(
        f,
        "  - used by {}; row {}",
        found.used_by.join(", "),
        found.rows.join(", ")
    )?;
    writeln!(f, "  - workaround: {}", found.workaround)
}

fn named(f: &mut Formatter<'_>, what: &str, names: &[Named]) -> fmt::Result {
    let mut names = names.iter();
    names.try_for_each(|named| writeln!(f, "- `{}`, {}×: {what}", named.name.replace('`', "'"), named.count))
}

fn table(f: &mut Formatter<'_>, title: &str, what: &str, all: &[Used]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\n## {title}\n\n| count | {what} | row | exact? | status | limitations | failed |"
    )?;
    writeln!(f, "|--:|---|---|---|---|---|--:|")?;
    for used in all {
        let noted = used.noted.iter().map(|(code, count)| format!("{code} {count}×"));
        let codes: Vec<String> = noted.chain(used.always.iter().map(|code| code.to_string())).collect();
        let status = match used.emulation {
            Some(emulation) => format!("{} ({emulation})", used.status),
            None => used.status.into(),
        };
        writeln!(
            f,
            "| {} | {} | {} | {} | {status} | {} | {} |",
            used.count,
            cell(&used.name),
            used.row,
            used.class.name(),
            codes.join(", "),
            used.failures.values().sum::<u64>()
        )?;
    }
    Ok(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
