//! AccessToken 007: `007` and the base64 of the deflated signature, times and services (upstreams
//! 3.3).
//!
//! Deflate libraries give different bytes, so tokens are compared inflated.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use secrecy::{ExposeSecret, SecretString};

use crate::access_token::bytes::{Packer, Unpacker};
use crate::access_token::hash::{hmac, is_equal};
use crate::access_token::privilege::LOGIN_007;

/// The prefix of a token.
pub const VERSION: &str = "007";

/// Limit of the inflated size. An RTM token has a few hundred bytes; the limit stops a compression
/// bomb.
const MAX_INFLATED: u64 = 64 * 1024;

/// The number of the RTM service.
const RTM: u16 = 2;
/// The number of the RTC service, which precedes RTM's in a token for both.
const RTC: u16 = 1;

/// The time range of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The time of issue.
    pub issued: u32,
    /// The lifetime in seconds after the issue.
    pub lifetime: u32,
    /// A random number, so that no two tokens are equal.
    pub salt: u32,
}

/// A decoded token with an unverified signature.
pub struct Token {
    pub app_id: String,
    pub times: Times,
    /// The RTM service, if the token has one.
    pub rtm: Option<Rtm>,
    signature: Vec<u8>,
    info: Vec<u8>,
}

/// The RTM service of a token.
pub struct Rtm {
    /// The user id.
    pub user: String,
    /// Expiry of the login privilege in seconds after the issue, 0 for the token's expiry; `None`
    /// without the privilege.
    pub login: Option<u32>,
}

/// Mints a login token for `user`.
pub fn mint(app_id: &str, certificate: &SecretString, user: &str, times: Times) -> String {
    let info = Packer::default()
        .text(app_id.as_bytes())
        .u32(times.issued)
        .u32(times.lifetime)
        .u32(times.salt)
        .u16(1)
        .u16(RTM)
        .u16(1)
        .u16(LOGIN_007)
        .u32(times.lifetime)
        .text(user.as_bytes())
        .done();
    let packed = Packer::default().text(&sign(certificate, times, &info)).raw(&info);
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
    let deflated = deflate.write_all(&packed.done()).and_then(|()| deflate.finish());
    let deflated = deflated.expect("writing to a Vec cannot fail");
    format!("{VERSION}{}", BASE64_STANDARD.encode(deflated))
}

/// Returns the inflated content of the base64; `None` if the token is malformed.
pub fn inflate(token: &str) -> Option<Vec<u8>> {
    let deflated = BASE64_STANDARD.decode(token.strip_prefix(VERSION)?).ok()?;
    let mut inflated = Vec::new();
    let mut inflating = ZlibDecoder::new(deflated.as_slice()).take(MAX_INFLATED);
    inflating.read_to_end(&mut inflated).ok()?;
    Some(inflated)
}

/// Decodes a token; returns `None` if it is malformed.
pub fn parse(token: &str) -> Option<Token> {
    let inflated = inflate(token)?;
    let mut packed = Unpacker(&inflated);
    let signature = packed.text()?.to_owned();
    let info = packed.0.to_owned();
    let app_id = packed.str()?.to_owned();
    let times = Times {
        issued: packed.u32()?,
        lifetime: packed.u32()?,
        salt: packed.u32()?,
    };
    let rtm = rtm(&mut packed)?;
    Some(Token {
        app_id,
        times,
        rtm,
        signature,
        info,
    })
}

/// Reads the RTM service. Services are in the order of their numbers and differ in length. Nothing
/// after an unknown service can be read, but no unknown service precedes RTM's.
fn rtm(packed: &mut Unpacker<'_>) -> Option<Option<Rtm>> {
    for _ in 0..packed.u16()? {
        let service = packed.u16()?;
        let privileges = packed.privileges()?;
        match service {
            RTC => {
                packed.text()?;
                packed.text()?;
            }
            RTM => {
                let login = privileges.iter().find(|(privilege, _)| *privilege == LOGIN_007);
                return Some(Some(Rtm {
                    user: packed.str()?.to_owned(),
                    login: login.map(|(_, lifetime)| *lifetime),
                }));
            }
            _ => break,
        }
    }
    Some(None)
}

impl Token {
    /// Returns true if the certificate has signed the token.
    pub fn is_signed(&self, certificate: &SecretString) -> bool {
        is_equal(&self.signature, &sign(certificate, self.times, &self.info))
    }

    /// Returns the expiry of the login privilege; `None` without it.
    pub fn expires(&self) -> Option<u64> {
        let Times { issued, lifetime, .. } = self.times;
        let lifetime = match self.rtm.as_ref()?.login? {
            0 => lifetime,
            login => login.min(lifetime),
        };
        Some(u64::from(issued) + u64::from(lifetime))
    }
}

/// Signs `info`: the signing key is the HMAC of the certificate under the two times.
fn sign(certificate: &SecretString, times: Times, info: &[u8]) -> [u8; 32] {
    let key = hmac(&times.issued.to_le_bytes(), &[certificate.expose_secret().as_bytes()]);
    let key = hmac(&times.salt.to_le_bytes(), &[&key]);
    hmac(&key, &[info])
}
