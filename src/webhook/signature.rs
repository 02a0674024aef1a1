//! The signatures of the vendor's notification service: over the raw body, in lower-case hex (upstreams 3.4).

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Header of [`v1`].
pub const HEADER: &str = "agora-signature";
/// Header of [`v2`].
pub const HEADER_V2: &str = "agora-signature-v2";

/// Computes HMAC-SHA1, for receivers without SHA-256.
pub fn v1(secret: &SecretString, body: &[u8]) -> String {
    hex(&keyed::<Hmac<Sha1>>(secret).chain_update(body).finalize().into_bytes())
}

/// Computes HMAC-SHA256.
pub fn v2(secret: &SecretString, body: &[u8]) -> String {
    hex(&keyed::<Hmac<Sha256>>(secret).chain_update(body).finalize().into_bytes())
}

/// Signatures given to a verifier; `v2` takes precedence.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuppliedSignatures<'g> {
    /// Value of [`HEADER`].
    pub v1: Option<&'g str>,
    /// Value of [`HEADER_V2`].
    pub v2: Option<&'g str>,
}

/// Verifies a body's signature in constant time for signatures of the right length. Returns false without a
/// signature.
pub fn verify(secret: &SecretString, body: &[u8], given: SuppliedSignatures<'_>) -> bool {
    let (expected, given) = match (given.v2, given.v1) {
        (Some(given), _) => (v2(secret, body), given),
        (None, Some(given)) => (v1(secret, body), given),
        (None, None) => return false,
    };
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn keyed<M: Mac + KeyInit>(secret: &SecretString) -> M {
    <M as KeyInit>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC accepts keys of any length")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}"#;
    const V1: &str = "033c62f40f687675f17f0f41f91a40c71c0f134c";
    const V2: &str = "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99";

    fn secret() -> SecretString {
        "secret".into()
    }

    fn check_vector(body: &str, in_v1: &str, in_v2: &str) {
        assert_eq!(v1(&secret(), body.as_bytes()), in_v1, "{body}");
        assert_eq!(v2(&secret(), body.as_bytes()), in_v2, "{body}");
    }

    #[test]
    fn public_vectors_match() {
        check_vector(BODY, V1, V2);
        check_vector(
            &BODY.replace(r#""eventMs":1560408533119,"#, ""),
            "5a3bb6a6d9fad2ea9ae3fb707a14c9d7f3136df1",
            "de96da5acf03b0021ac3b4fa2225e7ae6f3533a30d50bb02c08ea4fa748bda24",
        );
    }

    fn check(v1: Option<&str>, v2: Option<&str>, expected: bool) {
        let given = SuppliedSignatures { v1, v2 };
        assert_eq!(verify(&secret(), BODY.as_bytes(), given), expected, "{given:?}");
    }

    #[test]
    fn the_stronger_signature_decides() {
        check(Some(V1), None, true);
        check(None, Some(V2), true);
        check(Some(V1), Some(V2), true);
        check(Some("x"), Some(V2), true);
        check(Some(V1), Some("x"), false);
        check(Some(V1), Some(""), false);
        check(None, None, false);
        check(Some(V2), None, false);
        check(None, Some(&V2.to_uppercase()), false);
        check(None, Some(&V2[1..]), false);
        let other = SecretString::from("Secret");
        let given = SuppliedSignatures { v1: None, v2: Some(V2) };
        assert!(!verify(&other, BODY.as_bytes(), given));
        assert!(!verify(&secret(), &BODY.as_bytes()[1..], given));
    }
}
