//! The legacy rate limit of a channel: 200 messages a second from all its clients together (signaling-api 5.1).
//!
//! Only messages from clients of this sidecar are counted.

use std::collections::HashMap;

use parking_lot::Mutex;

use rtm::AppId;
use rtm::rate::TokenBucket;
use rtm::time::Time;
use rtm::value::Text;

/// Number of channels above which idle channels are removed.
const SWEEP_AT: usize = 1_024;

/// Message rates of channels.
#[derive(Debug)]
pub struct ChannelRates {
    per_second: u32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    buckets: HashMap<(AppId, Text), TokenBucket>,
    sweep_at: usize,
}

impl ChannelRates {
    /// Creates the rates without messages; 0 means no limit.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            inner: Mutex::default(),
        }
    }

    /// Counts a message to a channel. Returns false above the rate.
    pub fn take(&self, app: &AppId, channel: &Text, now: Time) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let inner = &mut *self.inner.lock();
        if inner.buckets.len() >= inner.sweep_at.max(SWEEP_AT) {
            inner.buckets.retain(|_, bucket| !bucket.is_full(now, self.per_second));
            inner.sweep_at = 2 * inner.buckets.len();
        }
        let bucket = inner.buckets.entry((app.clone(), channel.clone())).or_default();
        bucket.take(now, self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_channel_has_a_seconds_worth_for_all_and_each_its_own() {
        let rates = ChannelRates::new(200);
        let app = |name: &str| AppId::new(name).unwrap();
        let take = |app: &AppId, channel: &str, ms| rates.take(app, &channel.into(), at(ms));
        let one = app("one");
        assert_eq!((0..300).filter(|_| take(&one, "room", 0)).count(), 200);
        assert!(take(&one, "other", 0) && take(&app("two"), "room", 0));
        assert_eq!((0..300).filter(|_| take(&one, "room", 500)).count(), 100);
        assert!((0..10_000).all(|_| ChannelRates::new(0).take(&one, &"room".into(), at(0))));
    }

    #[test]
    fn quiet_channels_are_forgotten() {
        let rates = ChannelRates::new(200);
        let app = AppId::new("app").unwrap();
        for n in 0..10 * SWEEP_AT {
            assert!(rates.take(&app, &format!("c{n}").into(), at(10 * n as u64)));
        }
        assert!(rates.inner.lock().buckets.len() <= 2 * SWEEP_AT);
    }
}
