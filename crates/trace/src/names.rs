//! Name translations, recorded as they are requested: a redacted trace has other names (decisions H12).

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet};
use parking_lot::Mutex;

use engine::{Names, derived_uid};
use identity::lossy_codec;
use rtm::AppId;
use rtm::value::{Text, Value};

use crate::record::{Dir, Leg};
use crate::session_recorder::SessionRecorder;

/// Recorder of a session's name translations, each recorded once.
pub struct RecordedNames {
    inner: Arc<dyn Names>,
    tape: SessionRecorder,
    /// Hashes of recorded names; a collision would lose one record, and clients cannot force it.
    recorded: Mutex<RecordedKeys>,
    key: RandomState,
}

impl RecordedNames {
    pub fn new(inner: Arc<dyn Names>, tape: SessionRecorder) -> Self {
        Self {
            inner,
            tape,
            recorded: Mutex::default(),
            key: RandomState::default(),
        }
    }

    fn emit(&self, which: &'static str, requested: &Text, answer: impl FnOnce() -> Value) {
        let at = WHICH.iter().position(|known| *known == which).unwrap_or(WHICH.len());
        if self.recorded.lock().is_new(at, self.key.hash_one((at, requested))) {
            let pair = Value::List(vec![requested.clone().into(), answer()]);
            let data = Value::Map(vec![("name".into(), Value::Map(vec![(which.into(), pair)]))]);
            self.tape.push(Leg::Env, Dir::In, data);
        }
    }
}

/// Recorded names.
#[derive(Default)]
struct RecordedKeys {
    all: HashSet<u64>,
    /// Last name per direction, a fast path for repeated requests.
    last: [u64; WHICH.len() + 1],
}

impl RecordedKeys {
    fn is_new(&mut self, which: usize, hash: u64) -> bool {
        std::mem::replace(&mut self.last[which], hash) != hash && self.all.insert(hash)
    }
}

impl Names for RecordedNames {
    fn user_id(&self, account: &Text) -> Text {
        let id = self.inner.user_id(account);
        self.emit("userId", account, || id.clone().into());
        id
    }

    fn account(&self, user_id: &Text) -> Text {
        let account = self.inner.account(user_id);
        self.emit("account", user_id, || account.clone().into());
        account
    }

    fn channel_id(&self, channel: &Text) -> Text {
        let id = self.inner.channel_id(channel);
        self.emit("channelId", channel, || id.clone().into());
        id
    }

    fn channel(&self, channel_id: &Text) -> Text {
        let channel = self.inner.channel(channel_id);
        self.emit("channel", channel_id, || channel.clone().into());
        channel
    }

    fn uid(&self, account: &Text) -> i64 {
        let uid = self.inner.uid(account);
        self.emit("uid", account, || uid.into());
        uid
    }
}

/// Translations with a text result.
const WHICH: [&str; 4] = ["userId", "account", "channelId", "channel"];
/// Their places.
const USER_ID: usize = 0;
const ACCOUNT: usize = 1;
const CHANNEL_ID: usize = 2;
const CHANNEL: usize = 3;

/// Names that a trace has.
#[derive(Clone, Debug, Default)]
pub struct ReadNames {
    texts: [HashMap<Text, Text>; WHICH.len()],
    uids: HashMap<Text, i64>,
}

impl ReadNames {
    /// Reads the data of a name record.
    pub fn learn(&mut self, data: &Value) {
        for (which, pair) in data.get("name").and_then(Value::as_map).unwrap_or_default() {
            match pair.as_list() {
                Some([Value::Text(requested), Value::Text(answer)]) => {
                    if let Some(at) = WHICH.iter().position(|known| *known == &**which) {
                        self.texts[at].insert(requested.clone(), answer.clone());
                    }
                }
                Some([Value::Text(requested), Value::Int(uid)]) => {
                    self.uids.insert(requested.clone(), *uid);
                }
                _ => {}
            }
        }
    }

    /// Returns a translation, if the trace has it.
    fn known(&self, which: usize, requested: &Text) -> Option<Text> {
        self.texts[which].get(requested).cloned()
    }

    /// Returns an account's number, if the trace has it.
    fn known_uid(&self, account: &Text) -> Option<i64> {
        self.uids.get(account).copied()
    }
}

/// Names of a session of a trace: those that the trace has, else computed ones.
#[derive(Clone, Debug, Default)]
pub struct TraceNames {
    pub read: Arc<ReadNames>,
    /// App for the derivation of uids; without it an unknown uid is 0.
    pub app: Option<AppId>,
}

impl Names for TraceNames {
    fn user_id(&self, account: &Text) -> Text {
        let known = self.read.known(USER_ID, account);
        known.unwrap_or_else(|| lossy_codec::user_id(account))
    }

    fn account(&self, user_id: &Text) -> Text {
        let known = self.read.known(ACCOUNT, user_id);
        known.unwrap_or_else(|| lossy_codec::account(user_id))
    }

    fn channel_id(&self, channel: &Text) -> Text {
        let known = self.read.known(CHANNEL_ID, channel);
        known.unwrap_or_else(|| lossy_codec::channel_id(channel))
    }

    fn channel(&self, channel_id: &Text) -> Text {
        let known = self.read.known(CHANNEL, channel_id);
        known.unwrap_or_else(|| lossy_codec::channel(channel_id))
    }

    fn uid(&self, account: &Text) -> i64 {
        let derived = || Some(derived_uid(self.app.as_ref()?, account));
        self.read.known_uid(account).or_else(derived).unwrap_or(0)
    }
}
