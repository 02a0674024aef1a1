//! Which secret has which placeholder, over a whole trace.

use std::cell::Cell;
use std::hash::BuildHasher;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foldhash::quality::RandomState;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use identity::is_lossless;

use crate::placeholder::{Class, Label, Placeholder, Shape};
use crate::policy::{Policy, Redaction};
use crate::redact::allowlist::Words;

/// Lines, and the notifications that hold one, are long.
fn looks_own(text: &str) -> bool {
    text.starts_with(crate::redact::texts::LINE) || text.starts_with(crate::redact::texts::MAILBOX)
}

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// It stays: by policy, at its first use.
    Kept,
    /// It is JSON, whose texts are replaced one by one.
    Json,
    /// It is replaced.
    By(Placeholder),
}

/// A text: its hash under a random key. Two texts of a trace that share it would share a placeholder, which shows as a
/// difference; among a million that has a chance of 10^-7 at most. The key is of this process and in no file.
type Key = u64;

/// How many texts are at hand.
const RECENT: usize = 2048;

fn slot(key: Key) -> usize {
    usize::try_from(key % RECENT as u64).unwrap_or(0)
}

/// The texts of a trace, by their keys: no more than the file has room for, so its bound is the file's.
#[derive(Debug)]
pub struct Dictionary {
    positions: HashMap<Key, u32>,
    /// In the order of first uses: what is said now was mostly said a moment ago.
    entries: Vec<Entry>,
    /// The last ones that were asked for, by the end of their keys: few enough to be at hand.
    recent: Vec<Cell<(Key, u32)>>,
    key: RandomState,
    last: u64,
    /// How many there are of those that are too short for their labels.
    short: HashMap<(Shape, usize), u64>,
    hashes: HashSet<u32>,
    attributes: HashSet<Key>,
    /// Some of them look like what the program puts together.
    odd: bool,
}

impl Dictionary {
    /// Without texts.
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

    /// Whether a text can only be the program's: it is taken apart, and need not be looked for.
    pub fn is_own(&self, text: &str) -> bool {
        !self.odd && looks_own(text)
    }

    /// What becomes of a text that was used before.
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

    /// Takes a text in as JSON.
    pub fn is_json(&mut self, text: &str) {
        self.insert(text, Entry::Json);
    }

    /// Takes in the name of an attribute, which stays where an attribute's name is.
    pub fn is_attribute(&mut self, name: &str) {
        self.attributes.insert(self.key(name));
    }

    /// Whether a text is the name of an attribute.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains(&self.key(name))
    }

    /// Takes a stand-in in: its placeholder is of a trace that was redacted before. Bytes are known in base64.
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

    /// Takes a text in at its first use.
    pub fn assign(&mut self, text: &str, class: Class, len: usize, redaction: &Redaction, words: &Words) -> Entry {
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
        words: &Words,
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
            // What is compared with a word of the program must not become one.
            if len > words.longest() || !words.has(&placeholder.stand_in()) {
                return placeholder;
            }
        }
    }

    fn insert(&mut self, text: &str, entry: Entry) {
        // A file has no room for more texts than that.
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
