//! Redaction policy.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use rtm::value::Text;
use tables::Tables;

use crate::redact::Allowlist;

/// Policy for a class of secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Keep unchanged.
    Keep,
    /// Replace by numbered placeholders, in order of first use.
    #[default]
    Placeholder,
    /// Replace by keyed hashes: equal secrets match within one recording, and not across recordings.
    Hash,
}

impl Policy {
    /// Names in the config and in headers.
    pub const NAMES: &[(&str, Policy)] = &[
        ("keep", Self::Keep),
        ("placeholder", Self::Placeholder),
        ("hash", Self::Hash),
    ];

    /// Parses a policy.
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

/// Redaction of a recording. Tokens are always removed.
#[derive(Clone)]
pub struct Redaction {
    /// Accounts, channels, RTM IDs, vendor keys, session lines, device data.
    pub names: Policy,
    /// Messages, attribute values, contents of calls and answers.
    pub bodies: Policy,
    pub(super) tables: Arc<Tables>,
    pub(super) words: Arc<Allowlist>,
    key: Hmac<Sha256>,
}

impl Redaction {
    /// Creates the redaction of a new recording, with its own hash key.
    ///
    /// # Errors
    /// The system has no randomness for the key.
    pub fn new(tables: &Arc<Tables>, names: Policy, bodies: Policy) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            names,
            bodies,
            words: Arc::new(Allowlist::of(tables)),
            tables: tables.clone(),
            key: Hmac::new_from_slice(&key).expect("HMAC accepts keys of any length"),
        })
    }

    /// Returns false if only tokens are removed.
    pub fn replaces(&self) -> bool {
        (self.names, self.bodies) != (Policy::Keep, Policy::Keep)
    }

    /// Returns the header's text.
    pub fn header(&self) -> Text {
        if self.replaces() {
            format!("names={} bodies={}", self.names, self.bodies).into()
        } else {
            NONE.into()
        }
    }

    /// Hashes a text to 32 bits; another `attempt` gives another hash.
    pub(super) fn hash(&self, text: &str, attempt: u64) -> u32 {
        let mac = self.key.clone().chain_update(text).chain_update(attempt.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

/// Header value of a trace without placeholders.
pub(super) const NONE: &str = "none";

/// Omits the key.
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
