//! What user and channel attributes have in common (rtm-api 2, 10): shape, sizes, and lists ordered by first writing.

use rtm::AttributeOperation;
use rtm::limits::{
    MAX_ATTRIBUTE_KEY_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_ATTRIBUTES, MAX_CHANNEL_ATTRIBUTES_BYTES,
    MAX_USER_ATTRIBUTES_BYTES,
};
use rtm::value::Text;

type Pair = (Text, Text);

/// What one write to the own attributes may carry.
pub(super) fn check_user_pairs(pairs: &[Pair]) -> Result<(), AttributeOperation> {
    check_pairs(pairs, MAX_USER_ATTRIBUTES_BYTES)
}

/// What one write to a channel's attributes may carry.
pub(super) fn check_channel_pairs(pairs: &[Pair]) -> Result<(), AttributeOperation> {
    check_pairs(pairs, MAX_CHANNEL_ATTRIBUTES_BYTES)
}

/// A list of keys must name at least one.
pub(super) fn check_keys(keys: &[Text]) -> Result<(), AttributeOperation> {
    if keys.is_empty() {
        Err(AttributeOperation::InvalidArgument)
    } else {
        Ok(())
    }
}

/// Number and bytes of all attributes together, keys and values both counted.
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

/// Adds or replaces; the last of repeated keys wins.
pub fn upsert<V>(all: &mut Vec<(Text, V)>, key: Text, value: V) {
    match all.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => all.push((key, value)),
    }
}

/// The attributes of those keys, or all of them.
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
