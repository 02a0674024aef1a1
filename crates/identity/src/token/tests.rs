use crate::token::*;

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const ACCOUNT: &str = "2882341273";
const EXPIRES: u64 = 1_514_219_634;
const TOKEN: &str = "1:970CA35de60c44645bbae8a215061b33:1514219634:82539e1f3973bcfe3f0d0c8993e6c051";

fn policy() -> TokenPolicy {
    TokenPolicy {
        app_id: Some(AppId::new(APP).unwrap()),
        certificate: Some(CERTIFICATE.into()),
        allow_no_token: false,
    }
}

fn at(secs: u64) -> Time {
    Time::from_millis(secs * 1000)
}

/// Mints and verifies one public vector.
fn check_vector(account: &str, app_id: &str, certificate: &str, expires: u64, digest: &str) {
    let (account, app_id) = (Account::new(account).unwrap(), AppId::new(app_id).unwrap());
    let certificate = SecretString::from(certificate);
    let token = format!("1:{app_id}:{expires}:{digest}");
    assert_eq!(mint(&account, &app_id, &certificate, expires), token);
    let policy = TokenPolicy {
        certificate: Some(certificate),
        ..TokenPolicy::default()
    };
    assert_eq!(
        policy.verify(&app_id, &account, &token, at(expires - 1)),
        Ok(()),
        "{token}"
    );
}

#[test]
fn public_vectors_match() {
    check_vector(ACCOUNT, APP, CERTIFICATE, EXPIRES, "82539e1f3973bcfe3f0d0c8993e6c051");
    check_vector(
        "TestAccount",
        "970ca35de60c44645bbae8a215061b33",
        "5cfd2fd1755d40ecb72977518be15d3b",
        1_446_455_471,
        "4815d52c4fd440bac35b981c12798774",
    );
    check_vector(
        "test@agora.io",
        "C5D15F8FD394285DA5227B533302A518",
        "fe1a0437bf217bdd34cd65053fb0fe1d",
        1_546_271_999,
        "2d572d6e3a75ebde5a06626f40fe9684",
    );
}

fn check(policy: &TokenPolicy, vid: &str, account: &str, token: &str, now: Time, expected: Result<(), TokenError>) {
    let (vid, account) = (AppId::new(vid).unwrap(), Account::new(account).unwrap());
    assert_eq!(
        policy.verify(&vid, &account, token, now),
        expected,
        "{vid} {account} {token}"
    );
}

/// Checks a token with the public vector's project and account, just before it expires.
fn check_token(token: &str, expected: Result<(), TokenError>) {
    check(&policy(), APP, ACCOUNT, token, at(EXPIRES - 1), expected);
}

#[test]
fn tokens_expire_at_their_second() {
    let early = Time::from_millis(EXPIRES * 1000 - 1);
    check(&policy(), APP, ACCOUNT, TOKEN, early, Ok(()));
    check(&policy(), APP, ACCOUNT, TOKEN, at(EXPIRES), Err(TokenError::Expired));
    check(
        &policy(),
        APP,
        ACCOUNT,
        TOKEN,
        at(EXPIRES + 9),
        Err(TokenError::Expired),
    );
    // The response to a forged token does not reveal that its expiry is past.
    let invented = TOKEN.replace("82539", "00000");
    check(
        &policy(),
        APP,
        ACCOUNT,
        &invented,
        at(EXPIRES + 9),
        Err(TokenError::Digest),
    );
}

#[test]
fn malformed_signaling_tokens_are_rejected() {
    check_token("", Err(TokenError::Format));
    check_token("x", Err(TokenError::Format));
    check_token(":::", Err(TokenError::Format));
    check_token(&TOKEN.replacen("1:", "2:", 1), Err(TokenError::Format));
    check_token(&TOKEN[2..], Err(TokenError::Format));
    check_token(&TOKEN[..TOKEN.len() - 1], Err(TokenError::Format));
    check_token(&format!("{TOKEN}0"), Err(TokenError::Format));
    check_token(&TOKEN.replace("1514219634", "+1514219634"), Err(TokenError::Format));
    check_token(&TOKEN.replace("1514219634", "01514219634"), Err(TokenError::Format));
    check_token(&TOKEN.replace("1514219634", "1514219634.0"), Err(TokenError::Format));
    check_token(
        &TOKEN.replace("1514219634", "99999999999999999999"),
        Err(TokenError::Format),
    );
    check_token(&format!("006{APP}"), Err(TokenError::Format));
}

#[test]
fn the_digest_covers_everything() {
    check_token(TOKEN, Ok(()));
    check_token(&TOKEN.replace("1514219634", "1514219635"), Err(TokenError::Digest));
    check_token(&TOKEN.to_uppercase(), Err(TokenError::Vendor));
    check_token(&TOKEN.replace("82539e1f", "82539E1F"), Err(TokenError::Digest));
    check(&policy(), APP, "2882341274", TOKEN, at(0), Err(TokenError::Digest));
    let other = TokenPolicy {
        certificate: Some("5CFd2fd1755d40ecb72977518be15d3c".into()),
        ..policy()
    };
    check(&other, APP, ACCOUNT, TOKEN, at(0), Err(TokenError::Digest));
}

#[test]
fn vendor_keys_must_match() {
    let lower = APP.to_lowercase();
    check(&policy(), &lower, ACCOUNT, TOKEN, at(0), Err(TokenError::Vendor));
    check_token(&TOKEN.replace(APP, &lower), Err(TokenError::Vendor));
    let any = TokenPolicy {
        app_id: None,
        ..policy()
    };
    check(&any, APP, ACCOUNT, TOKEN, at(0), Ok(()));
    check(&any, &lower, ACCOUNT, TOKEN, at(0), Err(TokenError::Vendor));
    let open = TokenPolicy {
        certificate: None,
        ..policy()
    };
    check(&open, &lower, ACCOUNT, TOKEN, at(0), Err(TokenError::Vendor));
    check(&open, APP, ACCOUNT, "", at(0), Ok(()));
}

#[test]
fn any_token_passes_without_a_certificate() {
    let open = TokenPolicy::default();
    check(&open, "any", "alice", "", at(0), Ok(()));
    check(&open, "any", "alice", NO_TOKEN, at(0), Ok(()));
    check(&open, "any", "alice", TOKEN, at(EXPIRES + 1), Ok(()));
}

#[test]
fn no_token_requires_the_debug_switch() {
    check_token(NO_TOKEN, Err(TokenError::NotAllowed));
    let debug = TokenPolicy {
        allow_no_token: true,
        ..policy()
    };
    check(&debug, APP, ACCOUNT, NO_TOKEN, at(0), Ok(()));
    check(&debug, APP, ACCOUNT, "", at(0), Err(TokenError::Format));
    check(&debug, APP, ACCOUNT, TOKEN, at(EXPIRES), Err(TokenError::Expired));
}

fn check_reason(error: TokenError, reason: &str) {
    assert_eq!(error.to_string(), reason);
}

#[test]
fn reasons_match_the_clients_codes() {
    check_reason(TokenError::Expired, "TokenErrorExpired");
    for error in [
        TokenError::Format,
        TokenError::Vendor,
        TokenError::Digest,
        TokenError::NotAllowed,
    ] {
        let reason = error.to_string();
        assert!(
            reason.starts_with("TokenError") && reason != "TokenErrorExpired",
            "{reason}"
        );
    }
}

#[test]
fn debug_prints_no_secret() {
    assert!(!format!("{:?}", policy()).contains(CERTIFICATE));
}
