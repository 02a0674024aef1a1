//! Common rules of user and channel attributes (rtm-api 2, 10): form, sizes, and lists in the order
//! of the first write.

use rtm::AttributeOperation;
use rtm::limits::{
    MAX_ATTRIBUTE_KEY_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_ATTRIBUTES, MAX_CHANNEL_ATTRIBUTES_BYTES,
    MAX_USER_ATTRIBUTES_BYTES,
};
use rtm::value::Text;

type Pair = (Text, Text);

/// Checks one write to the own attributes.
pub(super) fn check_user_pairs(pairs: &[Pair]) -> Result<(), AttributeOperation> {
    check_pairs(pairs, MAX_USER_ATTRIBUTES_BYTES)
}

/// Checks one write to a channel's attributes.
pub(super) fn check_channel_pairs(pairs: &[Pair]) -> Result<(), AttributeOperation> {
    check_pairs(pairs, MAX_CHANNEL_ATTRIBUTES_BYTES)
}

/// Checks a list of keys, which must not be empty.
pub(super) fn check_keys(keys: &[Text]) -> Result<(), AttributeOperation> {
    if keys.is_empty() {
        Err(AttributeOperation::InvalidArgument)
    } else {
        Ok(())
    }
}

/// Checks the number and size of all attributes together, with keys and values.
pub(super) fn check_total<'a>(
    pairs: impl Iterator<Item = (&'a Text, &'a Text)>,
    max_bytes: usize,
) -> Result<(), AttributeOperation> {
    let (count, bytes) = pairs.fold((0, 0), |(n, bytes), (key, value)| {
        (n + 1, bytes + key.len() + value.len())
    });
    if count > MAX_ATTRIBUTES || bytes > max_bytes {
        Err(AttributeOperation::SizeOverflow)
    } else {
        Ok(())
    }
}

/// Adds or replaces an attribute; of repeated keys the last is used.
pub fn upsert<V>(all: &mut Vec<(Text, V)>, key: Text, value: V) {
    match all.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => all.push((key, value)),
    }
}

/// Returns the attributes of those keys, or all of them.
pub fn select<V: Clone>(all: &[(Text, V)], keys: Option<&[Text]>) -> Vec<(Text, V)> {
    let wanted = |key: &Text| keys.is_none_or(|keys| keys.contains(key));
    all.iter().filter(|(key, _)| wanted(key)).cloned().collect()
}

fn check_pairs(pairs: &[Pair], max_bytes: usize) -> Result<(), AttributeOperation> {
    if pairs.is_empty() {
        return Err(AttributeOperation::InvalidArgument);
    }
    if pairs.len() > MAX_ATTRIBUTES {
        return Err(AttributeOperation::SizeOverflow);
    }
    for (key, value) in pairs {
        if key.is_empty() || key.len() > MAX_ATTRIBUTE_KEY_BYTES || value.is_empty() {
            return Err(AttributeOperation::InvalidArgument);
        }
        if value.len() > MAX_ATTRIBUTE_VALUE_BYTES {
            return Err(AttributeOperation::SizeOverflow);
        }
    }
    check_total(pairs.iter().map(|(k, v)| (k, v)), max_bytes)
}
