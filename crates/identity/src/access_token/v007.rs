//! AccessToken 007: `007` and the base64 of the deflated signature, times and services (upstreams 3.3).
//!
//! Deflating gives other bytes with every library, so two tokens are the same when they are so inflated.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use secrecy::{ExposeSecret, SecretString};

use crate::access_token::bytes::{Packer, Unpacker};
use crate::access_token::hash::{hmac, same};
use crate::access_token::privilege::LOGIN_007;

/// How it begins.
pub const VERSION: &str = "007";

/// An inflated token is never longer: one of RTM has a few hundred bytes, and a bomb is not to be blown up.
const MAX_INFLATED: u64 = 64 * 1024;

/// The number of the RTM service.
const RTM: u16 = 2;
/// The number of the RTC service, which a token for both has as well, before RTM's.
const RTC: u16 = 1;

/// From when to when a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was made.
    pub issued: u32,
    /// Seconds after that at which it ends.
    pub lifetime: u32,
    /// Random, so that no two tokens are the same.
    pub salt: u32,
}

/// A token inflated and taken apart, its signature not yet looked at.
pub struct Token {
    /// The project.
    pub app_id: String,
    /// From when to when.
    pub times: Times,
    /// What it says about RTM.
    pub rtm: Option<Rtm>,
    signature: Vec<u8>,
    info: Vec<u8>,
}

/// The RTM service of a token.
pub struct Rtm {
    /// Who may log in.
    pub user: String,
    /// Seconds after the issue at which the privilege to log in ends, 0 with the token; `None` without the privilege.
    pub login: Option<u32>,
}

/// A token by which `user` may log in to RTM.
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
    let deflated = deflated.expect("a Vec takes everything");
    format!("{VERSION}{}", BASE64_STANDARD.encode(deflated))
}

/// What is inside the base64, inflated; `None` for what is not of the form.
pub fn inflate(token: &str) -> Option<Vec<u8>> {
    let deflated = BASE64_STANDARD.decode(token.strip_prefix(VERSION)?).ok()?;
    let mut inflated = Vec::new();
    let mut inflating = ZlibDecoder::new(deflated.as_slice()).take(MAX_INFLATED);
    inflating.read_to_end(&mut inflated).ok()?;
    Some(inflated)
}

/// `None` for what is not of the form.
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

/// Services stand in the order of their numbers, and what stands in one differs: nothing can be said of what follows
/// one that is not known, but RTM's never does.
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
    /// Whether the certificate has signed it.
    pub fn is_signed(&self, certificate: &SecretString) -> bool {
        same(&self.signature, &sign(certificate, self.times, &self.info))
    }

    /// When the privilege to log in ends; `None` without it.
    pub fn expires(&self) -> Option<u64> {
        let Times { issued, lifetime, .. } = self.times;
        let lifetime = match self.rtm.as_ref()?.login? {
            0 => lifetime,
            login => login.min(lifetime),
        };
        Some(u64::from(issued) + u64::from(lifetime))
    }
}

/// The times are the keys of the key; the certificate is what they sign.
fn sign(certificate: &SecretString, times: Times, info: &[u8]) -> [u8; 32] {
    let key = hmac(&times.issued.to_le_bytes(), &[certificate.expose_secret().as_bytes()]);
    let key = hmac(&times.salt.to_le_bytes(), &[&key]);
    hmac(&key, &[info])
}
