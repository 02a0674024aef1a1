//! Placeholders of all secrets in a trace.

use std::cell::Cell;
use std::hash::BuildHasher;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foldhash::quality::RandomState;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use identity::is_lossless;

use crate::placeholder::{Class, Label, Placeholder, Shape};
use crate::policy::{Policy, Redaction};
use crate::redact::allowlist::{Allowlist, LINE, MAILBOX};

/// Session lines, and notifications that contain one, are long.
fn looks_own(text: &str) -> bool {
    text.starts_with(LINE) || text.starts_with(MAILBOX)
}

/// Treatment of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// Kept by the policy at its first use.
    Kept,
    /// JSON, whose texts are replaced separately.
    Json,
    By(Placeholder),
}

/// Hash of a text under a random per-process key. A collision would give two texts one placeholder, which shows as a
/// difference. Among a million texts its probability is at most 10^-7.
type Key = u64;

/// Size of the cache.
const RECENT: usize = 2048;

fn slot(key: Key) -> usize {
    usize::try_from(key % RECENT as u64).unwrap_or(0)
}

/// Texts of a trace by hash; bounded by the file's size limit.
#[derive(Debug)]
pub struct Dictionary {
    positions: HashMap<Key, u32>,
    /// In order of first use: most texts repeat recent ones.
    entries: Vec<Entry>,
    /// Direct-mapped cache of recent lookups, by the low bits of the hash.
    recent: Vec<Cell<(Key, u32)>>,
    key: RandomState,
    last: u64,
    /// Counters of secrets too short for their labels.
    short: HashMap<(Shape, usize), u64>,
    hashes: HashSet<u32>,
    attributes: HashSet<Key>,
    /// Whether some resemble texts that the program composes.
    odd: bool,
}

impl Dictionary {
    pub fn new() -> Self {
        Self {
            positions: HashMap::new(),
            entries: Vec::new(),
            recent: vec![Cell::new((0, u32::MAX)); RECENT],
            key: RandomState::default(),
            last: 0,
            short: HashMap::new(),
            hashes: HashSet::new(),
            attributes: HashSet::new(),
            odd: false,
        }
    }

    /// Returns true for a text that only the program composes: it is decomposed instead of looked up.
    pub fn is_composed(&self, text: &str) -> bool {
        !self.odd && looks_own(text)
    }

    /// Looks up a known text.
    pub fn find(&self, text: &str) -> Option<Entry> {
        let key = self.key(text);
        let recent = &self.recent[slot(key)];
        let at = match recent.get() {
            (last, at) if last == key && at != u32::MAX => at,
            _ => *self.positions.get(&key)?,
        };
        recent.set((key, at));
        self.entries.get(usize::try_from(at).ok()?).copied()
    }

    /// Registers a text as JSON.
    pub fn is_json(&mut self, text: &str) {
        self.insert(text, Entry::Json);
    }

    /// Registers an attribute's name, which is kept in that role.
    pub fn is_attribute(&mut self, name: &str) {
        self.attributes.insert(self.key(name));
    }

    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains(&self.key(name))
    }

    /// Registers a stand-in of an earlier redaction. Bytes are registered in base64.
    pub fn learn(&mut self, placeholder: Placeholder) {
        let mut text = placeholder.stand_in();
        if placeholder.class == Class::Bytes {
            text = STANDARD.encode(text);
        }
        self.insert(&text, Entry::By(placeholder));
        match placeholder.label {
            Label::Number(number) => self.last = self.last.max(number),
            Label::Hash(hash) => drop(self.hashes.insert(hash)),
        }
        if let Some(short) = placeholder.short {
            let next = self.short.entry((placeholder.shape, placeholder.len)).or_default();
            *next = (*next).max(short + 1);
        }
    }

    /// Registers a text at its first use.
    pub fn assign(&mut self, text: &str, class: Class, len: usize, redaction: &Redaction, words: &Allowlist) -> Entry {
        let policy = if class.is_name() {
            redaction.names
        } else {
            redaction.bodies
        };
        let entry = if policy == Policy::Keep {
            Entry::Kept
        } else {
            Entry::By(self.placeholder(text, class, len, policy, redaction, words))
        };
        self.odd = self.odd || looks_own(text);
        self.insert(text, entry);
        entry
    }

    fn placeholder(
        &mut self,
        text: &str,
        class: Class,
        len: usize,
        policy: Policy,
        redaction: &Redaction,
        words: &Allowlist,
    ) -> Placeholder {
        let shape = match class {
            Class::Bytes => Shape::Plain,
            // Not a legal account, like one with spaces.
            Class::Account if !is_lossless(text) => Shape::Spaced,
            _ => Shape::of(text),
        };
        let mut attempt = 0;
        loop {
            let label = match policy {
                Policy::Hash => {
                    let hash = redaction.hash(text, attempt);
                    attempt += 1;
                    if !self.hashes.insert(hash) {
                        continue;
                    }
                    Label::Hash(hash)
                }
                Policy::Placeholder | Policy::Keep => {
                    self.last += 1;
                    Label::Number(self.last)
                }
            };
            let mut placeholder = Placeholder {
                class,
                label,
                short: None,
                len,
                shape,
            };
            if !placeholder.has_room() {
                let next = self.short.entry((shape, len)).or_default();
                placeholder.short = Some(*next);
                *next += 1;
            }
            // A stand-in must not equal a word of the program.
            if len > words.longest() || !words.has(&placeholder.stand_in()) {
                return placeholder;
            }
        }
    }

    fn insert(&mut self, text: &str, entry: Entry) {
        // A file cannot hold more texts.
        if let Ok(at) = u32::try_from(self.entries.len()) {
            let key = self.key(text);
            self.entries.push(entry);
            self.positions.insert(key, at);
            self.recent[slot(key)].set((key, at));
        }
    }

    fn key(&self, text: &str) -> Key {
        self.key.hash_one(text)
    }
}
