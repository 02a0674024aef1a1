//! The script of a batch, in its two forms.

use std::sync::LazyLock;

use sha1::{Digest, Sha1};

const BODY: &str = include_str!("batch.lua");

/// A script with its hash, by which Redis finds it.
pub struct Script {
    /// The text.
    pub text: String,
    /// The hash of the text.
    pub hash: String,
}

impl Script {
    /// Creates a script with its hash.
    pub fn new(text: String) -> Self {
        let hash = Sha1::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { text, hash }
    }
}

/// The script. Redis refuses it as a whole when its memory is full.
pub static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(text_of(false)));

/// The same, for batches that only free memory.
pub static SCRIPT_THAT_FREES: LazyLock<Script> = LazyLock::new(|| Script::new(text_of(true)));

/// The text of the script, or of the one that only frees memory.
pub fn text_of(frees: bool) -> String {
    let flags = if frees { " flags=allow-oom" } else { "" };
    format!("#!lua{flags}\n{BODY}")
}

/// Prefix of the keys of an app. Its hash tag keeps an app in one slot of a cluster.
pub fn prefix(app: &str) -> String {
    let mut out = String::from("{sb:");
    for c in app.chars() {
        match c {
            // They would end the tag, or make one app's keys look like another's.
            '{' | '}' | '%' => out.push_str(&format!("%{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('}');
    out
}
