//! Mutants of the server's admission, to see that the scenarios guard it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// A change of a source file that breaks admission or related code.
pub struct Mutant {
    pub name: &'static str,
    /// File of the server or of the engine.
    pub file: &'static str,
    /// Text that occurs once.
    pub from: &'static str,
    pub to: &'static str,
}

/// The mutants.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "never-replace",
        file: "src/server/registry.rs",
        from: "let admission = admit(known.as_ref(), &newcomer, twin_window);",
        to: "let admission = match admit(known.as_ref(), &newcomer, twin_window) {
                Admission::Replace => Admission::Twin,
                other => other,
            };",
    },
    Mutant {
        name: "never-resume",
        file: "src/server/registry.rs",
        from: "let admission = admit(known.as_ref(), &newcomer, twin_window);",
        to: "let admission = match admit(known.as_ref(), &newcomer, twin_window) {
                Admission::Resume | Admission::Reset => Admission::Replace,
                other => other,
            };",
    },
    Mutant {
        name: "never-twin",
        file: "src/server/registry.rs",
        from: "let admission = admit(known.as_ref(), &newcomer, twin_window);",
        to: "let admission = match admit(known.as_ref(), &newcomer, twin_window) {
                Admission::Twin => Admission::Replace,
                other => other,
            };",
    },
    Mutant {
        name: "replaced-lines-stay-valid",
        file: "src/server/registry.rs",
        from: "if entries.replaced.has(line, now) {",
        to: "if false {",
    },
    Mutant {
        name: "no-line-is-known",
        file: "src/server/registry.rs",
        from: "let fits = |entry: &Entry| &*entry",
        to: "let fits = |entry: &Entry| line == 0 && &*entry",
    },
    Mutant {
        name: "sockets-stay-registered",
        file: "src/server/connection_state.rs",
        from: "self.server.registry.socket_closed(&key, self.socket);",
        to: "let _ = &key;",
    },
    Mutant {
        name: "offline-mailboxes-are-empty",
        file: "src/server/offline_mailboxes.rs",
        from: "let lines = inner.remove(key).unwrap_or_default().lines;",
        to: "let mut lines = inner.remove(key).unwrap_or_default().lines;
        lines.clear();",
    },
    Mutant {
        name: "logins-are-not-refused",
        file: "src/server/connection_state.rs",
        from: "self.answer_before_login_call(input, Closing::Refused);",
        to: "drop(input);",
    },
    Mutant {
        name: "replies-for-others-are-lost",
        file: "crates/engine/src/for_others.rs",
        from: "Some((requester, request)) => Route::Other(requester, UpstreamEvent::Reply { request, result }),",
        to: "Some(_) => Route::Nowhere,",
    },
];

/// Runs the scenarios with each mutant of these names, or with all. Returns true if scenarios fail with each.
///
/// # Errors
/// An unknown name, an error of a file, or a mutant that does not compile.
pub fn run(names: &[String], out: &mut impl Write) -> anyhow::Result<bool> {
    if let Some(unknown) = names
        .iter()
        .find(|name| MUTANTS.iter().all(|mutant| mutant.name != **name))
    {
        bail!("unknown mutant {unknown}");
    }
    let chosen = MUTANTS
        .iter()
        .filter(|mutant| names.is_empty() || names.iter().any(|name| name == mutant.name));
    let mut all_fail = true;
    for mutant in chosen {
        let failing = failing(mutant)?;
        let shown: Vec<&str> = failing.iter().map(String::as_str).collect();
        writeln!(
            out,
            "{}: {} scenarios fail: {}",
            mutant.name,
            failing.len(),
            shown.join(" ")
        )?;
        all_fail &= !failing.is_empty();
    }
    Ok(all_fail)
}

/// Returns the names of the scenarios that fail with a mutant.
fn failing(mutant: &Mutant) -> anyhow::Result<BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join(mutant.file);
    let source = read(mutant)?;
    std::fs::write(&file, source.replacen(mutant.from, mutant.to, 1))?;
    let tested = Command::new("cargo")
        .args(["test", "--test", "scenarios", "--", "scenarios"])
        .current_dir(&root)
        .output();
    std::fs::write(&file, source)?;
    let tested = tested?;
    let shown = String::from_utf8_lossy(&tested.stdout);
    if !shown.contains("test result") {
        bail!(
            "{} does not compile:\n{}",
            mutant.name,
            String::from_utf8_lossy(&tested.stderr)
        );
    }
    let name = |line: &str| {
        let (_, rest) = line.split_once("tests/scenarios/")?;
        Some(rest.split_once(".txt:")?.0.to_owned())
    };
    Ok(shown.lines().filter_map(name).collect())
}

/// Returns the source that a mutant changes.
///
/// # Errors
/// An error of the file, or a text that does not occur once.
pub fn read(mutant: &Mutant) -> anyhow::Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(mutant.file);
    let source = std::fs::read_to_string(&file).context(mutant.file)?;
    match source.matches(mutant.from).count() {
        1 => Ok(source),
        count => Err(io::Error::other(format!("{} occurs {count} times in {}", mutant.from, mutant.file)).into()),
    }
}
