//! Log filter: `RUST_LOG`, with a limit for libraries.
//!
//! Debug and trace lines of libraries may contain frames with tokens and headers with secrets. They are limited to
//! `info` unless the config allows more.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Target prefix of this program.
const OURS: &str = "sigbridge";
/// Most verbose level of libraries.
const LIBRARIES: LevelFilter = LevelFilter::INFO;

/// Active filter.
#[derive(Debug)]
pub struct Choice {
    /// Levels by target.
    pub targets: Targets,
    /// Set if the text was invalid and therefore ignored.
    pub misread: bool,
    /// Set if the limit for libraries applies.
    pub limited: bool,
}

impl Choice {
    /// Creates the filter of a `RUST_LOG` value; `info` without one.
    pub fn new(text: Option<&str>, unsafe_dependencies: bool) -> Self {
        let text = text.filter(|text| !text.trim().is_empty());
        let read = text.map(directives);
        let misread = matches!(read, Some(None));
        let mut chosen = read.flatten().unwrap_or_else(|| vec![(None, LevelFilter::INFO)]);
        let limited = !unsafe_dependencies && limit(&mut chosen);
        let mut targets = Targets::new();
        for (target, level) in chosen {
            targets = match target {
                Some(target) => targets.with_target(target, level),
                None => targets.with_default(level),
            };
        }
        Self {
            targets,
            misread,
            limited,
        }
    }
}

type Directive<'t> = (Option<&'t str>, LevelFilter);

/// Parses `level`, `target` or `target=level`, separated by commas; `None` if invalid.
fn directives(text: &str) -> Option<Vec<Directive<'_>>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = parts.map(|part| match part.split_once('=') {
        _ if part.contains(['[', '{']) => None,
        Some((target, level)) => Some((Some(target.trim()), level.trim().parse().ok()?)),
        None => Some(match part.parse() {
            Ok(level) => (None, level),
            Err(_) => (Some(part), LevelFilter::TRACE),
        }),
    });
    read.collect()
}

/// Limits libraries; returns true if that changes the filter.
fn limit(chosen: &mut Vec<Directive<'_>>) -> bool {
    let mut limited = false;
    let mut ours = None;
    for (target, level) in chosen.iter_mut().filter(|(target, _)| !target.is_some_and(is_ours)) {
        if *level > LIBRARIES {
            if target.is_none() {
                ours = Some(*level);
            }
            *level = LIBRARIES;
            limited = true;
        }
    }
    // First, since later directives for the same target win.
    if let Some(level) = ours {
        chosen.insert(0, (Some(OURS), level));
    }
    limited
}

fn is_ours(target: &str) -> bool {
    target == OURS || target.starts_with("sigbridge::")
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    /// Checks the levels of this program, its sessions and a library.
    fn check(text: Option<&str>, unsafe_dependencies: bool, expected: [&str; 3], limited: bool) {
        let choice = Choice::new(text, unsafe_dependencies);
        let finest = [
            "sigbridge::shell::server",
            "sigbridge::session",
            "tungstenite::protocol",
        ]
        .map(|target| {
            let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
            let finest = levels
                .into_iter()
                .find(|level| choice.targets.would_enable(target, level));
            finest.map_or("OFF".to_owned(), |level| level.to_string())
        });
        assert_eq!(finest, expected, "{text:?}");
        assert_eq!(choice.limited, limited, "{text:?}");
    }

    #[test]
    fn libraries_write_no_more_than_info() {
        check(None, false, ["INFO"; 3], false);
        check(Some(" "), false, ["INFO"; 3], false);
        check(Some("warn"), false, ["WARN"; 3], false);
        check(Some("off"), false, ["OFF"; 3], false);
        check(Some("trace"), false, ["TRACE", "TRACE", "INFO"], true);
        check(Some("trace"), true, ["TRACE"; 3], false);
        check(Some("sigbridge=debug"), false, ["DEBUG", "DEBUG", "OFF"], false);
        check(Some("sigbridge"), false, ["TRACE", "TRACE", "OFF"], false);
        check(Some("debug,sigbridge=warn"), false, ["WARN", "WARN", "INFO"], true);
        check(Some("sigbridge=warn, debug"), false, ["WARN", "WARN", "INFO"], true);
        check(
            Some("info, sigbridge::session=off"),
            false,
            ["INFO", "OFF", "INFO"],
            false,
        );
        check(Some("tungstenite=trace"), false, ["OFF", "OFF", "INFO"], true);
        check(Some("warn,tungstenite=trace"), true, ["WARN", "WARN", "TRACE"], false);
    }

    #[test]
    fn a_text_of_another_form_is_as_none() {
        for text in [
            "sigbridge=loud",
            "sigbridge[{session}]=debug",
            "info,[login{a=1}]=debug",
        ] {
            assert!(Choice::new(Some(text), false).misread, "{text}");
            check(Some(text), false, ["INFO"; 3], false);
        }
        assert!(!Choice::new(Some("info"), false).misread);
        assert!(!Choice::new(None, false).misread);
    }
}
