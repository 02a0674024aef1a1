//! Mapping tables and the config.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use sigbridge::config::{Config, Files};
use tables::diagnostics::Source;
use tables::{compile, embedded};

use super::{selected, text};

/// The first byte selects the kind of the rest.
pub fn tables(data: &[u8]) {
    let (choice, rest) = selected(data);
    match choice {
        b'c' => config(&text(rest)),
        b't' => compiled(&[Source::new("fuzz.toml", text(rest))]),
        file => edited(file, rest),
    }
}

/// Every text is compiled, and every error has a place that can be shown.
fn compiled(sources: &[Arc<Source>]) {
    let (_, diags) = compile(sources);
    let _ = diags.render(false);
}

static BUILT_IN: LazyLock<Vec<Arc<Source>>> = LazyLock::new(embedded);

/// Compiles the built-in tables with a change of one file: two bytes are the place, one is the number of bytes to
/// remove, the rest is inserted.
fn edited(file: u8, edit: &[u8]) {
    let [high, low, count, inserted @ ..] = edit else {
        return;
    };
    let mut sources = BUILT_IN.clone();
    let at = usize::from(file) % sources.len();
    let old = &sources[at];
    let mut new = old.text.as_bytes().to_vec();
    let begin = usize::from(u16::from_be_bytes([*high, *low])) % (new.len() + 1);
    let end = (begin + usize::from(*count)).min(new.len());
    new.splice(begin..end, inserted.iter().copied());
    sources[at] = Source::new(old.name.clone(), text(&new));
    compiled(&sources);
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Files that the config names: some exist.
struct Few;

impl Files for Few {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("secret") => Ok(SECRET.to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Every config is read or has errors that can be shown, without secrets of a file.
fn config(text: &str) {
    match Config::parse(&Config::source("fuzz.toml", text), &Few) {
        Ok(config) => {
            let shown = format!("{config:?}{:?}", config.entries());
            assert!(!shown.contains(SECRET), "a secret is shown");
            assert!(config.changes(&config).is_empty(), "a config differs from itself");
        }
        Err(diags) => {
            let _ = diags.render(false);
        }
    }
}
