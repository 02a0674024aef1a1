//! User attributes (rtm-api 3.4): written by their owner, deleted at logout, without change events.

use rtm::AttributeOperation;
use rtm::limits::MAX_USER_ATTRIBUTES_BYTES;
use rtm::value::Text;

use crate::attributes::{check_total, select, upsert};

type Pair = (Text, Text);

/// The attributes of a user, in the order of the first write.
#[derive(Debug, Default)]
pub(super) struct UserAttributes(Vec<Pair>);

impl UserAttributes {
    /// Replaces all attributes; of repeated keys the last is used.
    pub(super) fn set(&mut self, pairs: Vec<Pair>) {
        self.0.clear();
        for (key, value) in pairs {
            upsert(&mut self.0, key, value);
        }
    }

    /// Adds or replaces attributes.
    ///
    /// # Errors
    /// `SIZE_OVERFLOW`; nothing is then changed.
    pub(super) fn update(&mut self, pairs: Vec<Pair>) -> Result<(), AttributeOperation> {
        let mut merged = self.0.clone();
        for (key, value) in pairs {
            upsert(&mut merged, key, value);
        }
        check_total(
            merged.iter().map(|(key, value)| (key, value)),
            MAX_USER_ATTRIBUTES_BYTES,
        )?;
        self.0 = merged;
        Ok(())
    }

    pub(super) fn delete(&mut self, keys: &[Text]) {
        self.0.retain(|(key, _)| !keys.contains(key));
    }

    /// Returns the attributes of the keys that exist, or all.
    pub(super) fn select(&self, keys: Option<&[Text]>) -> Vec<Pair> {
        select(&self.0, keys)
    }
}
