//! Numeric uids, which legacy clients display next to accounts and RTM lacks.

use sha1::{Digest, Sha1};

use rtm::AppId;

use crate::account::Account;

/// Returns the uid of an account: the first four bytes (big-endian) of SHA-1(vid NUL account),
/// without the sign bit, never 0.
///
/// It is a function of the names, so it is equal in every sidecar and after every restart. Two
/// accounts may share a uid (among 10 000 with a probability of about 2 %). This is harmless,
/// because legacy clients use the account as the key. 0 is reserved because apps read it as
/// "unknown". Source: decisions H5, signaling-wire 3 (an integer of at most 2^31-1).
pub fn uid(vid: &AppId, account: &Account) -> u32 {
    let digest = Sha1::new()
        .chain_update(vid.as_str())
        .chain_update([0])
        .chain_update(account.as_str())
        .finalize();
    from_digest([digest[0], digest[1], digest[2], digest[3]])
}

fn from_digest(head: [u8; 4]) -> u32 {
    (u32::from_be_bytes(head) & 0x7fff_ffff).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vid: &str, account: &str, expected: u32) {
        let (vid, account) = (AppId::new(vid).unwrap(), Account::new(account).unwrap());
        assert_eq!(uid(&vid, &account), expected, "{vid} {account}");
    }

    #[test]
    fn uids_are_stable() {
        // printf 'app\0alice' | sha1sum
        check("app", "alice", 1_868_405_786);
        check("970CA35de60c44645bbae8a215061b33", "2882341273", 1_479_833_014);
        check("app", "張三", 484_224_348);
    }

    fn check_head(head: [u8; 4], expected: u32) {
        assert_eq!(from_digest(head), expected, "{head:02x?}");
    }

    #[test]
    fn uids_are_positive_31_bit_integers() {
        check_head([0, 0, 0, 0], 1);
        check_head([0x80, 0, 0, 0], 1);
        check_head([0, 0, 0, 2], 2);
        check_head([0xff, 0xff, 0xff, 0xff], 0x7fff_ffff);
    }
}
