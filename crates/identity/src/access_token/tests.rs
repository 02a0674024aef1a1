use secrecy::{ExposeSecret, SecretString};

use rtm::{AppId, UserId};

use crate::access_token::*;

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
/// The time of issue in the vectors of both versions.
const ISSUED: u64 = 1_111_111;
const OF_006: &str = "006970CA35de60c44645bbae8a215061b33IAAsR0qgiCxv0vrpRcpkz5BrbfEWCBZ6kvR6t7qG/wJIQob86ogAAAAAEAABAAAAR/QQAAEA6AOvKDdW";
const OF_007: &str = "007eJxTYOCdJftjyTM2zxW6Xhm/5T0j5LdcUt/xYVt48fb5Mp3PX9coMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhJiBmBPM5GUpSi0viS4tTiwBZVh6A";

fn certificate() -> SecretString {
    CERTIFICATE.into()
}

fn minter(kind: Kind, lifetime: u32) -> TokenMinter {
    TokenMinter::new(kind, AppId::new(APP).unwrap(), certificate(), lifetime).unwrap()
}

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

/// Checks a public vector of version 006: one privilege that ends at 1446455471.
fn check_006(channel: &str, uid: &str, privilege: u16, expected: &str) {
    let names = v006::Names {
        app_id: APP,
        channel,
        uid,
    };
    let message = v006::Message {
        salt: 1,
        expires: 1_111_111,
        privileges: vec![(privilege, 1_446_455_471)],
    };
    assert_eq!(v006::mint(names, &certificate(), &message), expected, "{channel}");
    let token = v006::parse(expected).expect(channel);
    assert_eq!((token.app_id, &token.message), (APP, &message), "{channel}");
    assert!(
        token.is_for(names) && token.is_signed(names, &certificate()),
        "{channel}"
    );
    assert_eq!(
        token.expires(privilege),
        Some(1_111_111),
        "{channel}: the token ends first"
    );
    assert_eq!(token.expires(privilege + 1), None, "{channel}");
}

#[test]
fn public_vectors_of_006_match() {
    check_006("test_user", "", privilege::LOGIN_006, OF_006);
    // An RTC token by the same rule.
    check_006(
        "7d72365eb983485397e3e3f9d460bdda",
        "2882341273",
        1,
        "006970CA35de60c44645bbae8a215061b33IACV0fZUBw+72cVoL9eyGGh3Q6Poi8bgjwVLnyKSJyOXR7dIfRBXoFHlEAABAAAAR/QQAAEAAQCvKDdW",
    );
}

/// Checks a public vector of version 007. Another deflate gives another text, so the inflated texts
/// are compared.
fn check_007(account: &str, expected: &str) {
    let minted = minter(Kind::V007, 600).mint_with(&user(account), ISSUED, 1);
    let expected = v007::inflate(expected).expect(account);
    assert_eq!(v007::inflate(minted.token.expose_secret()), Some(expected), "{account}");
    assert_eq!(
        (minted.renew_at, minted.expires_at),
        (ISSUED + 300, ISSUED + 600),
        "{account}"
    );
}

#[test]
fn public_vectors_of_007_match() {
    check_007("test_user", OF_007);
    // The same from Go's deflate, whose stream ends differently.
    check_007(
        "test_user",
        "007eJxSYOCdJftjyTM2zxW6Xhm/5T0j5LdcUt/xYVt48fb5Mp3PX9coMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhJgZGBkYwn5OhJLW4JL60OLUIEAAA//9ZVh6A",
    );
    check_007(
        "2882341273",
        "007eJxTYEhuZrAR/XT+XPihI+6t4t5F9RtUltw9em3Pwi2sr6P/lAspMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhJiBmBPO5GIwsLIyMTQyNzI0BndAdKg==",
    );
    let hex: String = v007::inflate(OF_007)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        "20000d9a1df8a4e60649a82d4a68fb1f49581fb4d227b8f0b65773b79f1c89e7eb7c2000393730434133356465363063343436343562\
         626165386132313530363162333347f4100058020000010000000100020001000100580200000900746573745f75736572"
    );
}

/// Checks the result of a verifier that has all values.
fn check(token: &str, change: impl Fn(&mut Expected<'_>), expected: Option<Problem>) {
    let certificate = certificate();
    let mut known = Expected {
        app_id: Some(APP),
        account: Some("test_user"),
        certificate: Some(&certificate),
        now: ISSUED,
    };
    change(&mut known);
    let parsed = parse(token, known).expect(token);
    assert_eq!(parsed.app_id, APP, "{token}");
    assert_eq!(parsed.problem, expected, "{token}");
}

#[test]
fn tokens_are_verified() {
    let fresh = |kind| minter(kind, 600).mint(&user("test_user"), ISSUED).unwrap().token;
    let other = SecretString::from("00000000000000000000000000000000");
    for kind in [Kind::V006, Kind::V007] {
        let token = fresh(kind);
        assert_ne!(token.expose_secret(), fresh(kind).expose_secret(), "{kind:?}: salted");
        let token = token.expose_secret();
        check(token, |_| {}, None);
        check(token, |known| known.app_id = None, None);
        check(token, |known| known.now = ISSUED + 599, None);
        check(token, |known| known.now = ISSUED + 600, Some(Problem::Expired));
        check(token, |known| known.app_id = Some("x"), Some(Problem::AppId));
        check(token, |known| known.account = Some("x"), Some(Problem::Account));
        check(token, |known| known.certificate = None, Some(Problem::NoCertificate));
        let known = Expected {
            app_id: None,
            account: Some("test_user"),
            certificate: Some(&other),
            now: ISSUED,
        };
        assert_eq!(
            parse(token, known).unwrap().problem,
            Some(Problem::Signature),
            "{kind:?}"
        );
    }
    check(OF_006, |known| known.account = None, Some(Problem::NoAccount));
    check(OF_006, |_| {}, Some(Problem::Expired));
    check(OF_007, |known| known.account = None, None);
}

#[test]
fn only_login_privileges_count() {
    let names = v006::Names {
        app_id: APP,
        channel: "test_user",
        uid: "",
    };
    let message = |privileges| v006::Message {
        salt: 1,
        expires: 2_000_000,
        privileges,
    };
    let of = |privileges| v006::mint(names, &certificate(), &message(privileges));
    check(&of(vec![(1, 0)]), |_| {}, Some(Problem::NoLogin));
    check(&of(vec![]), |_| {}, Some(Problem::NoLogin));
    check(&of(vec![(1, 0), (1000, 0)]), |_| {}, None);
    check(&of(vec![(1000, 1_111_112)]), |_| {}, None);
    check(&of(vec![(1000, 1_111_111)]), |_| {}, Some(Problem::Expired));
}

#[test]
fn malformed_tokens_are_rejected() {
    let known = Expected {
        app_id: None,
        account: None,
        certificate: None,
        now: 0,
    };
    let cut = |token: &str| {
        for end in 0..token.len() {
            assert_eq!(parse(&token[..end], known), None, "{}", &token[..end]);
        }
    };
    cut(OF_006);
    for text in [
        "",
        "007",
        "006",
        "007AAAA",
        "007é",
        "006é",
        "1:a:1:b",
        "_no_need_token",
        "008x",
    ] {
        assert_eq!(parse(text, known), None, "{text:?}");
    }
    // At most 64 KiB are inflated.
    use base64::Engine as _;
    use std::io::Write as _;
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 10_000_000]).unwrap();
    let bomb = format!("007{}", base64::prelude::BASE64_STANDARD.encode(bomb.finish().unwrap()));
    assert_eq!(v007::inflate(&bomb).map(|inflated| inflated.len()), Some(64 * 1024));
}

#[test]
fn invalid_projects_are_refused() {
    let check = |app: &str, certificate: &str, lifetime, expected| {
        let made = TokenMinter::new(Kind::V007, AppId::new(app).unwrap(), certificate.into(), lifetime);
        assert_eq!(made.map(|_| ()), expected, "{app} {certificate} {lifetime}");
    };
    check(APP, CERTIFICATE, 1, Ok(()));
    check(APP, CERTIFICATE, MAX_LIFETIME, Ok(()));
    check(APP, CERTIFICATE, 0, Err(BadProject::Lifetime));
    check(APP, CERTIFICATE, MAX_LIFETIME + 1, Err(BadProject::Lifetime));
    check("abc", CERTIFICATE, 600, Err(BadProject::AppId));
    check(APP, "", 600, Err(BadProject::Certificate));
    check(APP, &CERTIFICATE.replace('5', "x"), 600, Err(BadProject::Certificate));
}

#[test]
fn debug_shows_no_secret() {
    let minter = minter(Kind::V006, 600);
    let shown = format!("{minter:?} {:?}", minter.mint_with(&user("test_user"), ISSUED, 1));
    assert!(!shown.contains(CERTIFICATE) && !shown.contains("006970CA"), "{shown}");
}
