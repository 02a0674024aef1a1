use proptest::prelude::*;

use crate::codec::*;

fn account(text: &str) -> Account {
    Account::new(text).expect("the case is a legal account")
}

fn user(text: &str) -> UserId {
    UserId::new(text).expect("the case is a legal user id")
}

/// Checks both directions of a pair.
fn check_pair(legacy: &str, rtm: &str) {
    assert_eq!(account_to_user_id(&account(legacy)).as_str(), rtm, "{legacy:?} to RTM");
    assert_eq!(user_id_to_account(&user(rtm)).as_str(), legacy, "{rtm:?} to legacy");
    let channel = ChannelName::new(legacy).expect("the case is a legal channel");
    assert_eq!(channel_to_rtm(&channel).as_str(), rtm, "{legacy:?} to RTM");
    assert_eq!(
        channel_from_rtm(&channel_to_rtm(&channel)),
        channel,
        "{rtm:?} to legacy"
    );
}

#[test]
fn plain_names_are_unchanged() {
    check_pair("alice", "alice");
    check_pair("user@example.com", "user@example.com");
    check_pair("50%25", "50%25");
    check_pair("NULL", "NULL");
    check_pair("~", "~");
    check_pair("~b", "~b");
    check_pair("~x.YQ", "~x.YQ");
    check_pair("~B.YQ", "~B.YQ");
    check_pair(&"x".repeat(64), &"x".repeat(64));
}

#[test]
fn names_illegal_in_rtm_are_encoded_as_bytes() {
    check_pair("null", "~b.bnVsbA");
    check_pair("張", "~b.5by1");
    check_pair("a/b", "~b.YS9i");
    check_pair(&"/".repeat(45), &format!("~b.{}", "Ly8v".repeat(15)));
}

#[test]
fn names_with_a_prefix_are_escaped() {
    check_pair("~b.", "~b.fmIu");
    check_pair("~b.bnVsbA", "~b.fmIuYm5Wc2JB");
    check_pair("~r.foo", "~b.fnIuZm9v");
    // The raw form of an id that does not need it.
    check_pair("~r.YWxpY2U", "~b.fnIuWVd4cFkyVQ");
}

#[test]
fn ids_illegal_in_legacy_lines_are_raw() {
    check_pair("~r.YSBi", "a b");
    check_pair("~r.YSA", "a ");
    check_pair("~r.fmguIHg", "~h. x");
}

/// Checks an RTM id that was not encoded: it is displayed in the raw form, which decodes to it.
fn check_raw(id: &str) {
    check_pair(&format!("~r.{}", URL_SAFE_NO_PAD.encode(id)), id);
}

#[test]
fn ids_with_an_invalid_escape_are_raw() {
    check_raw("~b."); // empty name
    check_raw("~b.!!"); // no base64url
    check_raw("~b.YWI="); // padding
    check_raw("~b.YWJ"); // trailing bits that the encoder leaves 0
    check_raw("~b._w"); // not UTF-8
    check_raw("~b.YSBi"); // "a b", no legal name
    check_raw("~b.YWxpY2U"); // "alice", which goes as it is
    check_raw("~b.fnIuWVNCaQ"); // "~r.YSBi", which goes as "a b"
    check_raw("~r.");
    check_raw("~r.YSBi");
    check_raw("~r.x y");
}

fn check_hashed(legacy: &str, rtm: &str) {
    assert_eq!(account_to_user_id(&account(legacy)).as_str(), rtm, "{legacy:?}");
    assert_eq!(user_id_to_account(&user(rtm)).as_str(), rtm, "a hash is its own name");
    assert_eq!(account_to_user_id(&account(rtm)).as_str(), rtm, "and leads back");
}

#[test]
fn long_names_are_hashed() {
    // printf 'x%.0s' {1..65} | openssl sha256 -binary | basenc --base64url
    check_hashed(&"x".repeat(65), "~h.lTfF_fEgSC99WNJentWD9SwCtOME6oFNsWM61WWu1-k");
    check_hashed(&"/".repeat(46), "~h.NH7rLhV2Vw7bj7nMeUUzQdNytB9xm7YD5WjNFSZDHR4");
    check_hashed(&"x".repeat(128), "~h.JNobgdCxbfZCju5zxp_LKpPHa8bfcG8MZnD-a_6ABGQ");
}

fn check_alias(name: &str, expected: bool) {
    assert_eq!(is_alias(&account(name)), expected, "{name:?}");
}

#[test]
fn aliases_name_another_user() {
    check_alias("alice", false);
    check_alias("~b.bnVsbA", false);
    check_alias("~h.short", false);
    check_alias("~r.foo", false);
    check_alias("~r.YWxpY2U", false);
    check_alias("~r.YSBi", true);
    check_alias(account_to_user_id(&account(&"x".repeat(65))).as_str(), true);
}

/// Names of every kind: plain, any visible text, and texts that look escaped once or twice. A login
/// under a reserved id would be logged out by sigbridge, and vice versa.
#[test]
fn reserved_users_match_no_account() {
    for name in ["sigbridge-doctor-1", "sigbridge-doctor-2"] {
        let id = reserved_user(name).expect("a legal id");
        assert!(is_alias(&user_id_to_account(&id)), "{id:?}");
        for account in [
            name.to_owned(),
            id.as_str().to_owned(),
            format!("~b.{name}"),
            format!("~h.{name}"),
        ] {
            let account = account_to_user_id(&Account::new(&*account).expect("a legal account"));
            assert_ne!(account, id);
        }
    }
    assert_eq!(reserved_user(&"x".repeat(65)), None);
}

fn names() -> impl Strategy<Value = String> {
    let plain = "[a-z0-9@._~-]{1,70}";
    let any = "\\PC{1,60}".prop_map(|text: String| text.chars().filter(|c| !c.is_whitespace()).collect());
    let odd = "[~bhr.=A-Za-z0-9_-]{1,64}";
    prop_oneof![plain.boxed(), any.boxed(), odd.boxed(), escaped().boxed()]
        .prop_filter("legal", |name: &String| Account::new(&**name).is_ok())
}

/// RTM ids of every kind.
fn ids() -> impl Strategy<Value = String> {
    let chars: String = (' '..='~').filter(|&c| UserId::new(format!("x{c}")).is_ok()).collect();
    let any = proptest::collection::vec(proptest::sample::select(chars.chars().collect::<Vec<_>>()), 1..=64)
        .prop_map(String::from_iter);
    prop_oneof![any.boxed(), escaped().boxed()].prop_filter("legal", |id: &String| UserId::new(&**id).is_ok())
}

/// A prefix before base64url, or almost base64url, of a text that may itself be escaped.
fn escaped() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[a-z ~./]{0,12}".boxed(), "~[bhr]\\.[A-Za-z0-9_=-]{0,45}".boxed()];
    leaf.prop_recursive(3, 8, 1, |inner| {
        let prefix = prop_oneof![Just(BYTES), Just(HASH), Just(RAW)];
        (prefix, inner, "=?").prop_map(|(prefix, text, pad)| format!("{prefix}{}{pad}", URL_SAFE_NO_PAD.encode(text)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn unhashed_names_round_trip(name in names()) {
        let name = account(&name);
        let id = account_to_user_id(&name);
        if !is_hash(id.as_str()) {
            prop_assert_eq!(user_id_to_account(&id), name);
        }
    }

    #[test]
    fn ids_round_trip(id in ids()) {
        let id = user(&id);
        prop_assert_eq!(account_to_user_id(&user_id_to_account(&id)), id);
    }

    #[test]
    fn only_aliases_share_an_id(name in names()) {
        let name = account(&name);
        let shown = user_id_to_account(&account_to_user_id(&name));
        prop_assert!(shown == name || is_alias(&shown), "{name:?} would be shown as {shown:?}");
    }

    #[test]
    fn channels_are_coded_like_accounts(name in names()) {
        let id = channel_to_rtm(&ChannelName::new(&*name).unwrap());
        let user_id = account_to_user_id(&account(&name));
        prop_assert_eq!(id.as_str(), user_id.as_str());
    }
}
