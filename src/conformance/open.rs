//! Pairs that no trace can exercise, each with its reason: `open.toml` beside the traces.

use std::path::Path;

use serde::Deserialize;

use text_files::read_text;

/// The list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Pairs, by name.
    #[serde(default, rename = "open")]
    pub pairs: Vec<OpenPair>,
}

/// A pair that is open.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenPair {
    /// `channel-attr.updated`.
    pub id: String,
    /// `linux-cpp`.
    pub platform: String,
    /// Why, in one line.
    pub why: String,
}

/// The list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadOpen {
    /// The file system's.
    #[error("cannot read the list of open pairs")]
    Io(#[from] std::io::Error),
    /// It is no such list.
    #[error("the list of open pairs: {0}")]
    NoList(#[from] toml::de::Error),
}

impl Open {
    /// Reads `open.toml` of a folder of traces; without such a file nothing is open.
    ///
    /// # Errors
    /// [`BadOpen`].
    pub fn beside(traces: &Path) -> Result<Self, BadOpen> {
        match read_text(&traces.join("open.toml")) {
            Ok(text) => Ok(toml::from_str(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// The reason why a pair is open, when it is.
    pub fn why(&self, id: &str, platform: &str) -> Option<&str> {
        let found = self
            .pairs
            .iter()
            .find(|pair| pair.id == id && pair.platform == platform);
        found.map(|pair| pair.why.as_str())
    }
}
