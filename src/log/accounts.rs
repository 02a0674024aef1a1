//! Account names in log lines.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config;
use identity::{MAX_NAME_BYTES, SessionLineKey};

/// Bytes of a hash: 48 bits distinguish a million accounts.
const BYTES: usize = 6;
const PURPOSE: &[u8] = b"sigbridge log account 1\0";

/// Formatter of account names, by configuration.
#[derive(Clone)]
pub struct Accounts(Style);

#[derive(Clone)]
enum Style {
    Keep,
    /// Keyed, since accounts are often phone numbers, which a plain hash would not protect.
    Hash(Hmac<Sha256>),
    Off,
}

impl Accounts {
    /// Creates a formatter; its key derives from the session line key.
    pub fn new(style: config::Accounts, key: &SessionLineKey) -> Self {
        Self(match style {
            config::Accounts::Keep => Style::Keep,
            config::Accounts::Hash => {
                let key = key.derived(PURPOSE);
                Style::Hash(Hmac::new_from_slice(&key).expect("HMAC accepts keys of any length"))
            }
            config::Accounts::Off => Style::Off,
        })
    }

    /// Formats an account, which may be any text that a client sends.
    pub fn name(&self, app: &str, account: &str) -> Option<Box<str>> {
        match &self.0 {
            Style::Keep => Some(account[..account.floor_char_boundary(MAX_NAME_BYTES)].into()),
            Style::Hash(key) => {
                let hash = key.clone().chain_update(app).chain_update([0]).chain_update(account);
                let hash = hash.finalize().into_bytes();
                Some(
                    hash[..BYTES]
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<String>()
                        .into(),
                )
            }
            Style::Off => None,
        }
    }
}

/// Omits the key.
impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Style::Keep => "Keep",
            Style::Hash(_) => "Hash(..)",
            Style::Off => "Off",
        })
    }
}

/// Formats an App ID, which may be any text that a client sends.
pub fn app(app: &str) -> Box<str> {
    app[..app.floor_char_boundary(MAX_NAME_BYTES)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(style: config::Accounts, key: &[u8], app: &str, account: &str) -> Option<String> {
        let key = SessionLineKey::new(key).expect("long enough");
        Accounts::new(style, &key).name(app, account).map(Into::into)
    }

    #[test]
    fn accounts_are_named_as_the_config_wants() {
        use config::Accounts::{Hash, Keep, Off};
        const KEY: &[u8] = b"0123456789abcdef";
        assert_eq!(name(Keep, KEY, "app", "alice").as_deref(), Some("alice"));
        assert_eq!(name(Keep, KEY, "app", &"é".repeat(100)), Some("é".repeat(64)));
        assert_eq!(name(Off, KEY, "app", "alice"), None);
        let hash = name(Hash, KEY, "app", "alice");
        // Python: hmac.new(hmac.new(KEY, PURPOSE, sha1).digest(), b"app\0alice", sha256).hexdigest()[:12]
        assert_eq!(hash.as_deref(), Some("b3c4ba7ce403"));
        for (key, app, account) in [
            (&b"0123456789abcdeX"[..], "app", "alice"),
            (KEY, "ap", "palice"),
            (KEY, "app", "Alice"),
        ] {
            assert_ne!(name(Hash, key, app, account), hash);
        }
    }
}
