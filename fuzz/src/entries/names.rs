//! Names and secrets that clients send: accounts, channels, attributes, session lines, tokens.

use std::sync::LazyLock;

use identity::access_token::{self, Expected};
use identity::{
    Account, AppId, ChannelName, SessionLineKey, TokenPolicy, attribute, codec, is_lossless, lossy_codec, token,
};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, UserId};
use secrecy::SecretString;
use tables::duration::parse_duration;

use super::{selected, text};

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

static KEY: LazyLock<SessionLineKey> =
    LazyLock::new(|| SessionLineKey::new(b"0123456789abcdef").expect("a key that is long enough"));

/// The first byte selects the reader.
pub fn names(data: &[u8]) {
    let (choice, rest) = selected(data);
    let text = text(rest);
    match choice % 5 {
        0 => line(&text),
        1 => signaling_token(&text),
        2 => rtm_token(&text),
        3 => name(&text),
        _ => attributes(&text),
    }
}

/// Only lines that the key has issued are valid.
fn line(text: &str) {
    if let Ok(session) = KEY.verify(text) {
        assert_eq!(KEY.issue(session).as_str(), text);
    }
}

/// Only tokens that the certificate has signed are valid.
fn signaling_token(text: &str) {
    let policy = TokenPolicy {
        app_id: None,
        certificate: Some(CERTIFICATE.into()),
        allow_no_token: false,
    };
    let app = AppId::new(APP).expect("an app id");
    let account = Account::new("alice").expect("an account");
    let now = Time::from_millis(1_600_000_000_000);
    if policy.verify(&app, &account, text, now).is_ok() {
        let (_, expires) = token::claims(text).expect("a valid token has claims");
        assert_eq!(token::mint(&account, &app, &CERTIFICATE.into(), expires), text);
    }
}

fn rtm_token(text: &str) {
    let certificate: SecretString = CERTIFICATE.into();
    for account in [None, Some("alice")] {
        let expected = Expected {
            app_id: None,
            account,
            certificate: Some(&certificate),
            now: 1_600_000_000,
        };
        if let Some(parsed) = access_token::parse(text, expected) {
            assert!(!format!("{parsed:?}").contains(CERTIFICATE));
        }
    }
}

/// Names are the same after the way to RTM and back, and so are the ids of RTM.
fn name(text: &str) {
    let plain: Text = text.into();
    let lossy = (lossy_codec::user_id(&plain), lossy_codec::channel_id(&plain));
    let _ = (lossy_codec::account(&lossy.0), lossy_codec::channel(&lossy.1));
    if let Ok(account) = Account::new(text)
        && is_lossless(text)
        && !codec::is_alias(&account)
    {
        let id = codec::account_to_user_id(&account);
        let back = codec::user_id_to_account(&id);
        // A hashed name is known by its hash only.
        assert!(
            back == account || codec::account_to_user_id(&back) == id,
            "{account} {id} {back}"
        );
    }
    if let Ok(channel) = ChannelName::new(text) {
        let id = codec::channel_to_rtm(&channel);
        let back = codec::channel_from_rtm(&id);
        assert!(
            back == channel || codec::channel_to_rtm(&back) == id,
            "{channel} {id} {back}"
        );
    }
    if let Ok(id) = UserId::new(text) {
        let _ = codec::user_id_to_account(&id);
    }
    if let Ok(id) = ChannelId::new(text) {
        let _ = codec::channel_from_rtm(&id);
    }
    let _ = (codec::reserved_user(text), parse_duration(text));
}

/// Attributes are the same after the way to RTM and back.
fn attributes(text: &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let (name, value): (Text, Text) = (name.into(), value.into());
    let stored = attribute::encode(&name, &value);
    let decoded = attribute::decode(&stored, Text::clone, |_, value| value);
    assert_eq!(decoded, [(name, value)]);
    // An attribute of another user of RTM.
    let foreign: Vec<(Text, Text)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let _ = attribute::decode(&foreign, Text::clone, |_, value| value);
}
