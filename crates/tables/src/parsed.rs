//! Parsed tables, not yet compiled.

use std::sync::Arc;

use rtm::value::Text;

use crate::ast::{RawFile, RawPlatform, RawProfile, RawWire, read_profiles};
use crate::diagnostics::{Diag, Diags, Source};
use crate::spanned_toml::read_all;

/// All parsed table files; large parts are shared between clones.
#[derive(Clone, Debug, Default)]
pub struct ParsedTables {
    /// True if every file is valid TOML, so that an undefined name is really missing.
    pub is_complete: bool,
    /// Rows and their definitions, of all files.
    pub file: RawFile,
    /// Wires.
    pub wires: Vec<Arc<RawWire>>,
    /// Client profiles.
    pub profiles: Vec<RawProfile>,
    /// Platforms by name.
    pub platforms: Vec<(Text, Arc<RawPlatform>)>,
}

impl ParsedTables {
    /// Parses a set of table files as far as possible.
    pub fn read(sources: &[Arc<Source>]) -> (Self, Diags) {
        let mut all = Self {
            is_complete: true,
            ..Self::default()
        };
        let mut diags = Diags::new();
        for source in sources {
            let name = source.name.clone();
            let stem = name.rsplit('/').next().unwrap_or(&name).trim_end_matches(".toml");
            let found = match name.rsplit('/').nth(1).unwrap_or("") {
                "wire" if stem == "profiles" => {
                    let (profiles, found) = read_all(source, |table| Some(read_profiles(table)));
                    all.is_complete &= profiles.is_some();
                    all.profiles.extend(profiles.unwrap_or_default());
                    found
                }
                "wire" => {
                    let (wire, found) = read_all(source, RawWire::read);
                    all.is_complete &= wire.is_some();
                    all.wires.extend(wire.map(Arc::new));
                    found
                }
                "platforms" => {
                    let (platform, found) = read_all(source, RawPlatform::read);
                    all.is_complete &= platform.is_some();
                    all.platforms.extend(platform.map(|p| (Text::from(stem), Arc::new(p))));
                    found
                }
                _ => {
                    let (file, found) = read_all(source, RawFile::read);
                    all.is_complete &= file.is_some();
                    all.file.extend(file.unwrap_or_default());
                    found
                }
            };
            diags.extend(found);
        }
        all.inherit(&mut diags);
        (all, diags)
    }

    /// Adds the inherited entries to wires with `like`.
    fn inherit(&mut self, diags: &mut Diags) {
        let bases = self.wires.clone();
        for wire in &mut self.wires {
            let Some(like) = wire.like.clone() else { continue };
            let base = bases.iter().find(|w| w.family.value == like.value && w.like.is_none());
            match base {
                Some(base) => *wire = Arc::new(wire.over(base)),
                None => {
                    let known = bases.iter().filter(|w| w.like.is_none()).map(|w| &*w.family.value);
                    let title = format!("no wire of the family `{}` is defined without `like`", like.value);
                    diags.push(Diag::new(&like.span, title).did_you_mean(&like.value, known));
                }
            }
        }
    }
}

impl RawFile {
    fn extend(&mut self, file: RawFile) {
        self.signatures.extend(file.signatures);
        self.rows.extend(file.rows);
        self.reasons.extend(file.reasons);
        self.fails.extend(file.fails);
        self.codes.extend(file.codes);
    }
}
