//! Tables as they are written, read but not compiled.

use std::sync::Arc;

use crate::diag::{Diags, Source};
use crate::toml_read::read_all;
use crate::value::Text;

use super::raw::{RawFile, RawPlatform, RawWire};

/// All table files, read; what costs much is shared between clones.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Rows and what they refer to, of all files.
    pub file: RawFile,
    /// Wires.
    pub wires: Vec<Arc<RawWire>>,
    /// Platforms by name.
    pub platforms: Vec<(Text, Arc<RawPlatform>)>,
}

impl Written {
    /// Reads a set of table files as far as they can be.
    pub fn read(sources: &[Arc<Source>]) -> (Self, Diags) {
        let mut all = Self::default();
        let mut diags = Diags::new();
        for source in sources {
            let name = source.name.clone();
            let stem = name.rsplit('/').next().unwrap_or(&name).trim_end_matches(".toml");
            let found = match name.rsplit('/').nth(1).unwrap_or("") {
                "wire" => {
                    let (wire, found) = read_all(source, RawWire::read);
                    all.wires.extend(wire.map(Arc::new));
                    found
                }
                "platforms" => {
                    let (platform, found) = read_all(source, RawPlatform::read);
                    all.platforms.extend(platform.map(|p| (Text::from(stem), Arc::new(p))));
                    found
                }
                _ => {
                    let (file, found) = read_all(source, RawFile::read);
                    all.file.extend(file.unwrap_or_default());
                    found
                }
            };
            diags.extend(found);
        }
        (all, diags)
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
