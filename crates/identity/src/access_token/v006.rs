//! AccessToken 006: `006`, the app id, and the base64 of signature, checksums and message
//! (upstreams 3.2).
//!
//! It holds only checksums of its names, so a verifier needs the names. RTM puts the user id into
//! the channel field of RTC and leaves the user field empty.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::access_token::bytes::{Packer, Unpacker};
use crate::access_token::hash::{hmac, is_equal};

/// The prefix of a token.
pub const VERSION: &str = "006";

/// Digits of an app id, which follows the version without a separator.
pub const APP_ID_DIGITS: usize = 32;

/// The names that a token is signed for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'n> {
    pub app_id: &'n str,
    /// RTM: the user id.
    pub channel: &'n str,
    /// RTM: empty.
    pub uid: &'n str,
}

/// The signed content of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// A random number, so that no two tokens are equal.
    pub salt: u32,
    /// The expiry of the token, regardless of its privileges.
    pub expires: u32,
    /// Privileges with their expiry; 0 means the token's expiry. In the order of their numbers.
    pub privileges: Vec<(u16, u32)>,
}

/// A decoded token with an unverified signature.
pub struct Token<'t> {
    pub app_id: &'t str,
    pub message: Message,
    packed: Vec<u8>,
    signature: Vec<u8>,
    checksums: (u32, u32),
}

pub fn mint(names: Names<'_>, certificate: &SecretString, message: &Message) -> String {
    let mut packed = Packer::default().u32(message.salt).u32(message.expires);
    packed = packed.u16(u16::try_from(message.privileges.len()).unwrap_or(u16::MAX));
    for (privilege, expires) in message.privileges.iter().take(usize::from(u16::MAX)) {
        packed = packed.u16(*privilege).u32(*expires);
    }
    let packed = packed.done();
    let body = Packer::default()
        .text(&sign(names, certificate, &packed))
        .u32(crc32fast::hash(names.channel.as_bytes()))
        .u32(crc32fast::hash(names.uid.as_bytes()))
        .text(&packed);
    format!("{VERSION}{}{}", names.app_id, BASE64_STANDARD.encode(body.done()))
}

/// Decodes a token; returns `None` if it is malformed.
pub fn parse(token: &str) -> Option<Token<'_>> {
    let (app_id, body) = token.strip_prefix(VERSION)?.split_at_checked(APP_ID_DIGITS)?;
    let body = BASE64_STANDARD.decode(body).ok()?;
    let mut body = Unpacker(&body);
    let signature = body.text()?.to_owned();
    let checksums = (body.u32()?, body.u32()?);
    let packed = body.text()?.to_owned();
    let mut message = Unpacker(&packed);
    let message = Message {
        salt: message.u32()?,
        expires: message.u32()?,
        privileges: message.privileges()?,
    };
    Some(Token {
        app_id,
        message,
        packed,
        signature,
        checksums,
    })
}

impl Token<'_> {
    /// Returns true if the checksums match the names. Checksums are public and prove nothing.
    pub fn is_for(&self, names: Names<'_>) -> bool {
        self.checksums
            == (
                crc32fast::hash(names.channel.as_bytes()),
                crc32fast::hash(names.uid.as_bytes()),
            )
    }

    /// Returns true if the certificate has signed the token for the names.
    pub fn is_signed(&self, names: Names<'_>, certificate: &SecretString) -> bool {
        is_equal(&self.signature, &sign(names, certificate, &self.packed))
    }

    /// Returns the expiry of a privilege; `None` without it.
    pub fn expires(&self, privilege: u16) -> Option<u64> {
        let found = self.message.privileges.iter().find(|(is, _)| *is == privilege)?;
        let token = u64::from(self.message.expires);
        Some(match found.1 {
            0 => token,
            at => token.min(u64::from(at)),
        })
    }
}

fn sign(names: Names<'_>, certificate: &SecretString, packed: &[u8]) -> [u8; 32] {
    let key = certificate.expose_secret().as_bytes();
    let Names { app_id, channel, uid } = names;
    hmac(key, &[app_id.as_bytes(), channel.as_bytes(), uid.as_bytes(), packed])
}
