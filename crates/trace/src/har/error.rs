//! HAR import errors, with their place.

use crate::har::MAX_HAR_BYTES;

/// HAR import error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HarError {
    #[error("the file is larger than {} MiB", MAX_HAR_BYTES / (1024 * 1024))]
    TooLarge,
    /// Invalid JSON.
    #[error("line {line}, column {column}: invalid or truncated JSON")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON of another format.
    #[error("not a HAR file: {0}")]
    NotHar(String),
    #[error("none of {entries} entries has WebSocket messages")]
    NoMessages { entries: usize },
    /// No WebSocket of a legacy client.
    #[error("none of {sockets} WebSockets sent a legacy Web login")]
    NoLogin {
        /// Sockets with messages.
        sockets: usize,
    },
    /// The imported trace cannot be replayed.
    #[error("entry {entry} ({url}): {what}")]
    Unplayable {
        /// Index in `log.entries`, from 0.
        entry: usize,
        url: String,
        what: String,
    },
    /// Invalid message of a legacy client.
    #[error("entry {entry} ({url}), message {message}: {what}")]
    Message {
        /// Index in `log.entries`, from 0.
        entry: usize,
        url: String,
        /// Index in `_webSocketMessages`, from 0.
        message: usize,
        what: &'static str,
    },
}

impl HarError {
    /// Returns the hint for the error.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge => "clear the network panel before the app connects, and save without content",
            Self::NotJson { .. } | Self::NotHar(_) => {
                "save it with \"Save all as HAR\" in the network panel of the developer tools"
            }
            Self::NoMessages { .. } => {
                "open the network panel before the app connects; it does not record existing sockets"
            }
            Self::NoLogin { .. } => "open the network panel before the app logs in; other products use other frames",
            Self::Message { .. } | Self::Unplayable { .. } => "remove the entry from the HAR to import the others",
        }
    }
}
