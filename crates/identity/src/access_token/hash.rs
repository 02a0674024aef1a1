//! HMAC-SHA256, which signs both versions.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 32;

/// The signature of `parts`, one behind the other.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether two signatures are the same; takes as long for any two.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
