//! Pairs that no trace can exercise, each with a reason: `open.toml` next to the traces.

use std::path::Path;

use serde::Deserialize;

use text_files::read_text;

/// List of open pairs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    #[serde(default, rename = "open")]
    pub pairs: Vec<OpenPair>,
}

/// Open pair.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenPair {
    /// `channel-attr.updated`.
    pub id: String,
    /// `linux-cpp`.
    pub platform: String,
    /// One-line reason.
    pub why: String,
}

/// Error of the list.
#[derive(Debug, thiserror::Error)]
pub enum BadOpen {
    #[error("cannot read open.toml")]
    Io(#[from] std::io::Error),
    /// Invalid format.
    #[error("invalid open.toml: {0}")]
    NoList(#[from] toml::de::Error),
}

impl Open {
    /// Reads `open.toml` of a trace directory; a missing file is an empty list.
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

    /// Returns the reason of an open pair.
    pub fn why(&self, id: &str, platform: &str) -> Option<&str> {
        let found = self
            .pairs
            .iter()
            .find(|pair| pair.id == id && pair.platform == platform);
        found.map(|pair| pair.why.as_str())
    }
}
