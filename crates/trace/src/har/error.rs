//! What is wrong with an archive, and where.

use crate::har::MAX_HAR_BYTES;

/// An archive of which no trace can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HarError {
    /// It is too large.
    #[error("it is larger than {} MiB", MAX_HAR_BYTES / (1024 * 1024))]
    TooLarge,
    /// It is not JSON.
    #[error("line {line}, column {column}: it is not JSON, or cut off")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON of another kind.
    #[error("it is no HAR: {0}")]
    NotHar(String),
    /// It has no WebSocket messages.
    #[error("none of its {entries} entries has WebSocket messages")]
    NoMessages {
        /// What it has.
        entries: usize,
    },
    /// None of its WebSockets is a legacy client's.
    #[error("none of its {sockets} WebSockets has sent a login of the legacy Web wire")]
    NoLogin {
        /// Those with messages.
        sockets: usize,
    },
    /// Of what it has no trace can be made that is played.
    #[error("entry {entry} ({url}): {what}")]
    Unplayable {
        /// Its position in `log.entries`, from 0.
        entry: usize,
        /// Where it was connected to.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// A message of a legacy client that cannot be.
    #[error("entry {entry} ({url}), message {message}: {what}")]
    Message {
        /// Its position in `log.entries`, from 0.
        entry: usize,
        /// Where it was connected to.
        url: String,
        /// Its position in `_webSocketMessages`, from 0.
        message: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl HarError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge => "clear the network panel before the app connects, and save without the pages' content",
            Self::NotJson { .. } | Self::NotHar(_) => {
                "save it with \"Save all as HAR\" in the network panel of the developer tools"
            }
            Self::NoMessages { .. } => {
                "open the network panel before the app connects; messages of older sockets are not in it"
            }
            Self::NoLogin { .. } => {
                "open the network panel before the app logs in; apps of other products have other frames"
            }
            Self::Message { .. } | Self::Unplayable { .. } => "remove the entry from the HAR to import the others",
        }
    }
}
