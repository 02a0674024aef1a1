//! RTM's rate of requests for an app id (upstreams 2), kept here so that none is refused there.

use std::collections::HashMap;

use parking_lot::Mutex;

use rtm::AppId;
use rtm::time::Time;

/// App ids whose requests are counted at once; without `[auth]` clients pick them.
const MAX_APPS: usize = 1024;

/// Requests of the current second, by app id.
pub struct Rate {
    per_second: u32,
    used: Mutex<HashMap<AppId, (u64, u32)>>,
}

impl Rate {
    /// So many requests a second for each app id.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            used: Mutex::default(),
        }
    }

    /// Whether there is room for one more.
    pub fn take(&self, app: &AppId, now: Time) -> bool {
        let mut used = self.used.lock();
        if used.len() >= MAX_APPS && !used.contains_key(app) {
            used.retain(|_, (second, _)| *second == now.as_secs());
            if used.len() >= MAX_APPS {
                return false;
            }
        }
        let (second, count) = used.entry(app.clone()).or_default();
        if *second != now.as_secs() {
            (*second, *count) = (now.as_secs(), 0);
        }
        let has_room = *count < self.per_second;
        *count += u32::from(has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_has_its_rate() {
        let app = |name: &str| AppId::new(name).unwrap();
        let at = Time::from_millis;
        let rate = Rate::new(2);
        for (name, ms, expected) in [
            ("a", 0, true),
            ("a", 999, true),
            ("a", 999, false),
            ("b", 999, true),
            ("a", 1000, true),
            ("a", 1000, true),
            ("a", 1999, false),
        ] {
            assert_eq!(rate.take(&app(name), at(ms)), expected, "{name} at {ms}");
        }
        for n in 0..MAX_APPS {
            rate.take(&app(&format!("x{n}")), at(3000));
        }
        assert!(!rate.take(&app("y"), at(3000)), "no room to count it");
        assert!(rate.take(&app("y"), at(4000)));
        assert!(rate.used.lock().len() <= MAX_APPS);
    }
}
