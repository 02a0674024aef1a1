//! Reasons, their numbers in the client families, and limitation codes.

use rtm::value::Text;

use crate::row::SigId;

/// A failure class: one documented event, and its numbers by family.
#[derive(Clone, Debug)]
pub struct FailClass {
    /// The name.
    pub name: Text,
    /// The failure event.
    pub event: SigId,
    /// The numbers by family. The first entry is the API's, which also applies to families without
    /// an entry.
    pub families: Vec<(Text, FamilyCodes)>,
}

/// The numbers of reasons in a family.
#[derive(Clone, Debug, Default)]
pub struct FamilyCodes {
    /// Numbers by text; a text that ends in `*` is a prefix.
    pub numbers: Vec<(Text, i64)>,
    /// The number of all other texts.
    pub any: Option<i64>,
    /// The event argument that the family shows instead of a number.
    pub text: Option<Text>,
}

impl FamilyCodes {
    /// Returns the number of a reason.
    pub fn number(&self, reason: &str) -> Option<i64> {
        let hit = self.numbers.iter().find(|(text, _)| match text.strip_suffix('*') {
            Some(prefix) => reason.starts_with(prefix),
            None => reason == &**text,
        });
        hit.map(|(_, number)| *number).or(self.any)
    }
}

impl FailClass {
    /// Returns the number that an application of the family receives.
    pub fn ecode(&self, family: &str, reason: &str) -> i64 {
        let own = self.families.iter().find(|(name, _)| &**name == family);
        let number = own.and_then(|(_, codes)| codes.number(reason));
        let api = || self.families.first().and_then(|(_, codes)| codes.number(reason));
        number.or_else(api).unwrap_or(0)
    }

    /// Returns the event argument that the family shows as text.
    pub fn text_arg(&self, family: &str) -> Option<&Text> {
        let own = self.families.iter().find(|(name, _)| &**name == family)?;
        own.1.text.as_ref()
    }
}

/// A limitation code that the engine notes itself, without an outcome of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineCode {
    /// `ID-HASH`.
    IdHash,
    /// `MAILBOX-FULL`.
    MailboxFull,
}

impl EngineCode {
    /// All codes, in the order of the enum.
    pub const ALL: &[Self] = &[Self::IdHash, Self::MailboxFull];

    /// Returns the name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdHash => "ID-HASH",
            Self::MailboxFull => "MAILBOX-FULL",
        }
    }
}

/// A limitation code (docs/limits.md).
#[derive(Clone, Debug)]
pub struct LimitCode {
    /// The name: `SEND-ACK`.
    pub name: Text,
    /// The cause of the limitation.
    pub cause: Text,
    /// A workaround for apps.
    pub workaround: Text,
    /// True if a message was not delivered, which is reported by webhooks.
    pub undelivered: bool,
}
