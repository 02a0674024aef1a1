//! The session line (`line` on the wire): issued at login and sent back with every call.
//!
//! Clients treat it as opaque. It carries the session's id and an HMAC-SHA1 over it. A sidecar with
//! the key thus verifies a line without a table (decisions H5, signaling-wire 3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Shortest secret that [`SessionLineKey::new`] accepts, bytes: 128 bits.
pub const MIN_KEY_BYTES: usize = 16;

const ID_DIGITS: usize = 16;
const MAC_BYTES: usize = 20;

/// Separates these signatures from those of other protocols that use the same key.
const PURPOSE: &[u8] = b"sigbridge line 1\0";

/// The secret that session lines are signed with.
#[derive(Clone)]
pub struct SessionLineKey(Hmac<Sha1>);

/// A session's opaque token: visible ASCII without spaces, at which native clients split.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionLine(String);

/// The reason why a session line is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSessionLine {
    /// The text does not have the format of a session line.
    #[error("malformed session line")]
    Malformed,
    /// The signature is wrong: the line is forged, or was issued before a restart with a random
    /// key.
    #[error("not signed by this key")]
    Forged,
}

impl SessionLineKey {
    /// Creates a random key; session lines are then invalid after a restart.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self(keyed(&secret)))
    }

    /// Creates a key that several sidecars share. Session ids must then be drawn from all 64 bits,
    /// because each sidecar accepts the lines of all. Returns `None` for a secret under
    /// [`MIN_KEY_BYTES`].
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_KEY_BYTES).then(|| Self(keyed(secret)))
    }

    /// Issues the line of a session.
    pub fn issue(&self, session_id: u64) -> SessionLine {
        let mac = self.mac(session_id).finalize().into_bytes();
        let mut text = format!("{session_id:016x}-");
        for byte in mac {
            text.push_str(&format!("{byte:02x}"));
        }
        SessionLine(text)
    }

    /// Returns the session of a line; compares in constant time.
    ///
    /// # Errors
    /// [`BadSessionLine`]: the line is malformed, or its signature is wrong.
    pub fn verify(&self, line: &str) -> Result<u64, BadSessionLine> {
        let (id, mac) = parse(line).ok_or(BadSessionLine::Malformed)?;
        match self.mac(id).verify_slice(&mac) {
            Ok(()) => Ok(id),
            Err(_) => Err(BadSessionLine::Forged),
        }
    }

    /// Derives a key for another purpose, which reveals nothing about this key.
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
    Hmac::new_from_slice(secret).expect("HMAC accepts keys of any length")
}

/// Splits a text into id and MAC, if it has exactly the format of [`SessionLineKey::issue`].
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
impl fmt::Debug for SessionLineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionLineKey(..)")
    }
}

impl SessionLine {
    /// Returns the text that is sent to the client.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true for the text of this line; compares in constant time. A line has one text only, so this equals
    /// [`SessionLineKey::verify`] for the session's id, without an HMAC for each call.
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// Prints the session id only: the rest is the session's credential.
impl fmt::Debug for SessionLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionLine({}-..)", &self.0[..ID_DIGITS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SessionLineKey {
        SessionLineKey::new(b"0123456789abcdef").expect("16 bytes are enough")
    }

    const OF_7: &str = "0000000000000007-cfe685008b347015508fbad5187b7042ffa41244";

    fn check(line: &str, expected: Result<u64, BadSessionLine>) {
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
    fn an_issued_line_equals_its_own_text_only() {
        let line = key().issue(7);
        assert!(line.is(OF_7));
        for other in [
            "",
            &OF_7[1..],
            &format!("{OF_7}0"),
            &OF_7.to_uppercase(),
            key().issue(8).as_str(),
        ] {
            assert!(!line.is(other), "{other:?}");
        }
    }

    #[test]
    fn malformed_lines_are_rejected() {
        check("", Err(BadSessionLine::Malformed));
        check("7", Err(BadSessionLine::Malformed));
        check("-", Err(BadSessionLine::Malformed));
        check(&OF_7[1..], Err(BadSessionLine::Malformed));
        check(&format!("{OF_7}0"), Err(BadSessionLine::Malformed));
        check(&format!(" {OF_7}"), Err(BadSessionLine::Malformed));
        check(&OF_7.to_uppercase(), Err(BadSessionLine::Malformed));
        check(&OF_7.replace('-', "+"), Err(BadSessionLine::Malformed));
        check(&OF_7.replacen("00", "é", 1), Err(BadSessionLine::Malformed));
        check(&OF_7.replacen('0', "+", 1), Err(BadSessionLine::Malformed));
    }

    #[test]
    fn wrong_signatures_are_forged() {
        check(&OF_7.replacen('7', "8", 1), Err(BadSessionLine::Forged));
        check(&format!("{:016x}-{:040x}", 7, 0), Err(BadSessionLine::Forged));
        let other = SessionLineKey::new(b"another secret..").unwrap();
        check(other.issue(7).as_str(), Err(BadSessionLine::Forged));
        let random = SessionLineKey::random().unwrap();
        check(random.issue(7).as_str(), Err(BadSessionLine::Forged));
        assert_eq!(random.verify(random.issue(7).as_str()), Ok(7));
    }

    #[test]
    fn short_secrets_are_rejected() {
        assert!(SessionLineKey::new(&[1; MIN_KEY_BYTES - 1]).is_none());
        assert!(SessionLineKey::new(&[1; MIN_KEY_BYTES]).is_some());
    }

    #[test]
    fn debug_prints_no_secret() {
        assert_eq!(format!("{:?}", key()), "SessionLineKey(..)");
        assert_eq!(format!("{:?}", key().issue(7)), "SessionLine(0000000000000007-..)");
    }
}
