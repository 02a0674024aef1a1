//! The `line`: what a session hands out at login and gets back with every call.
//!
//! Clients treat it as opaque. It carries the session's id and an HMAC-SHA1 over it, so a sidecar can tell a line that
//! it (or a sidecar with the same key) issued from an invention, without a table (decisions H5, signaling-wire 3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Shortest secret that [`LineKey::new`] takes, bytes: 128 bits.
pub const MIN_KEY_BYTES: usize = 16;

const ID_DIGITS: usize = 16;
const MAC_BYTES: usize = 20;

/// Keeps a key that some other protocol uses too from vouching for that protocol's texts.
const PURPOSE: &[u8] = b"sigbridge line 1\0";

/// The secret that lines are signed with.
#[derive(Clone)]
pub struct LineKey(Hmac<Sha1>);

/// A session's opaque token: visible ASCII without spaces, which native clients split at.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Line(String);

/// Why a text is no line of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It does not have a line's form.
    #[error("not of a line's form")]
    Malformed,
    /// It has the form, but the key did not sign it: invented, or issued before a restart with a random key.
    #[error("not signed by this key")]
    Forged,
}

impl LineKey {
    /// A key from the operating system's randomness; lines die with the process.
    ///
    /// # Errors
    /// The operating system's, when it has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self(keyed(&secret)))
    }

    /// A key that several sidecars share. Their session ids must then be drawn from all 64 bits, since a line of one
    /// is a line of all. `None` for a secret under [`MIN_KEY_BYTES`].
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_KEY_BYTES).then(|| Self(keyed(secret)))
    }

    /// The line of a session.
    pub fn issue(&self, session_id: u64) -> Line {
        let mac = self.mac(session_id).finalize().into_bytes();
        let mut text = format!("{session_id:016x}-");
        for byte in mac {
            text.push_str(&format!("{byte:02x}"));
        }
        Line(text)
    }

    /// The session that a line was issued to; compares in constant time.
    ///
    /// # Errors
    /// [`BadLine`], which tells nonsense from a wrong signature.
    pub fn verify(&self, line: &str) -> Result<u64, BadLine> {
        let (id, mac) = parse(line).ok_or(BadLine::Malformed)?;
        match self.mac(id).verify_slice(&mac) {
            Ok(()) => Ok(id),
            Err(_) => Err(BadLine::Forged),
        }
    }

    /// A key for another purpose, which tells nothing of this one.
    pub fn derived(&self, purpose: &[u8]) -> [u8; MAC_BYTES] {
        self.0.clone().chain_update(purpose).finalize().into_bytes().into()
    }

    fn mac(&self, session_id: u64) -> Hmac<Sha1> {
        self.0
            .clone()
            .chain_update(PURPOSE)
            .chain_update(session_id.to_be_bytes())
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha1> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// The id and the MAC of a text that [`LineKey::issue`] could have written, to the letter.
fn parse(line: &str) -> Option<(u64, [u8; MAC_BYTES])> {
    let (id, mac) = line.split_once('-')?;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if id.len() != ID_DIGITS || mac.len() != 2 * MAC_BYTES || !is_hex(id) || !is_hex(mac) {
        return None;
    }
    let id = u64::from_str_radix(id, 16).ok()?;
    let mut bytes = [0; MAC_BYTES];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&mac[2 * i..2 * i + 2], 16).ok()?;
    }
    Some((id, bytes))
}

/// Prints no secret.
impl fmt::Debug for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineKey(..)")
    }
}

impl Line {
    /// The text that goes to the client.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Prints the session id only: whoever has the rest can speak for the session.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({}-..)", &self.0[..ID_DIGITS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LineKey {
        LineKey::new(b"0123456789abcdef").expect("16 bytes are enough")
    }

    const OF_7: &str = "0000000000000007-cfe685008b347015508fbad5187b7042ffa41244";

    fn check(line: &str, expected: Result<u64, BadLine>) {
        assert_eq!(key().verify(line), expected, "{line:?}");
    }

    #[test]
    fn lines_are_opaque_and_stable() {
        assert_eq!(key().issue(7).as_str(), OF_7);
        check(OF_7, Ok(7));
        for id in [0, 1, u64::MAX] {
            check(key().issue(id).as_str(), Ok(id));
        }
    }

    #[test]
    fn nonsense_is_malformed() {
        check("", Err(BadLine::Malformed));
        check("7", Err(BadLine::Malformed));
        check("-", Err(BadLine::Malformed));
        check(&OF_7[1..], Err(BadLine::Malformed));
        check(&format!("{OF_7}0"), Err(BadLine::Malformed));
        check(&format!(" {OF_7}"), Err(BadLine::Malformed));
        check(&OF_7.to_uppercase(), Err(BadLine::Malformed));
        check(&OF_7.replace('-', "+"), Err(BadLine::Malformed));
        check(&OF_7.replacen("00", "é", 1), Err(BadLine::Malformed));
        check(&OF_7.replacen('0', "+", 1), Err(BadLine::Malformed));
    }

    #[test]
    fn inventions_are_forged() {
        check(&OF_7.replacen('7', "8", 1), Err(BadLine::Forged));
        check(&format!("{:016x}-{:040x}", 7, 0), Err(BadLine::Forged));
        let other = LineKey::new(b"another secret..").unwrap();
        check(other.issue(7).as_str(), Err(BadLine::Forged));
        let random = LineKey::random().unwrap();
        check(random.issue(7).as_str(), Err(BadLine::Forged));
        assert_eq!(random.verify(random.issue(7).as_str()), Ok(7));
    }

    #[test]
    fn short_secrets_are_no_keys() {
        assert!(LineKey::new(&[1; MIN_KEY_BYTES - 1]).is_none());
        assert!(LineKey::new(&[1; MIN_KEY_BYTES]).is_some());
    }

    #[test]
    fn debug_prints_no_secret() {
        assert_eq!(format!("{:?}", key()), "LineKey(..)");
        assert_eq!(format!("{:?}", key().issue(7)), "Line(0000000000000007-..)");
    }
}
