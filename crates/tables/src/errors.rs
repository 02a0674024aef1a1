//! Reasons, the numbers that families make of them, and limitation codes.

use rtm::value::Text;

use crate::row::SigId;

/// A class of failures: one documented event, and its numbers by family.
#[derive(Clone, Debug)]
pub struct FailClass {
    /// Its name.
    pub name: Text,
    /// The event that tells it.
    pub event: SigId,
    /// Number tables, the first is the api front's; a family without one uses that.
    pub families: Vec<(Text, FamilyCodes)>,
}

/// What a family makes of a reason.
#[derive(Clone, Debug, Default)]
pub struct FamilyCodes {
    /// Numbers by text; a text that ends in `*` is a prefix.
    pub numbers: Vec<(Text, i64)>,
    /// The number of every other text.
    pub any: Option<i64>,
    /// The family shows this argument of the event instead of a number.
    pub text: Option<Text>,
}

impl FamilyCodes {
    /// The number for a reason.
    pub fn number(&self, reason: &str) -> Option<i64> {
        let hit = self.numbers.iter().find(|(text, _)| match text.strip_suffix('*') {
            Some(prefix) => reason.starts_with(prefix),
            None => reason == &**text,
        });
        hit.map(|(_, number)| *number).or(self.any)
    }
}

impl FailClass {
    /// The number that the application of a family ends up with.
    pub fn ecode(&self, family: &str, reason: &str) -> i64 {
        let own = self.families.iter().find(|(name, _)| &**name == family);
        let number = own.and_then(|(_, codes)| codes.number(reason));
        let api = || self.families.first().and_then(|(_, codes)| codes.number(reason));
        number.or_else(api).unwrap_or(0)
    }

    /// The argument of the event that the family shows as text.
    pub fn text_arg(&self, family: &str) -> Option<&Text> {
        let own = self.families.iter().find(|(name, _)| &**name == family)?;
        own.1.text.as_ref()
    }
}

/// A limitation code (docs/limits.md).
#[derive(Clone, Debug)]
pub struct LimitCode {
    /// `SEND-ACK`.
    pub name: Text,
    /// Why the translation is not exact.
    pub cause: Text,
    /// What an app can do.
    pub workaround: Text,
    /// Whether it means that a message reaches nobody, which webhooks tell.
    pub undelivered: bool,
}
