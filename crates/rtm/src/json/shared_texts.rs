//! Texts that occur in many frames share an allocation: names of members, functions, flags.

use std::cell::RefCell;
use std::sync::Arc;

/// Longest shared text, in bytes.
const MAX_BYTES: usize = 16;
/// Bits of the number of shared texts. A text replaces the earlier one in its slot.
const SLOT_BITS: u32 = 7;

thread_local! {
    static SLOTS: RefCell<[Option<Arc<str>>; 1 << SLOT_BITS]> = const { RefCell::new([const { None }; 1 << SLOT_BITS]) };
}

/// Returns a text with this content.
pub fn text(content: &str) -> Arc<str> {
    if content.len() > MAX_BYTES {
        return content.into();
    }
    SLOTS.with_borrow_mut(|slots| {
        let slot = &mut slots[slot_of(content)];
        match slot {
            Some(text) if **text == *content => text.clone(),
            _ => slot.insert(content.into()).clone(),
        }
    })
}

/// Returns the slot of a text: the upper bits of a product of its first and last bytes and its length.
fn slot_of(content: &str) -> usize {
    let bytes = content.as_bytes();
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
            _ => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        },
    };
    let word = first ^ last.rotate_left(32) ^ content.len() as u64;
    let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(hash >> (u64::BITS - SLOT_BITS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_shared_and_keep_their_content() {
        assert!(Arc::ptr_eq(&text("channelName"), &text("channelName")));
        let long = "a".repeat(MAX_BYTES + 1);
        assert!(!Arc::ptr_eq(&text(&long), &text(&long)));
        for number in 0..1_000 {
            assert_eq!(&*text(&number.to_string()), number.to_string());
        }
        assert_eq!(&*text(""), "");
    }
}
