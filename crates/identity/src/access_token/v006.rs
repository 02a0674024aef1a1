//! AccessToken 006: `006`, the app id, and the base64 of signature, checksums and message (upstreams 3.2).
//!
//! It does not hold the names that it is for, only their checksums: a verifier has to know them. RTM puts the user id
//! where RTC has the channel, and nothing where RTC has the user.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::access_token::bytes::{Packer, Unpacker};
use crate::access_token::hash::{hmac, same};

/// How it begins.
pub const VERSION: &str = "006";

/// Digits of an app id, which follow the version without a separator.
pub const APP_ID_DIGITS: usize = 32;

/// Whom a token is for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'n> {
    pub app_id: &'n str,
    /// RTM: the user id.
    pub channel: &'n str,
    /// RTM: nothing.
    pub uid: &'n str,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Random, so that no two tokens are the same.
    pub salt: u32,
    /// When the token ends, whatever its privileges say.
    pub expires: u32,
    /// Each with the time at which it ends; 0 is with the token. In the order of their numbers.
    pub privileges: Vec<(u16, u32)>,
}

/// A token taken apart, its signature not yet looked at.
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

/// `None` for what is not of the form.
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
    /// Whether the checksums are those of the names. They are no secret and prove nothing.
    pub fn is_for(&self, names: Names<'_>) -> bool {
        self.checksums
            == (
                crc32fast::hash(names.channel.as_bytes()),
                crc32fast::hash(names.uid.as_bytes()),
            )
    }

    /// Whether the certificate has signed it for the names.
    pub fn is_signed(&self, names: Names<'_>, certificate: &SecretString) -> bool {
        same(&self.signature, &sign(names, certificate, &self.packed))
    }

    /// When a privilege ends; `None` without it.
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
