//! What of a trace is replaced while it is written.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use rtm::value::Text;
use tables::Tables;

use crate::redact::Words;

/// What happens to secrets of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// They stay.
    Keep,
    /// Each becomes a placeholder with a number, in the order of their first use.
    #[default]
    Placeholder,
    /// Each becomes a placeholder with a keyed hash: equal ones match in all files of one recording, and in no other.
    Hash,
}

impl Policy {
    /// Names as the command line and headers write them.
    pub const NAMES: &[(&str, Policy)] = &[
        ("keep", Self::Keep),
        ("placeholder", Self::Placeholder),
        ("hash", Self::Hash),
    ];

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let entry = Self::NAMES.iter().find(|(known, _)| *known == name);
        entry.map(|(_, policy)| *policy)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = Self::NAMES.iter().find(|(_, policy)| policy == self);
        f.write_str(entry.map_or("?", |(name, _)| name))
    }
}

/// What one recording replaces. Tokens are gone in any case.
#[derive(Clone)]
pub struct Redaction {
    /// Accounts, channels, RTM ids, vendor keys, lines of sessions, what clients say of their devices.
    pub names: Policy,
    /// Messages, values of attributes, what calls and answers carry.
    pub bodies: Policy,
    pub(super) tables: Arc<Tables>,
    pub(super) words: Arc<Words>,
    key: Hmac<Sha256>,
}

impl Redaction {
    /// Of a recording that begins: its hashes are of no other. `tables` are those that its sessions run on.
    ///
    /// # Errors
    /// The system gives no random bytes for the key of the hashes.
    pub fn new(tables: &Arc<Tables>, names: Policy, bodies: Policy) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            names,
            bodies,
            words: Arc::new(Words::of(tables)),
            tables: tables.clone(),
            key: Hmac::new_from_slice(&key).expect("HMAC accepts keys of any length"),
        })
    }

    /// False when only tokens go.
    pub fn replaces(&self) -> bool {
        (self.names, self.bodies) != (Policy::Keep, Policy::Keep)
    }

    /// As a header tells it.
    pub fn header(&self) -> Text {
        if self.replaces() {
            format!("names={} bodies={}", self.names, self.bodies).into()
        } else {
            NONE.into()
        }
    }

    /// The hash of a text: 32 bits, and others for another `attempt`.
    pub(super) fn hash(&self, text: &str, attempt: u64) -> u32 {
        let mac = self.key.clone().chain_update(text).chain_update(attempt.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

/// In the header of a trace without placeholders.
pub(super) const NONE: &str = "none";

/// Prints no key.
impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redaction({})", self.header())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_they_are_written() {
        for (name, policy) in Policy::NAMES {
            assert_eq!(Policy::parse(name), Some(*policy));
            assert_eq!(policy.to_string(), *name);
        }
        assert_eq!(Policy::parse("none"), None);
    }

    #[test]
    fn hashes_are_of_one_recording() {
        let tables = Arc::new(Tables::default());
        let redaction = || Redaction::new(&tables, Policy::Hash, Policy::Keep).expect("random bytes");
        let one = redaction();
        assert_eq!(one.hash("alice", 0), one.clone().hash("alice", 0));
        assert_ne!(one.hash("alice", 0), redaction().hash("alice", 0));
        assert_eq!(&*one.header(), "names=hash bodies=keep");
    }
}
