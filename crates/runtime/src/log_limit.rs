//! Rate limit for log lines that clients can cause. It bounds lines per kind and cause within a minute, and causes per
//! kind. Suppressed lines are counted, and reported after the minute.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

use rtm::MAX_NAME_BYTES;

/// Target of log lines about the log.
pub const TARGET: &str = "sigbridge::log";

/// Counting window.
const WINDOW: Duration = Duration::from_secs(60);
/// Maximum of causes per kind and window that are counted separately.
const MAX_CAUSES: usize = 1024;
/// Maximum of causes with a report line of their own.
const MAX_REPORTED: usize = 10;

/// Maximum of log lines per minute for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Per cause.
    pub each: u64,
    /// In total.
    pub all: u64,
}

impl Bound {
    /// For conditions that need one line, however often they occur.
    pub const EVENT: Self = Self { each: 1, all: 10 };
    /// For lines per client, unless they flood the log.
    pub const CLIENT: Self = Self { each: 600, all: 1200 };
}

/// Cause of a log line, as logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cause {
    /// Session number.
    pub session: Option<u64>,
    /// Account, in the form that the config allows in logs.
    pub account: Option<Box<str>>,
    /// Other cause, e.g. an address.
    pub from: Option<Box<str>>,
}

impl Cause {
    /// Creates a cause from an address, an agent's name or the like.
    pub fn from(name: impl ToString) -> Self {
        let name = name.to_string();
        Self {
            from: Some(name[..name.floor_char_boundary(MAX_NAME_BYTES)].into()),
            ..Self::default()
        }
    }
}

/// Suppressed log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressedLines {
    /// Kind of line.
    pub kind: &'static str,
    /// Cause; `None` for several causes reported together.
    pub cause: Option<Cause>,
    /// Number of causes.
    pub causes: usize,
    /// Number of lines.
    pub lines: u64,
}

/// Counter of log lines.
#[derive(Debug, Default)]
pub struct Limiter {
    kinds: HashMap<&'static str, Kind>,
}

#[derive(Debug)]
struct Kind {
    until: Instant,
    written: u64,
    causes: HashMap<Cause, Count>,
    /// Lines of causes beyond [`MAX_CAUSES`].
    others: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    written: u64,
    left_out: u64,
}

impl Limiter {
    /// Returns true if a line may be written, else counts it.
    pub fn admits(&mut self, now: Instant, kind: &'static str, bound: Bound, cause: Cause) -> bool {
        let kind = self.kinds.entry(kind).or_insert_with(|| Kind {
            until: now + WINDOW,
            written: 0,
            causes: HashMap::new(),
            others: 0,
        });
        if kind.causes.len() >= MAX_CAUSES && !kind.causes.contains_key(&cause) {
            kind.others += 1;
            return false;
        }
        let count = kind.causes.entry(cause).or_default();
        let admitted = kind.written < bound.all && count.written < bound.each;
        if admitted {
            kind.written += 1;
            count.written += 1;
        } else {
            count.left_out += 1;
        }
        admitted
    }

    /// Takes the suppressed counts of ended windows, or of all windows.
    pub fn over(&mut self, now: Option<Instant>) -> Vec<SuppressedLines> {
        let is_over = |kind: &Kind| now.is_none_or(|now| kind.until <= now);
        let mut over: Vec<(&'static str, Kind)> = self.kinds.extract_if(|_, kind| is_over(kind)).collect();
        over.sort_by_key(|(name, _)| *name);
        over.into_iter().flat_map(|(name, kind)| kind.left_out(name)).collect()
    }
}

impl Kind {
    fn left_out(self, kind: &'static str) -> Vec<SuppressedLines> {
        let mut causes: Vec<(Cause, u64)> = self
            .causes
            .into_iter()
            .map(|(cause, count)| (cause, count.left_out))
            .filter(|(_, lines)| *lines > 0)
            .collect();
        causes.sort_by(|(a, a_lines), (b, b_lines)| b_lines.cmp(a_lines).then_with(|| a.session.cmp(&b.session)));
        let rest = causes.split_off(causes.len().min(MAX_REPORTED));
        let mut left_out: Vec<SuppressedLines> = causes
            .into_iter()
            .map(|(cause, lines)| SuppressedLines {
                kind,
                cause: Some(cause),
                causes: 1,
                lines,
            })
            .collect();
        let lines = rest.iter().map(|(_, lines)| lines).sum::<u64>() + self.others;
        if lines > 0 {
            left_out.push(SuppressedLines {
                kind,
                cause: None,
                // Causes beyond the table count as at least one.
                causes: rest.len() + usize::from(self.others > 0),
                lines,
            });
        }
        left_out
    }
}

/// Process-wide, like the log.
static LIMITER: LazyLock<Mutex<Limiter>> = LazyLock::new(Mutex::default);

/// Returns true if a line of a kind may be written now, else counts it.
pub fn admits(kind: &'static str, bound: Bound, cause: Cause) -> bool {
    LIMITER.lock().admits(Instant::now(), kind, bound, cause)
}

/// Logs the suppressed counts of ended windows; at the end of the process, of all windows.
pub fn emit(at_end: bool) {
    let over = LIMITER.lock().over((!at_end).then(Instant::now));
    for SuppressedLines {
        kind,
        cause,
        causes,
        lines,
    } in over
    {
        let cause = cause.unwrap_or_default();
        let (account, from) = (cause.account.as_deref(), cause.from.as_deref());
        let session = cause.session.as_ref().map(tracing::field::display);
        warn!(
            target: TARGET,
            account, from, session, causes, lines, kind,
            "log lines suppressed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "mailbox lines";

    fn cause(session: u64) -> Cause {
        Cause {
            session: Some(session),
            ..Cause::default()
        }
    }

    fn left_out(session: Option<u64>, causes: usize, lines: u64) -> SuppressedLines {
        SuppressedLines {
            kind: KIND,
            cause: session.map(cause),
            causes,
            lines,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_line_when_it_begins_and_one_with_the_count() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let written = (0..500).filter(|_| limiter.admits(start, KIND, Bound::EVENT, cause(1)));
        assert_eq!(written.count(), 1);
        assert!(limiter.admits(start, "another kind", Bound::EVENT, cause(1)));
        assert!(limiter.admits(start, KIND, Bound::EVENT, cause(2)));
        assert_eq!(limiter.over(Some(start)), []);
        let later = start + WINDOW;
        assert_eq!(limiter.over(Some(later)), [left_out(Some(1), 1, 499)]);
        assert_eq!(limiter.over(Some(later)), []);
        assert!(limiter.admits(later, KIND, Bound::EVENT, cause(1)), "a new minute");
    }

    #[tokio::test(start_paused = true)]
    async fn thousands_of_causes_have_a_few_lines() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let mut written = 0;
        for round in 1..=3 {
            for session in 0..5000 {
                // The first cause occurs more often than the others.
                for _ in 0..if session == 0 { round } else { 1 } {
                    written += u64::from(limiter.admits(start, KIND, Bound::EVENT, cause(session)));
                }
            }
        }
        assert_eq!(written, Bound::EVENT.all);
        let over = limiter.over(None);
        assert_eq!(over.len(), MAX_REPORTED + 1);
        assert_eq!(over[0], left_out(Some(0), 1, 5));
        assert_eq!(over[1], left_out(Some(10), 1, 3));
        let emitted: u64 = over.iter().map(|left_out| left_out.lines).sum();
        assert_eq!(emitted + written, 3 * 4999 + 6, "none is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn each_login_has_a_line_unless_somebody_floods() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let mut written = |address: u8, lines: usize| {
            let admitted = |_: &usize| limiter.admits(start, "refused", Bound::CLIENT, Cause::from(address));
            (0..lines).filter(admitted).count()
        };
        assert_eq!([written(1, 100), written(2, 10_000), written(1, 100)], [100, 600, 100]);
    }
}
